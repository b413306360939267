"""Questions about one head's attention."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...errors.arguments import checked_index, typed
from ...model.config import ViTConfig
from ...notation.marks import capital, percent
from ...notation.view import token_label, token_phrase
from ...trace.trace import Trace
from .query_and_output import output_question, vectors_question
from .question import Option, Question, decimal, make_question, prefix_label, product

DIFFERENCES = ((0.5, 3.0), (0.1, 6.0))  # ranges of the difference of two scores, the preferred range first
TYPICAL = 1.5  # preferred difference
APART = 0.15  # minimum difference between the logarithms of wrong and right answers


@typed
def attention_questions(trace: Trace, layer: int, head: int, query: int) -> tuple[Question, ...]:
    """Return the questions at the end of the page on attention.

    Args:
        trace: trace of the image.
        layer: layer index, from 0.
        head: head index, from 0.
        query: index of the query token, prefix tokens first.

    Returns:
        Five questions, named `"vectors"`, `"strongest"`, `"ratio"` (or `"row_sum"`), `"output"` and `"count"`; fewer
        for a sequence of one or two tokens.

    Raises:
        IndexError: if an index is out of range.
    """
    layer, head = checked_index(layer, trace.layers, "layer"), trace.head_index(head)
    query = trace.token_index(query)
    compared = None if trace.config.differential else _ratio(trace, layer, head, query)
    questions = (
        vectors_question(trace, layer, head, query),
        _strongest(trace, layer, head, query),
        compared or _row_sum(trace, layer),
        output_question(trace, layer, head, query),
        _count(trace, layer),
    )
    return tuple(question for question in questions if question is not None)


def _strongest(trace: Trace, layer: int, head: int, query: int) -> Question | None:
    """Ask for the token with the largest attention weight."""
    weights, scores = trace.attention(layer, head, query), trace.scores(layer, head, query)
    top = int(np.argmax(weights))

    def facts(token: int) -> str:
        values = " and ".join(decimal(float(score)) for score in np.atleast_1d(scores[..., token]))
        kind = "scores" if scores.ndim > 1 else "score"
        return f"{token_label(trace, token)}: {kind} {values}, weight {percent(float(weights[token]))}"

    return make_question(
        "strongest",
        f"To which of these tokens does {token_phrase(trace, query)} attend most in layer {layer + 1}, head "
        f"{head + 1}?",
        f"What counts is {_score_of(trace.config)}. The attention map of this head shows the weights.",
        Option(
            token_label(trace, top),
            f"{capital(facts(top))}, the largest of all {len(weights)} tokens.",
            right=True,
        ),
        (
            Option(token_label(trace, token), f"{why} {capital(facts(token))}.")
            for token, why in _not_the_strongest(trace, weights, query)
            if percent(float(weights[token])) != percent(float(weights[top]))
        ),
    )


def _not_the_strongest(trace: Trace, weights: np.ndarray, query: int) -> Iterator[tuple[int, str]]:
    """Yield plausible wrong answers, each with an explanation; the right answer may be among them."""
    score = _score_of(trace.config)
    order = np.argsort(-weights, kind="stable")
    yield query, "A token need not attend most to itself: its own key is one among all."
    if len(order) > 1:
        yield int(order[1]), "It gets much attention, but another token gets more."
    for token in range(trace.prefix):
        yield token, f"A token without a position in the image is compared like the others: what counts is {score}."
    for token in _neighbours(trace, query):
        yield token, f"Being near is not enough: what counts is {score}."
    for token in order[:0:-1]:
        yield int(token), "Another token gets more attention."


def _score_of(config: ViTConfig) -> str:
    """Describe what a score is made of."""
    rotated = "rotated " if config.rope is not None else ""
    bias = ", plus a bias for their offset" if config.relative_position_bias else ""
    return f"the match of the {rotated}query and key{bias}"


def _neighbours(trace: Trace, query: int) -> Iterator[int]:
    """Yield the patches beside, below and above a patch; nothing for a prefix token."""
    rows, columns = trace.grid
    if query < trace.prefix:
        return
    row, column = divmod(query - trace.prefix, columns)
    for beside, below in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        if 0 <= row + below < rows and 0 <= column + beside < columns:
            yield query + below * columns + beside


def _ratio(trace: Trace, layer: int, head: int, query: int) -> Question | None:
    """Ask for the ratio of two attention weights."""
    weights, scores = trace.attention(layer, head, query), trace.scores(layer, head, query)
    pair = two_keys(scores)
    if pair is None:
        return None
    high, low = (round(float(scores[token]), 2) for token in pair)
    difference = round(high - low, 2)
    shown = decimal(difference)
    so = f"exp({decimal(high)}) / exp({decimal(low)}) = exp({shown}) ≈ {about(math.exp(difference))}"
    shares = [percent(float(weights[token])) for token in pair]
    real = "" if shares[1].startswith("<") else f" The weights are {shares[0]} and {shares[1]}."
    mistakes = [
        (difference, f"{shown} is the difference of the scores; but weights are proportional to exp of the score"),
        (math.exp(-difference), "This is the inverse, the second weight divided by the first"),
        (
            high / low if low > 0 else 0,
            f"This divides the scores, {decimal(high)} / {decimal(low)}; but weights are proportional to exp of the "
            "score",
        ),
        (
            math.exp(difference / math.sqrt(trace.config.head_dim)),
            "This divides by the square root of d once more; the scores already include it",
        ),
        (2**difference, f"This is 2 to the power of {shown}; exp has the base e, about 2.718, not 2"),
        (
            1 + difference,
            "This adds the difference of the scores to 1; but weights are proportional to exp of the score",
        ),
    ]
    first, second = (token_phrase(trace, token) for token in pair)
    return make_question(
        "ratio",
        f"In layer {layer + 1}, head {head + 1}, the query of {token_phrase(trace, query)} has the score "
        f"{decimal(high)} with the key of {first}, and {decimal(low)} with the key of {second}. About how many times "
        "as large as the second attention weight is the first?",
        "Softmax takes exp of each score and divides it by the same sum, so only the difference of the scores counts.",
        Option(
            f"{about(math.exp(difference))} times",
            f"Both weights are exp of the score, divided by the same sum. So their ratio is {so}.{real}",
            right=True,
        ),
        [
            Option(f"{about(wrong)} times", f"{why}.")
            for wrong, why in mistakes
            if wrong > 0 and abs(math.log(wrong) - difference) > APART
        ],
    )


def two_keys(scores: np.ndarray) -> tuple[int, int] | None:
    """Choose two tokens whose weights can be compared in mental arithmetic, the first with the largest possible score.

    Their scores differ by 0.5 to 3, if possible. Scores rounded to two decimals give the same rounded ratio of weights
    as exact scores.

    Args:
        scores: scores of all keys, [token].
    """
    exact, shown = scores.astype(np.float64), np.round(scores.astype(np.float64), 2)
    for least, most in DIFFERENCES:
        for first in np.argsort(-exact, kind="stable"):
            differences = shown[first] - shown
            near = np.argsort(np.abs(differences - TYPICAL), kind="stable")
            for second in near[(least <= differences[near]) & (differences[near] <= most)]:
                if about(math.exp(differences[second])) == about(math.exp(exact[first] - exact[second])):
                    return int(first), int(second)
    return None


def _row_sum(trace: Trace, layer: int) -> Question | None:
    """Ask for the sum of the weights of a row."""
    tokens, right, start = trace.token_count, trace.row_sum(layer), "Each softmax sums to 1"
    if trace.config.differential:
        lam = round(1 - right, 2)  # rounded as on screen, so that the arithmetic below holds for the shown digits
        right = 1 - lam
        so = f"the first sums to 1 and λ times the second to λ, so their difference sums to 1 − λ = {decimal(right)}"
        hint = "Each softmax sums to 1. The second is multiplied by λ, and then subtracted from the first."
        mistakes = [
            (1.0, "1 is the sum of one softmax. But λ times the second softmax is subtracted."),
            (lam, f"{decimal(lam)} is λ, the sum of the subtracted part alone."),
            (1 + lam, "This adds the second softmax, but it is subtracted."),
            (0.0, "Both would only cancel if λ were 1."),
            (2.0, "This adds both softmaxes, but λ times the second is subtracted."),
        ]
        text = f"In layer {layer + 1}, λ is {decimal(lam)}. What do the {tokens:,} attention weights of a row sum to?"
    else:
        so = "the weights are exp of the scores, divided by the sum of all exp: together exactly 1"
        hint = "Softmax divides each exp of a score by the sum of all of them."
        mistakes = [
            (0.0, "No weight is negative, so nothing cancels."),
            (float(tokens), f"This would be the sum if each of the {tokens} weights were as large as all together."),
            (float(trace.heads), f"This counts all {trace.heads} heads, but each has its own rows."),
            (1 / tokens, f"{decimal(1 / tokens)} is the mean of the {tokens} weights, not their sum."),
        ]
        text = f"What do the {tokens:,} attention weights of a row in layer {layer + 1} sum to?"
    return make_question(
        "row_sum",
        text,
        hint,
        Option(decimal(right), f"{start}: {so}.", right=True),
        [Option(decimal(wrong), why) for wrong, why in mistakes],
    )


def _count(trace: Trace, layer: int) -> Question | None:
    """Ask for the number of attention weights of a layer."""
    prefix, tokens, heads, front = trace.prefix, trace.token_count, trace.heads, prefix_label(trace.config)
    patches, (expression, weights) = tokens - prefix, product(heads, tokens, tokens)
    so = f"{expression} = {weights}"
    each = f"each of the {heads} heads" if heads > 1 else "the only head"

    def wrong(factors: tuple[int, ...], why: str) -> Option:
        mistaken, answer = product(*factors)
        return Option(answer, f"{why}.", mistaken)

    mistakes = [wrong((tokens, tokens), f"This is one head; the layer has {heads}")] if heads > 1 else []
    if trace.config.differential:
        mistakes.append(
            wrong((2, heads, tokens, tokens), "This counts both softmaxes; each weight is the difference of the two")
        )
    if prefix:
        have = "also has a query and a key" if prefix == 1 else "also have queries and keys"
        mistakes.append(wrong((heads, patches, patches), f"This counts patches only; {front} {have}"))
    mistakes += [
        wrong((heads, tokens), f"This is one row of {each}; there is a row for each of the {tokens:,} tokens"),
        wrong((trace.layers, heads, tokens, tokens), f"This counts all {trace.layers} layers, not one"),
    ]
    if not prefix:
        mistakes.append(
            wrong(
                (heads, tokens + 1, tokens + 1),
                "This counts a token before the patches; this model has none",
            )
        )
    return make_question(
        "count",
        f"How many attention weights does layer {layer + 1} compute for this image, in all its heads together?",
        "A row has one weight for each key. Think of the rows of a head, and then of the heads of the layer.",
        Option(
            weights,
            f"In {each}, each of {tokens:,} tokens attends to all {tokens:,}: {so}.",
            expression,
            right=True,
        ),
        mistakes,
    )


def about(value: float) -> str:
    """Format a positive number with at least two significant digits: `"4.5"`, `"0.22"`, `"120"`."""
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}"
