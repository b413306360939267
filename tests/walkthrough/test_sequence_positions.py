"""Positions of the sequence, by hand and as the models compute them."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import vitviz
from tests.support.explained_traces import ALL, explained
from tests.support.random_models import trace_of
from vitviz import ModelError
from vitviz.walkthrough import sequence as seq

ROTARY = [kind for kind in ALL if "rotary" in kind]


def test_similar_positions_on_paper(paper):
    half = 0.5**0.5
    assert seq.position_similarity(paper.model, (2, 2), 1) == pytest.approx([0, 1, 0, half, -1])
    assert seq.position_similarity(paper.model, (2, 2), 0) == pytest.approx([0] * 5)  # zero vectors have similarity 0
    maps = seq.all_position_similarities(paper.model, (2, 2))
    assert maps.shape == (4, 2, 2)
    assert maps[0] == pytest.approx(np.array([[1, 0], [half, -1]]))


@pytest.mark.parametrize("grid", [(16, 16), (5, 7)])
def test_similar_positions(model, grid):
    maps = seq.all_position_similarities(model, grid)
    assert maps.shape == (grid[0] * grid[1], *grid)
    assert np.diag(maps.reshape(len(maps), -1)) == pytest.approx(1)
    learned = model.positions(*grid)[0]
    expected = F.cosine_similarity(learned[9][None], learned).numpy()
    assert seq.position_similarity(model, grid, 9) == pytest.approx(expected, abs=1e-5)
    assert maps[8].ravel() == pytest.approx(expected[1:], abs=1e-5)


def test_no_positions_of_that_kind(paper):
    for ask in (seq.rotary_angles, lambda model, grid: seq.rotary_similarity(model, grid, 0)):
        with pytest.raises(ModelError, match="RoPE"):
            ask(paper.model, (2, 2))
    with pytest.raises(ModelError, match="relative"):
        seq.relative_bias(paper.model, (2, 2), 0)
    rotary = explained("rotary and registers").model
    for ask in (
        lambda: seq.position_similarity(rotary, (3, 4), 0),
        lambda: seq.all_position_similarities(rotary, (3, 4)),
    ):
        with pytest.raises(ModelError, match="position embedding"):
            ask()


def test_rotary_angles_on_paper():
    config = vitviz.ViTConfig(
        embed_dim=4, num_heads=1, head_dim=4, rope=vitviz.model.config.RoPE(), position_embedding=False
    )
    model = vitviz.VisionTransformer(config)
    model.rope.freqs.data = torch.tensor(
        [[[[1.0, 0.0], [0.0, 0.5]]]]
    )  # pair 0 rotates with the row, pair 1 half as fast
    angles = seq.rotary_angles(model, (2, 2))
    assert angles.tolist() == [[0, 0], [0, 0.5], [1, 0], [1, 0.5]]
    expected = np.array([[1, (1 + math.cos(0.5)) / 2], [(1 + math.cos(1)) / 2, (math.cos(1) + math.cos(0.5)) / 2]])
    assert seq.rotary_similarity(model, (2, 2), 0) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ROTARY)
def test_rotary_angles_are_the_models(kind):
    model, grid = explained(kind).model, (3, 5)
    for layer, head in ((0, 0), (1, 2)):
        angles = seq.rotary_angles(model, grid, layer, head)
        cosine, sine = (
            part[min(head, len(part) - 1), model.config.num_prefix_tokens :, ::2]
            for part in model.rotations(grid)[layer]
        )
        assert np.cos(angles) == pytest.approx(cosine.numpy(), abs=1e-5)
        assert np.sin(angles) == pytest.approx(sine.numpy(), abs=1e-5)
    similar = seq.rotary_similarity(model, grid, 7)
    assert similar.shape == grid
    assert similar[1, 2] == pytest.approx(1)
    for place in ((2, 0, 0), (0, 3, 0), (0, 0, 15)):
        with pytest.raises(IndexError):
            seq.rotary_similarity(model, grid, layer=place[0], head=place[1], patch=place[2])


def test_each_layer_and_head_can_have_rotations_of_its_own():
    model = explained("rotary of each layer").model
    assert not np.allclose(seq.rotary_angles(model, (3, 4), 0, 0), seq.rotary_angles(model, (3, 4), 1, 0))
    assert not np.allclose(seq.rotary_angles(model, (3, 4), 0, 0), seq.rotary_angles(model, (3, 4), 0, 1))


@pytest.mark.parametrize("kind", ["relative", "small and relative"])
def test_relative_biases_are_the_models_and_depend_on_the_direction(kind):
    model = explained("relative").model if kind == "relative" else trace_of("relative").model
    grid, head = (3, 4), 1
    for token in (0, 6):
        bias = seq.relative_bias(model, grid, token, layer=1, head=head)
        expected = model.blocks[1].attn.bias(grid)[head, token, 1:]
        assert bias.tolist() == expected.reshape(grid).tolist()
    right, left = seq.relative_bias(model, grid, 6)[1, 2], seq.relative_bias(model, grid, 7)[1, 1]
    same = seq.relative_bias(model, grid, 5)[1, 1]
    assert right == pytest.approx(same), "one patch to the right, from two patches of a row"
    assert right != pytest.approx(left, abs=1e-3)
    for place in ((13, 0, 0), (0, model.config.depth, 0), (0, 0, model.config.num_heads)):
        with pytest.raises(IndexError):
            seq.relative_bias(model, grid, *place)
