"""vitviz.trace.trace: a frozen record, and attention on demand."""

import gc
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.facts import mentions
from vitviz import ArgumentError, HookError, ImageError, ModelError, ViTConfig, edit
from vitviz.images import normalise, prepare, read_image
from vitviz.trace.inputs import default_size
from vitviz.trace.vision_transformer import VisionTransformer


@pytest.fixture(scope="module")
def noise():
    return torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(8))


def close(a, b):
    """Compare two results of one computation; memory alignment may change the last digits."""
    return np.allclose(a, b, rtol=1e-4, atol=1e-5)


# --- Attention -------------------------------------------------------------------------------------------------------


def test_shapes_and_counts(trace, small_trace):
    for seen, layers, heads, prefix, grid in ((trace, 12, 6, 1, (16, 16)), (small_trace, 3, 3, 3, (4, 6))):
        tokens = prefix + grid[0] * grid[1]
        assert (seen.layers, seen.heads, seen.prefix, seen.grid) == (layers, heads, prefix, grid)
        assert seen.token_count == tokens
        assert seen.attention(layer=1).shape == (heads, tokens, tokens)
        assert seen.attention(layer=1, head=2).shape == (tokens, tokens)
        assert seen.attention(layer=1, query=2).shape == (heads, tokens)
        assert seen.attention(layer=1, head=2, query=2).shape == (tokens,)
        assert seen.heatmap(layer=1).shape == (heads, *grid)
        assert seen.heatmap(layer=1, head=2, query=2).shape == grid
        assert seen.attention(layer=1).dtype == seen.heatmap(layer=1).dtype == np.float32
    assert trace.output.shape == (384,)
    assert small_trace.output.shape == (5,)


def test_rows_are_shares(trace):
    for layer in range(12):
        weights = trace.attention(layer)
        assert weights.min() >= 0
        assert np.abs(weights.sum(axis=-1) - 1).max() < 1e-5


def test_attention_is_what_the_model_weighs_with(small, noise):
    seen = small.trace(noise, record=("blocks.*.attn.weights",))
    for layer in range(3):
        assert seen.attention(layer) == pytest.approx(seen.activation(f"blocks.{layer}.attn.weights"), abs=1e-6)
    assert seen.attention(0).max() > 0.3


def test_rows_heads_and_heatmaps_are_parts_of_the_matrix(trace, small_trace):
    for seen in (trace, small_trace):
        matrix = seen.attention(2)
        for head, query in ((0, 0), (2, 5), (1, seen.token_count - 1)):
            row = matrix[head, query]
            assert seen.attention(2, head) == pytest.approx(matrix[head], abs=1e-5)
            assert seen.attention(2, query=query)[head] == pytest.approx(row, abs=1e-5)
            assert seen.attention(2, head, query) == pytest.approx(row, abs=1e-5)
            patches = row[seen.prefix :].reshape(seen.grid)
            assert seen.heatmap(2, head, query) == pytest.approx(patches, abs=1e-5)
            assert seen.heatmap(2, query=query)[head] == pytest.approx(patches, abs=1e-5)
        assert np.array_equal(seen.heatmap(2, 1), seen.heatmap(2, 1, query=0))


def test_queries_and_keys_make_the_weights(small_trace):
    scores = small_trace.queries(1)[2] @ small_trace.keys(1)[2].T / np.sqrt(8)
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert small_trace.attention(1, 2) == pytest.approx(weights, abs=1e-5)


# --- Indices ---------------------------------------------------------------------------------------------------------


def test_negative_indices_count_from_the_end(small_trace):
    assert np.array_equal(small_trace.attention(-1, -2, -3), small_trace.attention(2, 1, 24))
    assert np.array_equal(small_trace.attention(-3, -3), small_trace.attention(0, 0))
    assert np.array_equal(small_trace.heatmap(-1, -1, -27), small_trace.heatmap(2, 2, 0))
    assert np.array_equal(small_trace.tokens(-2), small_trace.tokens(1))
    assert np.array_equal(small_trace.queries(-1), small_trace.queries(2))
    assert np.array_equal(small_trace.keys(-1), small_trace.keys(2))
    assert (small_trace.token_index(-1), small_trace.head_index(np.int64(-1))) == (26, 2)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda t: t.attention(3), mentions("layer 3", 3, 0, 2)),
        (lambda t: t.attention(-4, 0, 0), mentions("layer -4", 3, 0, 2, -3, -1)),
        (lambda t: t.attention(0, 3), mentions("head 3", 3, 0, 2)),
        (lambda t: t.attention(0, -4, 0), mentions("head -4")),
        (lambda t: t.attention(0, 0, 27), mentions("token 27", 27, 0, 26)),
        (lambda t: t.attention(0, query=-28), mentions("token -28", 27, 0, 26, -27, -1)),
        (lambda t: t.heatmap(0, 0, 27), mentions("token 27")),
        (lambda t: t.heatmap(5), mentions("layer 5")),
        (lambda t: t.tokens(3), mentions("layer 3")),
        (lambda t: t.queries(3), mentions("layer 3")),
        (lambda t: t.keys(-4), mentions("layer -4")),
    ],
)
def test_an_index_out_of_range_is_an_error_that_names_the_range(small_trace, ask, message):
    with pytest.raises(IndexError, match=message):
        ask(small_trace)


def test_only_whole_numbers_are_indices(small_trace):
    with pytest.raises(ArgumentError):
        small_trace.attention(1.0)


# --- Frozen ----------------------------------------------------------------------------------------------------------


def test_a_trace_is_frozen(small, noise):
    seen = small.trace(noise, record=("norm",))
    for field in fields(seen):
        with pytest.raises(FrozenInstanceError):
            setattr(seen, field.name, None)
    for name in ("output", "queries", "keys", "tokens", "activation", "recomputed"):
        array = {
            "output": lambda: seen.output,
            "queries": lambda: seen.queries(0),
            "keys": lambda: seen.keys(0),
            "tokens": lambda: seen.tokens(0),
            "activation": lambda: seen.activation("norm"),
            "recomputed": lambda: seen.activation("logits"),
        }[name]()
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_what_a_caller_does_with_weights_stays_with_the_caller(small_trace):
    before = small_trace.attention(0).copy()
    small_trace.attention(0)[:] = 0
    small_trace.attention(0, 1)[:] = 0
    small_trace.heatmap(0, 1)[:] = 0
    assert np.array_equal(small_trace.attention(0), before)


# --- Sources ---------------------------------------------------------------------------------------------------------


def test_all_sources_of_an_image_agree(model, photo):
    prepared = prepare(read_image(photo), 56, 14)
    sources = [photo, str(photo), photo.read_bytes(), Image.open(photo)]
    traces = [model.trace(source, size=56) for source in sources] + [model.trace(prepared)]
    traces.append(model.trace(torch.from_numpy(normalise(prepared.pixels))))
    for seen in traces:
        assert close(seen.output, traces[0].output)
        assert close(seen.attention(11), traces[0].attention(11))
    assert all(np.array_equal(seen.image.pixels, prepared.pixels) for seen in traces[:-1])
    assert traces[-1].image is None


@pytest.mark.parametrize(
    ("asked", "grid"),
    [
        ({}, (16, 16)),
        ({"size": 56}, (4, 4)),
        ({"size": 112, "fit": "squash"}, (8, 8)),
        ({"size": 112, "fit": "pad"}, (8, 8)),
        ({"size": 112, "fit": "native"}, (6, 11)),
    ],
)
def test_size_and_fit(model, asked, grid):
    wide = Image.linear_gradient("L").resize((400, 200)).convert("RGB")
    seen = model.trace(wide, **asked)
    assert seen.grid == seen.image.geometry.grid == grid
    assert seen.image.pixels.shape == (14 * grid[0], 14 * grid[1], 3)
    assert seen.heatmap(11, 3).shape == grid
    expected = prepare(read_image(wide), asked.get("size", 224), 14, asked.get("fit", "crop"))
    assert np.array_equal(seen.image.pixels, expected.pixels)
    assert close(seen.output, model.trace(expected).output)


def test_a_tensor_is_used_as_it_is(small, noise):
    with torch.no_grad():
        expected = small(noise[None])[0].numpy()
    assert small.trace(noise).output == pytest.approx(expected, abs=1e-5)
    assert small.trace(noise, size=16, fit="pad").output == pytest.approx(expected, abs=1e-5)
    assert small.trace(noise.double()).output == pytest.approx(expected, abs=1e-5)
    assert small.trace(noise.clone().requires_grad_()).output == pytest.approx(expected, abs=1e-5)


def test_a_tensor_is_neither_changed_nor_shared(small, noise):
    given = noise.clone()
    seen = small.trace(given)
    assert torch.equal(given, noise)
    tokens = seen.tokens(1).copy()
    given.zero_()
    assert close(seen.tokens(1), tokens)


def with_value(value):
    tensor = torch.zeros(3, 32, 48)
    tensor[1, 2, 3] = value
    return tensor


@pytest.mark.parametrize(
    ("tensor", "error", "message"),
    [
        (with_value(float("nan")), ImageError, "finite"),
        (with_value(float("inf")), ImageError, "finite"),
        (torch.zeros(3, 32, 48, dtype=torch.uint8), ImageError, r"uint8 \[3, 32, 48\]"),
        (torch.zeros(1, 3, 32, 48), ImageError, r"float32 \[1, 3, 32, 48\]"),
        (torch.zeros(32, 48), ImageError, r"float32 \[32, 48\]"),
        (torch.zeros(1, 32, 48), ModelError, r"\(1, 1, 32, 48\)"),
        (torch.zeros(3, 30, 48), ModelError, mentions(8)),
        (torch.zeros(3, 32, 0), ModelError, mentions(8)),
    ],
)
def test_a_tensor_that_is_no_input_is_refused(small, tensor, error, message):
    with pytest.raises(error, match=message):
        small.trace(tensor)


@pytest.mark.parametrize(
    ("image", "asked", "message"),
    [
        ("there is no such file.jpg", {}, "'there is no such file.jpg'"),
        (b"", {}, "empty"),
        (None, {}, "None"),
        (Image.new("RGB", (20, 20)), {"size": 60}, "60"),
        (Image.new("RGB", (20, 20)), {"fit": "stretch"}, "stretch"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused(small, image, asked, message):
    with pytest.raises(ImageError, match=message):
        small.trace(image, **asked)


# --- What is recorded ------------------------------------------------------------------------------------------------


def test_tokens_are_the_same_recorded_or_computed_again(model, photo):
    recorded = model.trace(photo, size=56, record=("blocks.*.resid_post",))
    plain = model.trace(photo, size=56)
    for layer in range(12):
        assert recorded.tokens(layer).shape == (17, 384)
        assert close(recorded.tokens(layer), plain.tokens(layer))
    with torch.no_grad():
        last = model.norm(torch.from_numpy(plain.tokens(-1).copy()))
    assert plain.output == pytest.approx(last[0].numpy(), abs=1e-5)


def test_recorded_activations_are_not_computed_again(small, noise, monkeypatch):
    seen = small.trace(noise, record="blocks.*.mlp.out")
    expected = small.trace(noise).activation("blocks.2.mlp.out")

    def unexpected(*_):
        raise AssertionError("a forward pass for what was recorded")

    monkeypatch.setattr(VisionTransformer, "forward", unexpected)
    assert seen.activation("blocks.2.mlp.out").shape == (27, 24)
    assert close(seen.activation("blocks.2.mlp.out"), expected)
    with pytest.raises(AssertionError):
        seen.activation("blocks.2.resid_mid")


@pytest.mark.parametrize("name", ["blocks.3.mlp.out", "attention", "blocks.*.nothing"])
def test_an_unknown_name_is_an_error(small, noise, small_trace, name):
    with pytest.raises(HookError, match=name.replace("*", r"\*")):
        small.trace(noise, record=("norm", name))
    with pytest.raises(HookError, match=name.replace("*", r"\*")):
        small_trace.activation(name)


# --- Memory ----------------------------------------------------------------------------------------------------------


def bytes_reachable(trace):
    """Memory of all tensors and arrays that a trace keeps alive, without the model."""
    todo, seen, buffers = [getattr(trace, field.name) for field in fields(trace) if field.name != "model"], set(), {}
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            buffers[item.untyped_storage().data_ptr()] = item.untyped_storage().nbytes()
        elif isinstance(item, np.ndarray):
            base = item
            while isinstance(base.base, np.ndarray):
                base = base.base
            buffers[base.__array_interface__["data"][0]] = base.nbytes
            todo.append(base.base)
        else:
            todo += gc.get_referents(item)
    return sum(buffers.values())


def test_a_trace_keeps_no_attention_matrix(large_trace):
    assert large_trace.token_count == 1370
    large_trace.attention(11)
    queries_and_keys = 2 * 12 * 1370 * 384 * 4
    assert queries_and_keys <= bytes_reachable(large_trace) <= 52 * 2**20
    assert large_trace.nbytes == pytest.approx(bytes_reachable(large_trace), rel=0.001)


def test_memory_counts_what_was_recorded(small, noise):
    plain, recorded = small.trace(noise), small.trace(noise, record=("norm",))
    plain.tokens(1)  # the computed activation is not stored
    assert recorded.nbytes - plain.nbytes == 27 * 24 * 4
    assert bytes_reachable(recorded) - bytes_reachable(plain) == 27 * 24 * 4


# --- The size when none is asked for ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image_size", "patch", "expected"),
    [
        ((518, 518), 14, 224),
        ((224, 224), 16, 224),
        ((384, 384), 32, 384),
        ((96, 96), 16, 96),
        ((100, 100), 16, 96),  # the patches do not fill the image
        ((512, 512), 15, 225),
        ((32, 48), 8, (32, 48)),
        ((96, 192), 16, (96, 192)),
        ((100, 200), 16, (96, 192)),
        ((512, 1024), 16, (160, 320)),  # 10 x 20 patches: about as many as in 224 x 224
    ],
)
def test_default_size(image_size, patch, expected):
    assert default_size(ViTConfig(image_size=image_size, patch_size=patch)) == expected


def test_what_was_not_recorded_under_an_edit_is_not_invented(model, photo):
    with edit({"blocks.3.attn.z": lambda z: z * 0}):
        edited = model.trace(photo, size=56, record="blocks.3.resid_post")
    plain = model.trace(photo, size=56)
    assert not np.array_equal(edited.tokens(3), plain.tokens(3))
    with pytest.raises(HookError, match="record="):
        edited.tokens(4)


def test_recomputing_is_not_disturbed_by_an_edit_around_it(model, photo):
    plain = model.trace(photo, size=56)
    wanted = plain.tokens(5)
    with edit({"blocks.3.attn.z": lambda z: z * 0}):
        assert np.array_equal(plain.tokens(5), wanted)
        model.trace(photo, size=56)  # the edit applies to this pass


def test_an_image_prepared_for_another_patch_side_is_refused(model, photo):
    prepared = prepare(read_image(photo), size=224, patch=16)
    with pytest.raises(ImageError, match=mentions(16)):
        model.trace(prepared)
