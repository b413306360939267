"""Questions about two ideas of the sequence: tokens that are no patch, and positions."""

from __future__ import annotations

import numpy as np

from ...analysis.arithmetic import numbers
from ...notation.marks import capital, join_words, percent
from ...notation.view import noun_phrase, token_label
from ...trace.trace import Trace
from ..sequence import position_similarity, prefix_tokens, rotary_similarity
from .question import Option, Question, decimal, make_question, prefix_label


def first_token_question(trace: Trace) -> Question | None:
    """Ask for the content of the first prefix token; for a model without prefix tokens, for the origin of the output.

    Returns:
        The question, or None for a single patch without prefix tokens.
    """
    return _content(trace) if trace.prefix else _origin(trace)


def _content(trace: Trace) -> Question | None:
    config = trace.config
    name = noun_phrase(config.prefix_token_names[0])
    vector = prefix_tokens(trace.model)[0]
    firsts = ", ".join(decimal(float(value)) for value in vector[:3])
    other = "the class" if trace.model.is_classifier else "a description"
    patches = trace.token_count - trace.prefix
    largest = float(np.abs(vector).max())
    zeros = Option("Zeros, to be filled in by the blocks", f"Its largest number in absolute value is {largest:.2g}.")
    return make_question(
        "first_token",
        f"What does {name} contain before the first block?",
        "Before the first block, no token has information from another one.",
        Option(
            f"{config.embed_dim:,} learned numbers, the same for every image",
            f"Training has found them; here they begin with {firsts}. The blocks change {name}: by attention it "
            f"collects information from the {patches:,} patches, and only then does it depend on the image.",
            right=True,
        ),
        [
            Option(
                f"The mean of the {patches:,} patch tokens" if patches > 1 else "A copy of the patch token",
                "Nothing has been averaged or copied at this point: it is placed before the patches without any "
                "computation.",
            ),
            Option(
                f"The numbers of {other} of the image",
                "The model is not told what is in the image; it has to find that out in its blocks.",
            ),
            *([zeros] if largest else []),
        ],
    )


def _origin(trace: Trace) -> Question | None:
    patches, pooling = trace.token_count, trace.config.pooling_description
    if patches < 2:
        return None
    if trace.config.pooling == "attention":
        explanation = (
            f"After the last block, a learned query is compared with the keys of all {patches:,} patches, and their "
            f"values are averaged with these weights; the largest is {percent(float(trace.attention('pool').max()))}."
        )
        mean = Option(
            "From the mean of the patches", "The patches do not count alike: some matter more for the output."
        )
    else:
        explanation = (
            f"The tokens of all {patches:,} patches are averaged after the last block, so each counts "
            f"1 / {patches:,} = {percent(1 / patches)}."
        )
        mean = Option("From the patch with the largest norm", "No patch is selected; the output uses more than one.")
    return make_question(
        "first_token",
        "This model puts no token before the patches. Where does its output come from?",
        "Look at the step after the last block in the map of the model.",
        Option(f"From {pooling}", explanation, right=True),
        [
            Option("From the token of the first patch", "The first patch is one among all; it has no special role."),
            mean,
            Option(
                "From the pixels, beside the blocks", "Nothing bypasses the blocks; the output is computed from tokens."
            ),
        ],
    )


def positions_question(trace: Trace, patch: int) -> Question | None:
    """Ask for the part of the model that notices that two patches were swapped.

    Args:
        trace: trace of the image.
        patch: index of one of the patches; the other is opposite of it.

    Returns:
        The question, or None for an image of one patch.
    """
    config, count = trace.config, trace.grid[0] * trace.grid[1]
    if count < 2:
        return None
    other = count - 1 - patch if 2 * patch != count - 1 else 0
    one, two = (token_label(trace, trace.prefix + index) for index in (patch, other))
    means = _means(trace, patch, other)
    swapped = "the feature vectors of" if config.stem else "the pixels of"
    order = Option(
        "The order of the rows of X",
        "Attention does not read the rows in an order: it computes weighted sums, and a sum is the same in any order.",
    )
    softmax = Option(
        "The softmax, which prefers neighbours",
        "The softmax does not know which tokens are neighbours.",
    )
    if means:
        right = Option(
            capital(join_words([mean for mean, _ in means], "and")),
            f"{' '.join(so for _, so in means)} Otherwise the tokens would be a set, and a swap would change nothing.",
            right=True,
        )
        wrong = Option("Nothing", "That is true of models without any information on positions; this one has some.")
    else:
        right = Option(
            "Nothing",
            f"This model has no information on positions. The sequence has the same {trace.token_count:,} tokens, and "
            "every token attends to the same set: the output stays the same.",
            right=True,
        )
        wrong = Option("Learned positions", "The map of the model has no step that adds them to the tokens.")
    front = prefix_label(config)
    extra = [Option(capital(front), "These are the same learned numbers as before the swap.")] if front else []
    return make_question(
        "positions",
        f"Suppose {swapped} {one} and {two} were swapped. What would let the model notice that?",
        "Attention is a sum over all tokens. What does this model compute that depends on the position of a patch?",
        right,
        [order, wrong, softmax, *extra],
    )


def _means(trace: Trace, patch: int, other: int) -> list[tuple[str, str]]:
    """Return each kind of positions of the model, with a sentence on its numbers for two patches."""
    config, model, prefix = trace.config, trace.model, trace.prefix
    means = []
    if config.position_embedding:
        cosine = float(position_similarity(model, trace.grid, prefix + patch)[prefix + other])
        means.append(
            (
                "the position embeddings",
                f"Other vectors are added: the position embeddings of the two have a cosine of {decimal(cosine)}.",
            )
        )
    if config.rope is not None:
        cosine = float(rotary_similarity(model, trace.grid, patch).flat[other])
        means.append(
            (
                "the rotation of queries and keys (RoPE)",
                f"Queries and keys are rotated by other angles: the mean cosine of the differences of the angles is "
                f"{decimal(cosine)}{' (layer 1, head 1)' * config.rope.per_layer}.",
            )
        )
    if config.relative_position_bias:
        bias = _bias(trace, prefix + patch, prefix + other)
        means.append(
            (
                "the relative position bias of the scores",
                f"The bias depends on the offset of the two, direction included: in layer 1, head 1, it is "
                f"{decimal(bias[0])} one way and {decimal(bias[1])} the other way.",
            )
        )
    return means


def _bias(trace: Trace, one: int, two: int) -> tuple[float, float]:
    bias = numbers(trace.model.blocks[0].attn.bias(trace.grid))[0]
    return float(bias[one, two]), float(bias[two, one])
