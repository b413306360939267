"""Questions about ideas: prefix tokens, positions, query and key, and the output of a head, with numbers."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

import vitviz
from tests.support import random_models as kinds
from tests.support.explained_traces import explained
from tests.support.facts import assert_mentions
from vitviz.model.config import RoPE
from vitviz.notation.marks import percent
from vitviz.notation.view import token_label
from vitviz.walkthrough.quiz import attention_questions, sequence_questions
from vitviz.walkthrough.quiz.question import decimal

PATCH = 9  # row 2, column 4 of 4 rows and 6 columns
OPPOSITE = 23 - PATCH


@cache
def trace_with(**changes):
    model = vitviz.VisionTransformer(replace(kinds.PLAIN, **changes), "of a test")
    random = torch.Generator().manual_seed(3)
    for name, parameter in model.named_parameters():
        if not name.startswith("rope"):
            parameter.data = torch.randn(parameter.shape, generator=random) / 2
    return model.requires_grad_(False).trace(torch.randn(3, 32, 48, generator=random))


def question(trace, name, query=None):
    asked = sequence_questions(trace, PATCH) + attention_questions(
        trace, 1, 1, trace.prefix + PATCH if query is None else query
    )
    (found,) = [one for one in asked if one.name == name]
    return found


def said(question):
    return " ".join([question.text, question.hint, *(f"{one.label} {one.explanation}" for one in question.options)])


# ---------------------------------------------------------------- tokens that are no patch


@pytest.mark.parametrize(
    ("kind", "name"), [("relative", "class token"), ("mean with registers", "register 1"), ("distilled", "class token")]
)
def test_a_prefix_token_consists_of_learned_numbers(kind, name):
    trace = kinds.trace_of(kind)
    asked = question(trace, "first_token")
    weights = trace.model.state_dict()
    vector = weights.get("cls_token", weights.get("reg_token")).numpy().reshape(-1)
    assert_mentions(asked.text, name)
    assert_mentions(asked.right.answer, trace.config.embed_dim)
    assert_mentions(asked.right.explanation, *(decimal(float(value)) for value in vector[:3]))


def test_a_model_without_prefix_tokens_is_asked_for_the_origin_of_its_output():
    mean = question(kinds.trace_of("mean"), "first_token")
    assert_mentions(mean.right.answer, "the mean of the patches")
    assert_mentions(mean.right.explanation, percent(1 / 24))
    pooled = kinds.trace_of("pooled")
    asked = question(pooled, "first_token")
    assert_mentions(asked.right.answer, pooled.config.pooling_description)
    assert_mentions(asked.right.explanation, percent(float(pooled.attention("pool").max())))
    assert any("mean of the patches" in one.answer for one in asked.options if not one.right)


# ---------------------------------------------------------------- positions


def test_learned_positions_with_their_cosine():
    trace = trace_with()
    asked = question(trace, "positions")
    one, other = trace.model.pos_embed[0, [trace.prefix + PATCH, trace.prefix + OPPOSITE]].double()
    assert_mentions(asked.text, "patch (2, 4)", "patch (3, 3)")
    assert_mentions(asked.right.answer, "position embeddings")
    cosine = float(one @ other / one.norm() / other.norm())
    assert_mentions(asked.right.explanation, decimal(cosine))


def test_a_place_is_named_only_if_the_angles_differ_between_heads():
    for per_layer in (False, True):
        rope = RoPE(per_layer=per_layer)
        asked = question(trace_with(position_embedding=False, rope=rope), "positions")
        assert ("layer 1" in asked.right.explanation) == per_layer


@pytest.mark.parametrize(
    ("changes", "bias", "rotated"),
    [({}, False, False), ({"relative_position_bias": True}, True, False), ({"rope": RoPE()}, False, True)],
)
def test_the_score_is_described_as_this_model_computes_it(changes, bias, rotated):
    trace = trace_with(**changes)
    asked = question(trace, "strongest")
    assert ("bias" in asked.hint) == bias
    assert ("rotated" in asked.hint) == rotated
    near = [one.explanation for one in asked.options if not one.right and "offset" in one.explanation]
    assert bool(near) <= bias
    assert "distance" not in said(asked)
    assert "no special role" not in said(asked)


def test_rotary_positions_alone():
    trace = trace_with(position_embedding=False, rope=RoPE())
    asked = question(trace, "positions")
    assert_mentions(asked.right.answer, "RoPE")
    assert "osition embedding" not in said(asked)
    places = np.array([[1, 3], [2, 2]], float)  # rows and columns of the two patches
    angles = places @ trace.model.rope.freqs[0, 0].double().numpy()
    assert_mentions(asked.right.explanation, decimal(float(np.cos(angles[0] - angles[1]).mean())))


def test_relative_positions_in_both_directions():
    trace = kinds.trace_of("relative")
    asked = question(trace, "positions")
    assert_mentions(asked.right.answer, "relative position bias")
    one, other = trace.prefix + PATCH, trace.prefix + OPPOSITE
    bias = trace.model.blocks[0].attn.relative((4, 6))[0].detach().numpy()
    assert bias[one, other] != bias[other, one], "the direction counts"
    assert_mentions(asked.right.explanation, decimal(float(bias[one, other])), decimal(float(bias[other, one])))


def test_no_positions_at_all_and_the_output_agrees():
    trace = trace_with(position_embedding=False)
    asked = question(trace, "positions")
    assert asked.right.answer == "Nothing"
    pixels = torch.tensor(trace.pixels())
    (down, across), (below, beside) = divmod(PATCH, 6), divmod(OPPOSITE, 6)
    here = (..., slice(8 * down, 8 * down + 8), slice(8 * across, 8 * across + 8))
    there = (..., slice(8 * below, 8 * below + 8), slice(8 * beside, 8 * beside + 8))
    swapped = pixels.clone()
    swapped[here], swapped[there] = pixels[there], pixels[here]
    outputs = [trace.model(one[None]).detach().numpy() for one in (pixels, swapped)]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-4)
    with_positions = trace_with()
    outputs = [with_positions.model(one[None]).detach().numpy() for one in (pixels, swapped)]
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-3


def test_a_stem_reads_more_than_a_patch():
    (asked,) = [one for one in sequence_questions(explained("stem"), 0) if one.name == "positions"]
    assert_mentions(asked.text, "feature vectors")


# ---------------------------------------------------------------- query, key and value; the output of a head


@pytest.mark.parametrize("kind", ["relative", "mean", "differential", "distilled"])
@pytest.mark.parametrize("of_patch", [True, False])
def test_the_query_of_one_and_the_key_of_the_other(kind, of_patch):
    trace = kinds.trace_of(kind)
    query = trace.prefix + PATCH if of_patch else 0
    asked = question(trace, "vectors", query)
    weights = trace.attention(1, 1)[query]
    ranked = [int(token) for token in np.argsort(-np.abs(weights)) if token != query]
    one, two = token_label(trace, query), token_label(trace, ranked[1])
    words = asked.right.answer
    assert words.index("query") < words.index(one) < words.index("key") < words.index(two)
    scores = np.atleast_1d(trace.scores(1, 1)[..., query, ranked[1]])
    assert_mentions(
        asked.right.explanation, *(decimal(float(score)) for score in scores), percent(float(weights[ranked[1]]))
    )
    reverse = next(o for o in asked.options if not o.right and "query" in o.answer and "key" in o.answer)
    assert reverse.answer.index(two) < reverse.answer.index("key") < reverse.answer.index(one)


@pytest.mark.parametrize("kind", ["relative", "mean", "differential"])
def test_a_head_returns_a_weighted_sum(kind):
    trace = kinds.trace_of(kind)
    query = trace.prefix + PATCH
    asked = question(trace, "output", query)
    weights = trace.attention(1, 1, query)
    top = int(np.abs(weights).argmax())
    assert_mentions(asked.right.answer, trace.config.head_dim)
    assert_mentions(asked.right.explanation, token_label(trace, top), percent(float(weights[top])))


def test_one_head_is_not_called_all_heads():
    trace = trace_with(num_heads=1, head_dim=24)
    asked = [one for one in attention_questions(trace, 1, 0, 3) if one.name == "output"]
    assert "all 1" not in said(asked[0])
    assert "one head" not in said(asked[0])
    several = [one for one in attention_questions(trace_with(), 1, 0, 3) if one.name == "output"]
    assert "one head" in said(several[0])
