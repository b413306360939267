"""Three questions about one head's attention."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...errors.arguments import checked_index, typed
from ...notation.marks import percent
from ...notation.view import token_label
from ...trace.trace import Trace
from .question import Option, Question, decimal, in_front, posed, product

DIFFERENCES = ((0.5, 3.0), (0.1, 6.0))  # of two scores that are asked about; the second if there is none of the first
TYPICAL = 1.5
APART = 0.15  # how far wrong answers are from the right one at least, as a difference of logarithms


@typed
def about_attention(trace: Trace, layer: int, head: int, query: int) -> tuple[Question, ...]:
    """What the visitor can work out after the page on attention.

    Args:
        trace: whose image and model.
        layer: which layer.
        head: which head of it.
        query: the token that looks, prefix tokens first.

    Returns:
        Three questions; fewer only for a sequence of one or two tokens, which leaves less to ask.

    Raises:
        IndexError: if an index is out of range.
    """
    layer, head = checked_index(layer, trace.layers, "layer"), trace.head_index(head)
    query = trace.token_index(query)
    compared = None if trace.config.differential else _ratio(trace, layer, head, query)
    asked = (_strongest(trace, layer, head, query), compared or _row_sum(trace, layer), _count(trace, layer))
    return tuple(question for question in asked if question is not None)


def _strongest(trace: Trace, layer: int, head: int, query: int) -> Question | None:
    """Which token gets most?"""
    weights, scores = trace.attention(layer, head, query), trace.scores(layer, head, query)
    top = int(np.argmax(weights))

    def facts(token: int) -> str:
        told = " and ".join(decimal(float(score)) for score in np.atleast_1d(scores[..., token]))
        kind = "scores" if scores.ndim > 1 else "score"
        return f"{token_label(trace, token)}: {kind} {told}, weight {percent(float(weights[token]))}"

    return posed(
        f"To which of these tokens does {_the(trace, query)} give most attention in layer {layer + 1}, "
        f"head {head + 1}?",
        Option(
            token_label(trace, top),
            f"{_capital(facts(top))}, the largest of all {len(weights)} tokens.",
            right=True,
        ),
        (
            Option(token_label(trace, token), f"{why} {_capital(facts(token))}. {_capital(facts(top))}.")
            for token, why in _not_the_strongest(trace, weights, query)
            if percent(float(weights[token])) != percent(float(weights[top]))
        ),
    )


def _not_the_strongest(trace: Trace, weights: np.ndarray, query: int) -> Iterator[tuple[int, str]]:
    """Tokens that people expect to get most, and why they need not; the strongest may be among them."""
    order = np.argsort(-weights, kind="stable")
    yield query, "A token need not look at itself most: its own key is one among all."
    if len(order) > 1:
        yield int(order[1]), "Its key answers well, and yet another one answers better."
    for token in range(trace.prefix):
        yield token, "A token without a place on the image is looked at like any other: what counts is its key."
    for token in _neighbours(trace, query):
        yield token, "To be near is not enough: what counts is how well its key answers."
    for token in order[:0:-1]:
        yield int(token), "Its key does not answer this query."


def _neighbours(trace: Trace, query: int) -> Iterator[int]:
    """The patches beside, below and above a patch; none of a token without a place."""
    rows, columns = trace.grid
    if query < trace.prefix:
        return
    row, column = divmod(query - trace.prefix, columns)
    for beside, below in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        if 0 <= row + below < rows and 0 <= column + beside < columns:
            yield query + below * columns + beside


def _ratio(trace: Trace, layer: int, head: int, query: int) -> Question | None:
    """How many times as large is one weight as another?"""
    weights, scores = trace.attention(layer, head, query), trace.scores(layer, head, query)
    pair = two_keys(scores)
    if pair is None:
        return None
    high, low = (round(float(scores[token]), 2) for token in pair)
    difference = round(high - low, 2)
    told = decimal(difference)
    so = f"exp({decimal(high)}) / exp({decimal(low)}) = exp({told}) ≈ {about(math.exp(difference))}"
    shares = [percent(float(weights[token])) for token in pair]
    real = "" if shares[1].startswith("<") else f" The weights themselves: {shares[0]} and {shares[1]}."
    found = [
        (difference, f"{told} is the difference of the scores; but a weight grows with exp of its score"),
        (math.exp(-difference), "This is the other way round, the second weight divided by the first"),
        (
            high / low if low > 0 else 0,
            f"This divides the scores, {decimal(high)} / {decimal(low)}; but a weight grows with exp of its score",
        ),
        (
            math.exp(difference / math.sqrt(trace.config.head_dim)),
            "This divides by the root of d once more; that is in the scores already",
        ),
        (2**difference, f"This is 2 to the power of {told}; exp takes e, about 2.718, in place of 2"),
        (1 + difference, "This adds the difference of the scores to 1; but a weight grows with exp of its score"),
    ]
    first, second = (_the(trace, token) for token in pair)
    return posed(
        f"In layer {layer + 1}, head {head + 1} the query of {_the(trace, query)} has the score {decimal(high)} with "
        f"the key of {first}, and {decimal(low)} with the key of {second}. About how many times as large is the first "
        "attention weight as the second?",
        Option(
            f"{about(math.exp(difference))} times",
            f"Both weights are exp of the score, divided by the same sum. So one divided by the other is {so}.{real}",
            right=True,
        ),
        [
            Option(f"{about(wrong)} times", f"{why}: {so}.{real}")
            for wrong, why in found
            if wrong > 0 and abs(math.log(wrong) - difference) > APART
        ],
    )


def two_keys(scores: np.ndarray) -> tuple[int, int] | None:
    """Two tokens of a row that can be compared by head: the first as strong as possible.

    Their scores differ by 0.5 to 3 where there are such, and rounded to two decimals lead to the same rounded ratio of
    weights as the exact ones.

    Args:
        scores: of all keys, [token].
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
    """What do the weights of a row sum to?"""
    tokens, right, start = trace.token_count, trace.row_sum(layer), "Each softmax makes shares of a whole, 1"
    if trace.config.differential:
        lam = round(1 - right, 2)  # as it is told, so that the sums below hold for the digits on screen
        right = 1 - lam
        so = f"the first sums to 1 and λ times the second to λ, so their difference to 1 − λ = {decimal(right)}"
        found = [
            (1.0, f"1 is the sum of each of the two softmaxes. What is left after the second was taken away: {so}."),
            (lam, f"{decimal(lam)} is λ, the sum of what is taken away: {so}."),
            (1 + lam, f"This adds the second softmax; it is taken away: {so}."),
            (0.0, f"The two would only cancel if λ were 1: {so}."),
            (2.0, f"This adds both softmaxes; the second is taken away, λ times: {so}."),
        ]
        asked = f"In layer {layer + 1} λ is {decimal(lam)}. What do the {tokens:,} attention weights of a row sum to?"
    else:
        so = "the weights are exp of the scores, divided by the sum of all exp: together exactly 1"
        found = [
            (0.0, f"No weight is negative, so nothing cancels; {so}."),
            (float(tokens), f"Not each of the {tokens} weights is 1; {so}."),
            (float(trace.heads), f"Each of the {trace.heads} heads has a row of its own; in it {so}."),
            (1 / tokens, f"{decimal(1 / tokens)} is the mean of the {tokens} weights; {so}."),
        ]
        asked = f"What do the {tokens:,} attention weights of a row in layer {layer + 1} sum to?"
    return posed(
        asked,
        Option(decimal(right), f"{start}: {so}.", right=True),
        [Option(decimal(wrong), why) for wrong, why in found],
    )


def _count(trace: Trace, layer: int) -> Question | None:
    """How many attention weights does the layer compute?"""
    prefix, tokens, heads, front = trace.prefix, trace.token_count, trace.heads, in_front(trace.config)
    patches, (how, weights) = tokens - prefix, product(heads, tokens, tokens)
    so = f"{how} = {weights}"
    each = f"each of the {heads} heads" if heads > 1 else "the only head"

    def wrong(factors: tuple[int, ...], why: str) -> Option:
        how, answer = product(*factors)
        return Option(answer, f"{why}: {so}.", how)

    mistakes = [wrong((tokens, tokens), f"This is one head; the layer has {heads}")] if heads > 1 else []
    if trace.config.differential:
        mistakes.append(
            wrong((2, heads, tokens, tokens), "This counts both softmaxes; a weight is the difference of the two")
        )
    if prefix:
        they = "looks and is looked at like a patch" if prefix == 1 else "look and are looked at like patches"
        mistakes.append(wrong((heads, patches, patches), f"This counts patches only; {front} {they}"))
    mistakes += [
        wrong((heads, tokens), f"This is one row of {each}; there is a row for every one of the {tokens:,} tokens"),
        wrong((trace.layers, heads, tokens, tokens), f"This is what all {trace.layers} layers compute; one of them"),
    ]
    if not prefix:
        mistakes.append(
            wrong(
                (heads, tokens + 1, tokens + 1),
                "This counts a token in front of the patches; there is none here",
            )
        )
    return posed(
        f"How many attention weights does layer {layer + 1} compute for this image, in all its heads together?",
        Option(weights, f"In {each} every one of {tokens:,} tokens looks at all {tokens:,}: {so}.", how, right=True),
        mistakes,
    )


def about(value: float) -> str:
    """A positive number with at least two digits that matter: `"4.5"`, `"0.22"`, `"120"`."""
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}"


def _the(trace: Trace, token: int) -> str:
    words = token_label(trace, token)
    return f"the {words}" if words.endswith("token") else words


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
