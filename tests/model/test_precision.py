"""Results are float32 on the CPU, independent of global settings; other models are refused in one sentence."""

import contextlib

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support.checkpoints import SHAPE, randomised, saved
from tests.support.image_files import assert_one_sentence, noise
from tests.support.random_models import CONFIGS, trace_of
from vitviz import ImageError, ModelError
from vitviz.analysis.attribution import METHODS


@contextlib.contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


AROUND = {
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default device": lambda: torch.device("meta"),
    "default dtype": default_dtype,
}


@pytest.fixture(scope="module")
def theirs():
    return randomised(TimmViT(**SHAPE)).eval()


@pytest.fixture(scope="module")
def ours(theirs):
    return vitviz.from_timm(theirs)


IMAGE = noise(80, 64)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("method", METHODS)
def test_a_model_made_there_can_be_explained_anywhere(around, method, theirs, ours):
    expected = vitviz.explain(ours, IMAGE, method=method).map
    with AROUND[around]():
        made = vitviz.from_timm(theirs)
        inside = vitviz.explain(made, IMAGE, method=method).map
    assert np.allclose(inside, expected, rtol=1e-5, atol=1e-6)
    assert np.allclose(vitviz.explain(made, IMAGE, method=method).map, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("around", AROUND)
def test_a_checkpoint_loaded_there_can_be_explained_anywhere(around, theirs, ours, tmp_path):
    path = saved(tmp_path / "best.safetensors", theirs.state_dict())
    with AROUND[around]():
        made, shipped = vitviz.load(path), vitviz.load("digits")
    assert np.allclose(vitviz.explain(made, IMAGE).map, vitviz.explain(ours, IMAGE).map, atol=1e-6)
    assert vitviz.explain(shipped, IMAGE).map.size


@pytest.mark.parametrize("around", AROUND)
def test_a_trace_made_there_is_the_same_everywhere(around, ours):
    names = ["blocks.0.resid_post", "norm"]
    expected = ours.trace(IMAGE)
    with AROUND[around]():
        trace = ours.trace(IMAGE)
        inside = [trace.output, trace.attention(1), trace.scores(1, head=2), *trace.activations(*names).values()]
    outside = [trace.output, trace.attention(1), trace.scores(1, head=2), *trace.activations(*names).values()]
    wanted = [expected.output, expected.attention(1), expected.scores(1, 2), *expected.activations(*names).values()]
    for found in (inside, outside):
        assert all(array.dtype == np.float32 for array in found)
        assert all(np.allclose(array, other, rtol=1e-5, atol=1e-6) for array, other in zip(found, wanted, strict=True))
    assert np.allclose(vitviz.explain(ours, trace).map, vitviz.explain(ours, expected).map, atol=1e-6)


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("around", ["autocast", "inference_mode", "default dtype"])
def test_every_kind_of_attention_is_as_exact_there(kind, around):
    known = trace_of(kind)
    pixels, last = torch.tensor(known.pixels()), known.layers - 1
    with AROUND[around]():
        trace = known.model.trace(pixels)
        found = trace.attention(last)
    assert np.allclose(found, known.attention(last), atol=1e-6)
    if known.config.pooling == "attention":
        assert np.allclose(trace.attention("pool"), known.attention("pool"), atol=1e-6)


@pytest.mark.parametrize(
    ("move", "advice"),
    [
        (lambda model: setattr(model.blocks[1], "mlp", model.blocks[1].mlp.half()), "float()"),
        (lambda model: model.to("meta"), "load it again"),
    ],
)
def test_a_model_without_weights_of_one_kind_is_refused_with_the_way_back(move, advice, theirs):
    model = vitviz.from_timm(theirs)
    trace = model.trace(IMAGE)
    before = trace.output
    move(model)
    for ask in (
        lambda: model.trace(IMAGE),
        lambda: vitviz.explain(model, IMAGE),
        lambda: vitviz.explain(model, trace),
        lambda: trace.activation("norm"),
    ):
        with pytest.raises(ModelError) as caught:
            ask()
        assert advice in str(caught.value)
        assert_one_sentence(str(caught.value))
    if advice == "float()":
        model.float()
        assert np.allclose(model.trace(IMAGE).output, before, rtol=0.05, atol=0.05 * np.abs(before).max())


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_model_is_refused(theirs):
    ao = pytest.importorskip("torch.ao.quantization")
    model = vitviz.from_timm(theirs)
    trace = model.trace(IMAGE)
    quantised = ao.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    for ask in (lambda: quantised.trace(IMAGE), lambda: vitviz.explain(quantised, trace)):
        with pytest.raises(ModelError, match="quantised") as caught:
            ask()
        assert_one_sentence(str(caught.value))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn])
@pytest.mark.parametrize("place", ["blocks.0.attn.qkv.weight", "pos_embed", "norm.bias"])
def test_weights_that_are_not_in_floating_point_are_refused(place, dtype):
    for kind in (torch.nn.Buffer, lambda tensor: torch.nn.Parameter(tensor, requires_grad=False)):
        theirs = randomised(TimmViT(**SHAPE)).eval()
        where, _, name = place.rpartition(".")
        module = theirs.get_submodule(where)
        tensor = getattr(module, name).detach().to(dtype)
        delattr(module, name)
        setattr(module, name, kind(tensor))
        with pytest.raises(ModelError, match=place) as caught:
            vitviz.from_timm(theirs)
        assert_one_sentence(str(caught.value))


def test_a_model_changed_in_inference_mode_is_refused(theirs):
    model = vitviz.from_timm(theirs)
    with torch.inference_mode():
        model.double().float()
    with pytest.raises(ModelError) as caught:
        vitviz.explain(model, IMAGE)
    assert_one_sentence(str(caught.value))


# --- Tensors ---------------------------------------------------------------------------------------------------------


def normalised():
    return torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(5))


def made_in_inference_mode():
    with torch.inference_mode():
        return normalised().clone()


TENSORS = {
    "float64": lambda: normalised().double(),
    "gradients": lambda: normalised().requires_grad_(),
    "part of a graph": lambda: normalised().requires_grad_() * 1,
    "inference": made_in_inference_mode,
    "not contiguous": lambda: normalised().transpose(1, 2).contiguous().transpose(1, 2),
    "a parameter": lambda: torch.nn.Parameter(normalised()),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_any_floating_tensor_is_the_same_image(kind, ours):
    trace = ours.trace(TENSORS[kind]())
    assert np.array_equal(trace.output, ours.trace(normalised()).output)
    assert vitviz.explain(ours, trace).map.shape == trace.grid


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(3, 64, 64, dtype=torch.uint8),
        torch.zeros(3, 64, 64, dtype=torch.int64),
        torch.zeros(3, 64, 64, dtype=torch.bool),
        torch.zeros(3, 64, 64, dtype=torch.complex64),
        torch.zeros(1, 3, 64, 64),
        torch.zeros(64, 64),
        torch.zeros(()),
        torch.full((3, 64, 64), torch.nan),
        torch.full((3, 64, 64), torch.inf),
        torch.full((3, 64, 64), 1e300, dtype=torch.float64),
        torch.zeros(3, 64, 65),
        torch.zeros(1, 64, 64),
        torch.zeros(3, 0, 64),
        torch.zeros(3, 64, 64, device="meta"),
        torch.zeros(3, 64, 64).to_sparse(),
    ],
    ids=lambda tensor: f"{tensor.dtype} {list(tensor.shape)} {tensor.device} {tensor.layout}",
)
def test_tensors_that_are_no_image(tensor, ours):
    with pytest.raises((ImageError, ModelError)) as caught:
        ours.trace(tensor)
    assert_one_sentence(str(caught.value))
