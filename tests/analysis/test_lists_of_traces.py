"""Functions of one trace or image, given a list: the results for each, in order."""

import numpy as np
import pytest
import torch

from tests.trace.test_batches import close, noise, pictures
from vitviz import ArgumentError, ImageError, VisionTransformer, explain, lens, tokens
from vitviz.analysis.attribution import METHODS


@pytest.fixture(scope="module")
def traces(small):
    """Traces of two grids."""
    return [
        *small.trace_batch(noise(2)),
        small.trace(torch.randn(3, 24, 16, generator=torch.Generator().manual_seed(1))),
    ]


def test_lens_and_tokens_of_traces_with_different_grids(small, traces):
    for one, of_list in zip(traces, lens(traces), strict=True):
        assert np.array_equal(of_list.outputs, lens(one).outputs)
    for one, of_list in zip(traces, tokens.stream(tuple(traces)), strict=True):
        assert np.array_equal(of_list, tokens.stream(one))
    for one, of_list in zip(traces, tokens.outliers(traces, -1, times=1.0, num_stds=1.0), strict=True):
        assert of_list.tokens == tokens.outliers(one, 2, 1.0, 1.0).tokens
    assert lens([]) == tokens.stream([]) == tokens.outliers([], 0) == []


def test_other_things_in_a_list_are_refused(traces):
    for function in (lens, tokens.stream):
        with pytest.raises(ArgumentError, match="trace"):
            function([traces[0], 3])
    with pytest.raises(IndexError, match="layer"):
        tokens.outliers(traces, 9)


@pytest.mark.parametrize("method", METHODS)
def test_explanations_of_images_are_those_of_each_alone(method, small, traces):
    images = pictures(3)
    given = {"method": method, "target": 2, "size": 32}
    for one, image in zip(explain(small, images, **given), images, strict=True):
        assert close(one.map, explain(small, image, **given).map)
    mixed = [traces[2], *images[:1], traces[0]]
    assert [one.map.shape for one in explain(small, mixed, **given)] == [(3, 2), (4, 4), (4, 6)]


def test_images_share_passes_where_no_gradients_are_needed(small, monkeypatch):
    forward, passes = VisionTransformer.forward, []
    monkeypatch.setattr(VisionTransformer, "forward", lambda self, x: passes.append(len(x)) or forward(self, x))
    explain(small, noise(4), method="rollout")
    assert passes == [4]


def test_a_broken_image_among_several_is_named(small):
    with pytest.raises(ImageError, match="1"):
        explain(small, [*pictures(1), b""], method="rollout", size=32)
