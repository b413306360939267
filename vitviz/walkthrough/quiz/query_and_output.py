"""Questions about two ideas of attention: query, key and value, and the output of a head."""

from __future__ import annotations

import numpy as np

from ...notation.marks import percent
from ...notation.view import token_phrase
from ...trace.trace import Trace
from .question import Option, Question, decimal, make_question


def vectors_question(trace: Trace, layer: int, head: int, query: int) -> Question | None:
    """Ask for the vectors that determine an attention weight.

    Args:
        trace: trace of the image.
        layer: layer index, from 0.
        head: head index, from 0.
        query: index of the query token. The key token is another one with a large weight; not with the largest, if
            possible, which is asked for in another question.

    Returns:
        The question, or None for a sequence of one token.
    """
    if trace.token_count < 2:
        return None
    weights = trace.attention(layer, head, query)
    others = [int(token) for token in np.argsort(-np.abs(weights), kind="stable") if token != query]
    key = others[min(1, len(others) - 1)]
    one, two = token_phrase(trace, query), token_phrase(trace, key)
    scores = [decimal(float(score)) for score in np.atleast_1d(trace.scores(layer, head, query)[..., key])]
    score = f"scores are {' and '.join(scores)}" if len(scores) > 1 else f"score is {scores[0]}"
    weight = percent(float(weights[key]))
    softmax = "the difference of two softmaxes" if trace.config.differential else "the softmax"
    return make_question(
        "vectors",
        f"Layer {layer + 1}, head {head + 1}: which vectors determine how much of {two} enters the output for {one}?",
        "Each token has a query to compare with keys, and a key to be compared. Whose output is asked for?",
        Option(
            f"The query of {one} and the key of {two}",
            f"Their {score}; with the scores of all {trace.token_count:,} keys, {softmax} gives the weight {weight}. "
            f"The output then contains the value of {two}, times this weight.",
            right=True,
        ),
        [
            Option(
                f"The query of {two} and the key of {one}",
                f"The roles are reversed: this pair determines how much of {one} enters the output for {two}.",
            ),
            Option(f"The key of {one} and the key of {two}", "Keys are not compared with each other."),
            Option(
                f"The query of {one} and the value of {two}",
                "A value is what is passed on; it has no influence on how much of it is passed on.",
            ),
        ],
    )


def output_question(trace: Trace, layer: int, head: int, query: int) -> Question | None:
    """Ask for the output of a head.

    Args:
        trace: trace of the image.
        layer: layer index, from 0.
        head: head index, from 0.
        query: index of the query token.

    Returns:
        The question, or None for a sequence of one token.
    """
    tokens, config = trace.token_count, trace.config
    if tokens < 2:
        return None
    weights = trace.attention(layer, head, query)
    top = int(np.argmax(np.abs(weights)))
    others = "another token" if tokens == 2 else f"the other {tokens - 1:,} tokens"
    joined = config.num_heads * config.head_dim
    then = "It" if config.num_heads == 1 else f"The outputs of all {config.num_heads} heads, {joined:,} numbers,"
    return make_question(
        "output",
        f"What does head {head + 1} of layer {layer + 1} return for {token_phrase(trace, query)}?",
        "The weights are not yet the result. What are they multiplied with?",
        Option(
            f"{config.head_dim} numbers: the sum of all values, times their weights",
            f"The value of {token_phrase(trace, top)} is multiplied by {percent(float(weights[top]))}; the values of "
            f"{others} are added in the same way. {then} {'is' if config.num_heads == 1 else 'are'} then mapped to "
            f"{config.embed_dim:,} numbers by the output projection.",
            right=True,
        ),
        [
            Option(
                "The value of the token with the largest weight",
                "A dictionary would return one value. Attention is soft and uses more than one.",
            ),
            Option(
                f"{tokens:,} numbers: its attention weights",
                "The weights are an intermediate result.",
            ),
            Option(
                f"{config.embed_dim:,} numbers that replace the token",
                "Attention replaces no token: its result is added to the token."
                + " And one head computes only a part of it." * (config.num_heads > 1),
            ),
        ],
    )
