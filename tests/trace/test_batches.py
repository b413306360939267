"""Several images in one forward pass: the same traces as one by one, each of which stands alone."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.facts import mentions
from tests.support.random_models import CONFIGS, trace_of
from vitviz import ArgumentError, EditError, HookError, ImageError, capture, edit, open_trace
from vitviz.images import prepare, read_image
from vitviz.model.edits import HeadAblation, KeyMask
from vitviz.trace.vision_transformer import VisionTransformer


def noise(count: int, seed: int = 0) -> list[torch.Tensor]:
    return list(torch.randn(count, 3, 32, 48, generator=torch.Generator().manual_seed(seed)))


def pictures(count: int) -> list[Image.Image]:
    random = np.random.default_rng(3)
    return [Image.fromarray(random.integers(0, 255, (60, 90, 3), dtype=np.uint8)) for _ in range(count)]


def close(one, other) -> bool:
    """Compare two results of one computation; the size of a batch may change the last digits."""
    return np.allclose(one, other, rtol=1e-4, atol=1e-4)


def assert_alike(one, other) -> None:
    assert (one.grid, one.edits, one.edited, one.model) == (other.grid, other.edits, other.edited, other.model)
    assert close(one.output, other.output)
    for layer in range(other.layers):
        assert close(one.queries(layer), other.queries(layer))
        assert close(one.keys(layer), other.keys(layer))
        assert close(one.attention(layer), other.attention(layer))
    assert one._recorded.keys() == other._recorded.keys()
    for name in other._recorded:
        assert close(one._recorded[name], other._recorded[name]), name
        assert one._recorded[name].shape == other._recorded[name].shape


@pytest.mark.parametrize("kind", CONFIGS)
def test_each_trace_is_that_of_its_image_alone_for_every_kind_of_model(kind):
    model = trace_of(kind).model
    images, record = noise(3), ("blocks.*.resid_post", "blocks.1.attn.weights", "norm")
    traces = model.trace_batch(images, record=record)
    assert len(traces) == 3
    for one, image in zip(traces, images, strict=True):
        alone = model.trace(image, record=record)
        assert_alike(one, alone)
        assert close(one.activation("blocks.0.mlp.out"), alone.activation("blocks.0.mlp.out"))
        if one.config.pooling == "attention":
            assert close(one.attention("pool"), alone.attention("pool"))
    assert not close(traces[0].output, traces[1].output)


def test_registers_and_the_shipped_model(small, model, photo):
    for one, image in zip(small.trace_batch(noise(2)), noise(2), strict=True):
        assert_alike(one, small.trace(image))
    flower = photo.with_name("flower.jpg")
    for one, image in zip(model.trace_batch([photo, flower], size=56), (photo, flower), strict=True):
        assert_alike(one, model.trace(image, size=56))


def test_sizes_fits_and_kinds_of_sources(small, tmp_path):
    first, second, third = pictures(3)
    second.save(tmp_path / "second.png")
    sources = [first, tmp_path / "second.png", prepare(read_image(third), (16, 24), 8, "pad")]
    traces = small.trace_batch(iter(sources), size=(16, 24), fit="pad")
    for one, image in zip(traces, (first, second, third), strict=True):
        alone = small.trace(image, size=(16, 24), fit="pad")
        assert np.array_equal(one.image.pixels, alone.image.pixels)
        assert one.image.geometry == alone.image.geometry
        assert_alike(one, alone)
    tensor = torch.stack(noise(2))
    for one, image in zip(small.trace_batch(tensor), tensor, strict=True):
        assert one.image is None
        assert np.array_equal(one.pixels(), image.numpy())
        assert_alike(one, small.trace(image))


def test_a_batch_of_one(small):
    (one,) = small.trace_batch(noise(1), record="norm")
    assert_alike(one, small.trace(noise(1)[0], record="norm"))


def test_edits_apply_to_all_images(small):
    edits, images = [HeadAblation(1, 2), KeyMask(5)], noise(3)
    for one, image in zip(small.trace_batch(images, edits=edits, record="norm"), images, strict=True):
        assert_alike(one, small.trace(image, edits=edits, record="norm"))
        assert close(one.rerun().output, small.trace(image).output)


def test_blocks_around_it_see_the_whole_batch(small):
    seen = []

    def halved(x):
        seen.append(x.shape)
        return x / 2

    with edit({"blocks.1.mlp.out": halved}), capture("norm") as captured:
        traces = small.trace_batch(noise(2))
    assert (seen, captured["norm"].shape) == ([(2, 27, 24)], (2, 27, 24))
    assert all(one.edited for one in traces)
    with edit({"blocks.1.mlp.out": lambda x: x / 2}):
        assert_alike(traces[1], small.trace(noise(2)[1]))


def test_one_pass_for_all(small, monkeypatch):
    forward, passes = VisionTransformer.forward, []
    monkeypatch.setattr(VisionTransformer, "forward", lambda self, x: passes.append(len(x)) or forward(self, x))
    small.trace_batch(noise(5), record="blocks.*.mlp.out")
    assert passes == [5]


def test_a_trace_keeps_nothing_of_the_others(small):
    alone = small.trace(noise(1)[0], record="*")
    for one in small.trace_batch(noise(4), record="*"):
        arrays = [one.output, *one._recorded.values()]
        for array in arrays:
            base = array if array.base is None else array.base
            held = base.untyped_storage().nbytes() if isinstance(base, torch.Tensor) else base.nbytes
            assert held == array.nbytes
            assert not array.flags.writeable
        assert one.nbytes == alone.nbytes
        for tensor in (*one._queries, *one._keys):
            assert tensor.untyped_storage().nbytes() == 4 * tensor.numel()


def test_a_saved_trace_of_a_batch_is_read_again(small, tmp_path):
    one = small.trace_batch(noise(3), record="norm")[2]
    one.save(tmp_path / "it.trace")
    assert_alike(open_trace(tmp_path / "it.trace", model=small), one)


@pytest.mark.parametrize(
    ("images", "asked", "error", "message"),
    [
        ([], {}, ArgumentError, "images"),
        ("cat.jpg", {}, ArgumentError, "images"),
        (b"abc", {}, ArgumentError, "images"),
        ([torch.zeros(3, 32, 48), torch.zeros(3, 32, 40)], {}, ImageError, mentions("32 x 48", "32 x 40")),
        ([torch.zeros(3, 32, 48), torch.zeros(1, 32, 48)], {}, ImageError, mentions("3 channels", "1 channels")),
        (
            [Image.new("RGB", (64, 64)), Image.new("RGB", (128, 32))],
            {"size": 32, "fit": "native"},
            ImageError,
            mentions("32 x 32", "16 x 64", "native"),
        ),
        ([Image.new("RGB", (64, 64)), b"not an image"], {}, ImageError, "image"),
        (noise(2), {"record": "nothing"}, HookError, "nothing"),
        (noise(2), {"edits": [HeadAblation(0, 9)]}, EditError, mentions(9)),
    ],
)
def test_images_that_make_no_batch_are_refused(small, images, asked, error, message):
    with pytest.raises(error, match=message):
        small.trace_batch(images, **asked)


def test_threads_with_different_batches_see_what_they_would_see_alone(small):
    expected = {seed: [small.trace(image) for image in noise(3, seed)] for seed in range(6)}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads interrupt each other far more often than by default

    def look(seed: int) -> None:
        for _ in range(5):
            for one, alone in zip(small.trace_batch(noise(3, seed)), expected[seed], strict=True):
                assert_alike(one, alone)

    try:
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(look, expected))
    finally:
        sys.setswitchinterval(interval)
