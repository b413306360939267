"""Section 1 of the page "Attention": an editable soft dictionary, then the same idea on the image."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from PIL import ImageColor

from ....notation.marks import percent
from ....viz.colour import KEY, QUERY, VALUE
from ....walkthrough import soft_dictionary
from ...app import state
from ...app.messages import escape_markdown, show_errors
from ...widgets import drawing
from ...widgets.strips import number
from ...widgets.sums import round_consistently
from ..lesson.sections import section

if TYPE_CHECKING:  # it imports the sidebar, which needs a running app
    from .head_view import HeadView

MOST = 12  # maximum number of words
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
        "A dictionary stores **values** under **keys**. An ordinary one answers only if the **query** equals a key, "
        "letter by letter. A *soft* one always answers: it compares the query with every key, turns the similarities "
        "into shares that sum to 1, and returns the mix of all values. Try it: the query below has a spelling mistake. "
        "Every cell of the table, the keys and their values (a colour and a number), is yours to change.",
    )
    _dictionary()


@st.fragment
@show_errors()
def _dictionary() -> None:
    left, right = st.columns([2, 3], gap="medium")
    with right:
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
    with left:
        query = st.text_input("Query", "strawbery", max_chars=30, key="dictionary_query")
        temperature = st.slider(
            "Temperature", 0.0, 2.0, 0.1, 0.01, key="dictionary_temperature", help="Similarities are divided by it."
        )
        st.caption("0: a hard lookup, the most similar key takes all. The higher, the closer to the plain average.")
        pieces = " ".join(soft_dictionary.ngrams(query))
        st.caption(f"Pieces of the query: {escape_markdown(pieces) or 'none'}")
    dictionary = read(edited)
    for problem in dictionary.problems:
        st.warning(escape_markdown(problem))
    if not dictionary.keys:
        st.info("The dictionary is empty. Give it a word, a colour and a number.")
        return
    similar, shares, mixed = soft_dictionary.soft_lookup(query, dictionary.keys, dictionary.values, temperature)
    rows = [
        (
            html.escape(key),
            number(alike, 3),
            drawing.bar(share, percent(share)),
            drawing.swatch(value[:3]) + f"{value[3]:g}",
        )
        for key, alike, share, value in zip(dictionary.keys, similar, shares, dictionary.values, strict=True)
    ]
    total = ("answer", "", percent(float(shares.sum())), drawing.swatch(mixed[:3]) + number(mixed[3], 3))
    st.html(drawing.table(("key", "query · key", "share (softmax)", "value"), rows, total))
    best = int(np.argmax(shares))
    if similar.any():
        share = percent(float(shares[best]))
        st.markdown(f"Most of the answer comes from **{escape_markdown(dictionary.keys[best])}** ({share}).")
    else:
        st.markdown("The query shares no piece with any key, so all of them count the same.")
    st.caption(
        f"Words become vectors: a number for each piece of {soft_dictionary.NGRAM} letters (< and > mark start and "
        "end), scaled to length 1. Similarity is the dot product of two such vectors."
    )
    if similar.any():
        _product(query, dictionary.keys[best], float(similar[best]))


def _product(query: str, key: str, similarity: float) -> None:
    """Draw the vectors of two words and their product, piece by piece."""
    pieces, (asking, answering) = soft_dictionary.vectors([query, key])
    products = asking * answering
    factors, shown = round_consistently([float(part) for part in products], similarity, decimals=3)
    rows = [
        (html.escape(word), *(number(part, 3) if part else "" for part in vector))
        for word, vector in ((query.strip(), asking), (key, answering))
    ]
    rows.append(("product", *(part if both else "" for part, both in zip(factors, products, strict=True))))
    st.html(drawing.table(("", *(f"<b>{html.escape(piece)}</b>" for piece in pieces)), rows))
    st.caption(f"The products sum to {shown}. Empty: 0, the word does not have this piece.")


def on_the_image(view: HeadView) -> None:
    """Draw query, key and value on the image."""
    weights = view.steps.weights
    prefix, columns, side = view.trace.prefix, view.trace.grid[1], view.trace.config.patch_size
    strongest = prefix + np.argsort(-np.abs(weights[prefix:]), kind="stable")[: min(3, len(weights) - prefix)]
    stroke = max(view.size) / 130
    x, y = drawing.centre(view.patch, side)
    shapes, labels = [], []
    for token in strongest:
        patch = divmod(int(token) - prefix, columns)
        labels.append(f"{view.name(int(token))} {percent(float(weights[token]))}")
        at_x, at_y = drawing.centre(patch, side)
        if patch != view.patch:
            shapes.append(
                f'<line x1="{at_x}" y1="{at_y}" x2="{x}" y2="{y}" stroke="{VALUE}" stroke-width="{stroke}" '
                f'stroke-linecap="round"/><circle cx="{at_x}" cy="{at_y}" r="{stroke}" fill="{VALUE}"/>'
            )
        shapes.append(drawing.frame(patch, side, KEY, stroke))
    shapes.append(drawing.frame(view.patch, side, QUERY, 1.5 * stroke))
    st.markdown("**The same three letters, on the image**")
    picture, text = st.columns([2, 3], gap="medium", vertical_alignment="center")
    with picture:
        alt = f"{view.choice.picked.name}: {view.name(view.query)} and the patches that it attends to most"
        st.html(drawing.on_image(state.picture(view.choice, drawing.PHOTO), view.size, shapes, alt))
    with text:
        view.draw_text(
            "In attention every token is all three, as vectors of {d=} numbers:\n\n"
            f"* {{q}} **asks**: what is {view.name(view.query)} (blue) looking for?\n"
            "* {k} **answers**: every token says what it has to offer.\n"
            "* {v} **is handed over**: what flows back along the green lines, mixed by the shares.\n\n"
            f"In {view.head_label} {_most(len(labels))} to say to it (red): {', '.join(labels)}. "
            "Words are replaced by tokens and spelling by learned vectors; the sums are the same."
        )


def _most(count: int) -> str:
    return f"these {count} patches have the most" if count > 1 else "this patch has the most"
