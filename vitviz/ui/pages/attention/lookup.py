"""Section 1 of the page "Attention": an editable soft dictionary."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from PIL import ImageColor

from ....notation.marks import percent
from ....walkthrough import soft_dictionary
from ...app.messages import escape_markdown, show_errors
from ...widgets import drawing, symbols
from ...widgets.strips import number
from ...widgets.sums import in_brackets, round_consistently
from ..lesson.sections import section

MOST = 12  # maximum number of words
PAPER = "https://arxiv.org/abs/1706.03762"  # Vaswani et al. 2017
ARTICLE = "https://habr.com/ru/articles/599703/"  # the article that explains attention as a dictionary
FRUITS = {
    "key": ["banana", "strawberry", "blueberry", "orange", "apple"],
    "colour": ["gold", "crimson", "royalblue", "darkorange", "yellowgreen"],
    "number": [1.0, 2.0, 3.0, 4.0, 5.0],
}


@dataclass(frozen=True, eq=False)
class Dictionary:
    """Contents of the user's table.

    Attributes:
        keys: the words.
        values: red, green, blue (0 to 255) and the number of each, float64 [key, 4].
        problems: messages on rows that could not be used.
    """

    keys: tuple[str, ...]
    values: np.ndarray
    problems: tuple[str, ...]


def read(table: pd.DataFrame) -> Dictionary:
    """Read a dictionary from the edited table; incomplete rows are left out and reported."""
    keys, values, problems = [], [], []
    for word, colour, amount in table[["key", "colour", "number"]].itertuples(index=False):
        word = "" if pd.isna(word) else str(word).strip()[:30]
        if not word:
            continue
        try:
            red, green, blue = ImageColor.getrgb("" if pd.isna(colour) else str(colour).strip()[:40])[:3]
        except ValueError:
            problems.append(f"{word}: “{'' if pd.isna(colour) else str(colour)[:40]}” is no colour.")
            continue
        if pd.isna(amount) or not np.isfinite(amount):
            problems.append(f"{word} has no number.")
            continue
        keys.append(word)
        values.append((red, green, blue, float(amount)))
    if len(keys) > MOST:
        problems.append(f"Only the first {MOST} words are used.")
    return Dictionary(tuple(keys[:MOST]), np.array(values[:MOST], dtype=float).reshape(-1, 4), tuple(problems))


def idea() -> None:
    """Draw the idea of attention, on words."""
    section(
        "1 · The idea: a soft lookup",
        "Python's `dict` returns a **value** only if the **query** equals its **key**. A *soft* dictionary compares "
        "the query with every key and returns a corrected value: the sum of all values, each times the **probability** "
        "that the query meant its key. Change the misspelled query.",
    )
    _dictionary()


@st.fragment
@show_errors()
def _dictionary() -> None:
    shown = st.container(gap="small")
    with st.expander("Change the dictionary"):
        edited = st.data_editor(
            pd.DataFrame(FRUITS),
            num_rows="dynamic",
            hide_index=True,
            column_config={
                "key": st.column_config.TextColumn("key", max_chars=30, width="small"),
                "colour": st.column_config.TextColumn("colour", help="A name such as gold, or #ffd700.", width="small"),
                "number": st.column_config.NumberColumn("number", width="small"),
            },
            key="dictionary",
        )
        dictionary = read(edited)
        for problem in dictionary.problems:
            st.warning(escape_markdown(problem))
    with shown:
        left, right = st.columns([2, 3], gap="medium")
        with left:
            query = st.text_input("Query", "strawbery", max_chars=30, key="dictionary_query")
            temperature = st.slider(
                "Temperature T",
                0.0,
                2.0,
                0.1,
                0.01,
                key="dictionary_temperature",
                help="Divides the similarities. 0: the most similar key takes all, as in an ordinary dictionary. The "
                "higher, the closer the answer is to the mean of all values.",
            )
        if not dictionary.keys:
            st.info("The dictionary is empty. Give it a word, a colour and a number.")
            return
        with right:
            # not highlighted, because the colours have too little contrast
            st.code(as_python(dictionary, query), language=None, wrap_lines=True)
        _answer(query, dictionary, temperature)
    with st.container(key="attention_sources"):
        st.caption(f"From [Attention Is All You Need]({PAPER}), explained in [Habr 599703]({ARTICLE}) (in Russian).")


def _answer(query: str, dictionary: Dictionary, temperature: float) -> None:
    """Draw the soft lookup: similarities, probabilities, and the weighted sum."""
    similar, weights, mixed = soft_dictionary.soft_lookup(query, dictionary.keys, dictionary.values, temperature)
    st.latex(symbols.formula(r"\mathrm{answer} = \mathrm{softmax}\!\left(\mathrm{similarity}(@q, @k)\,/\,T\right) @v"))
    rows = [
        (
            html.escape(key),
            number(alike, 3),
            drawing.bar(weight, percent(weight)),
            drawing.swatch(value[:3]) + f"{value[3]:g}",
        )
        for key, alike, weight, value in zip(dictionary.keys, similar, weights, dictionary.values, strict=True)
    ]
    total = ("answer", "", percent(float(weights.sum())), drawing.swatch(mixed[:3]) + number(mixed[3], 3))
    st.html(drawing.table(("key", "similarity", "probability", "value"), rows, total))
    with st.container(key="dictionary_sum"):
        st.markdown(f"The answer's number: {weighted_sum(weights, dictionary.values[:, 3], float(mixed[3]))}")
    best = int(np.argmax(weights))
    meant = similar.any()
    if meant:
        share = percent(float(weights[best]))
        st.markdown(f"Most probable key: **{escape_markdown(dictionary.keys[best])}** ({share}).")
    else:
        st.markdown("The query has no letter pair in common with any key, so all keys are equally probable.")
    with st.expander("Similarity of two words"):
        pieces = escape_markdown(" ".join(soft_dictionary.ngrams(query))) or "none"
        st.caption(
            f"A word becomes a vector: the count of each of its pairs of {soft_dictionary.NGRAM} letters (< and > mark "
            "start and end), scaled to length 1. The similarity of two words is the dot product of their vectors. "
            f"Pairs of the query: {pieces}."
        )
        if meant:
            _product(query, dictionary.keys[best], float(similar[best]))


def as_python(dictionary: Dictionary, query: str) -> str:
    """Return the dictionary as a Python `dict` of the numbers, with the result of an ordinary lookup."""
    entries = {key: float(value) for key, value in zip(dictionary.keys, dictionary.values[:, 3], strict=True)}
    items = ", ".join(f"{key!r}: {value:g}" for key, value in entries.items())
    try:
        result = f"{entries[query]:g}"
    except KeyError as error:
        result = f"KeyError: {error}"
    return f"d = {{{items}}}\nd[{query!r}]\n# {result}"


def weighted_sum(weights: Sequence[float], values: Sequence[float], result: float) -> str:
    """Format the sum of weights times values, term by term, such that the displayed numbers give the result."""
    written = [f"{value:.10g}".replace("-", "−") for value in values]
    exact = [float(text.replace("−", "-")) for text in written]
    shown, total = round_consistently(
        [float(weight) for weight in weights],
        result,
        lambda parts: sum(part * value for part, value in zip(parts, exact, strict=True)),
        decimals=3,
    )
    terms = (f"{weight} × {in_brackets(value)}" for weight, value in zip(shown, written, strict=True))
    return f"{' + '.join(terms)} = **{total}**"


def _product(query: str, key: str, similarity: float) -> None:
    """Draw the vectors of two words and their product, pair by pair."""
    pieces, (asking, answering) = soft_dictionary.vectors([query, key])
    products = asking * answering
    factors, shown = round_consistently([float(part) for part in products], similarity, decimals=3)
    rows = [
        (html.escape(word), *(number(part, 3) if part else "" for part in vector))
        for word, vector in ((query.strip(), asking), (key, answering))
    ]
    rows.append(("product", *(part if both else "" for part, both in zip(factors, products, strict=True))))
    st.html(drawing.table(("", *(f"<b>{html.escape(piece)}</b>" for piece in pieces)), rows))
    st.caption(f"The products sum to {shown}. Empty: 0, the word does not have this pair.")
