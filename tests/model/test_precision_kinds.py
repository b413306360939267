"""Models in other precisions and on other devices: the same numbers, within bounds that `docs/limits.md` states."""

import copy

import numpy as np
import pytest
import torch

import vitviz
from tests.support import random_models as kinds
from vitviz.analysis.attribution import METHODS
from vitviz.errors import ModelError
from vitviz.model.edits import HeadAblation, KeyMask, PatchAblation, Temperature
from vitviz.model.precision import DTYPES, devices

# largest difference relative to the largest number, of results and of attention weights
BOUNDS = {"float64": 1e-5, "float32": 1e-5, "float16": 0.02, "bfloat16": 0.12}
PLACES = [(device, dtype) for device in devices() for dtype in DTYPES if not (device == "mps" and dtype == "float64")]
KINDS = ("pooled", "differential", "relative", "mean with registers", "distilled", "rotary")
EDITS = (HeadAblation(1, 0), Temperature(0, 1, 2.0), KeyMask(4), PatchAblation(6))


def original(kind):
    return kinds.trace_of(kind)


def placed(kind, device, dtype):
    return copy.deepcopy(original(kind).model).to(device, DTYPES[dtype])


def close(ours, expected, dtype, scale=None):
    ours, expected = np.asarray(ours), np.asarray(expected)
    assert ours.dtype == np.float32
    assert np.abs(ours - expected).max() <= BOUNDS[dtype] * (np.abs(expected).max() if scale is None else scale)


@pytest.mark.parametrize(("device", "dtype"), PLACES)
@pytest.mark.parametrize("kind", KINDS)
class TestPlaces:
    def test_a_trace_is_float32_on_the_cpu(self, kind, device, dtype):
        expected = original(kind)
        trace = placed(kind, device, dtype).trace(expected.model_input, record="blocks.*.resid_post")
        close(trace.output, expected.output, dtype)
        for layer in range(trace.layers):
            close(trace.attention(layer), expected.attention(layer), dtype)
            close(*(one.activation(f"blocks.{layer}.resid_post") for one in (trace, expected)), dtype)
            close(trace.queries(layer), expected.queries(layer), dtype)

    def test_an_edited_trace(self, kind, device, dtype):
        expected = original(kind)
        edits = EDITS
        trace, reference = (
            model.trace(expected.model_input, edits=edits) for model in (placed(kind, device, dtype), expected.model)
        )
        close(trace.output, reference.output, dtype)
        close(trace.attention(1), reference.attention(1), dtype)

    def test_explanations_and_the_lens(self, kind, device, dtype):
        expected = original(kind)
        model = placed(kind, device, dtype)
        trace = model.trace(expected.model_input)
        for method in METHODS:
            if method == "rollout" and kind == "differential":
                continue
            ours, theirs = (vitviz.explain(one.model, one, method=method, target=1) for one in (trace, expected))
            scale = np.abs(theirs.map).max()
            if METHODS[method].slow:  # differences of outputs
                scale = max(scale, np.abs(expected.output).max())
            bound = dtype if BOUNDS[dtype] < 1e-3 else "bfloat16"  # gradients in 16 bits round more often
            close(ours.map, theirs.map, bound, scale)
            again = vitviz.explain(model, expected.model_input, method=method, target=1)  # with the graph of the pass
            close(again.map, ours.map, bound, scale)
        close(vitviz.lens(trace).outputs, vitviz.lens(expected).outputs, dtype)
        outputs = np.abs(expected.output).max()  # the effects are differences of outputs
        close(vitviz.sweep_heads(model, trace, 1), vitviz.sweep_heads(expected.model, expected, 1), dtype, outputs)
        effects = (vitviz.sweep_patches(one.model, one, 1) for one in (trace, expected))
        close(*effects, dtype, outputs)


def test_weights_of_two_kinds_are_refused():
    model = placed("relative", "cpu", "float32")
    model.blocks[0].half()
    with pytest.raises(ModelError, match=r"float16.*float32"):
        model.trace(original("relative").model_input)
    model.to("cpu").float().trace(original("relative").model_input)  # the advice


def test_load_takes_a_device_and_a_dtype():
    model = vitviz.load("digits", device="cpu", dtype="bfloat16")
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("wrong", [{"device": "abacus"}, {"device": "cpu:7"}, {"device": "cuda:99"}, {"dtype": "int8"}])
def test_a_device_or_a_dtype_that_is_not_there_is_named(wrong):
    with pytest.raises(ModelError, match=next(iter(wrong.values()))):
        vitviz.load("digits", **wrong)
