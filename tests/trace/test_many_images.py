"""A stream of images: each trace is that of its image alone, in order, with bounded memory and threads that end."""

import gc
import itertools
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.facts import mentions
from tests.support.random_models import CONFIGS, trace_of
from tests.trace.test_batches import assert_alike, close, noise, pictures
from vitviz import ArgumentError, EditError, HookError, ImageError, VisionTransformer, edit, trace_batch
from vitviz.images import prepare, read_image
from vitviz.model.edits import HeadAblation
from vitviz.trace.ahead import map_ahead
from vitviz.trace.trace import Trace


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("vitviz-ahead")]


@pytest.fixture(autouse=True)
def no_thread_remains():
    yield
    assert not threads()


@pytest.fixture
def passes(monkeypatch):
    """Number of images of each forward pass."""
    forward, counts = VisionTransformer.forward, []
    monkeypatch.setattr(VisionTransformer, "forward", lambda self, x: counts.append(len(x)) or forward(self, x))
    return counts


@pytest.mark.parametrize("kind", CONFIGS)
def test_each_trace_is_that_of_its_image_alone_for_every_kind_of_model(kind):
    model, images, record = trace_of(kind).model, noise(5), ["blocks.*.resid_post", "norm"]
    traces = list(trace_batch(model, images, record=record, batch_size=2))
    assert len(traces) == 5
    for one, image in zip(traces, images, strict=True):
        assert_alike(one, model.trace(image, record=record))


def test_mixed_sizes_fits_and_kinds_of_sources_keep_their_order(small, photo, passes):
    random = np.random.default_rng(0)
    sizes = [(64, 64), (64, 66), (128, 32), (32, 128), (64, 64), (90, 60)]
    images = [Image.fromarray(random.integers(0, 255, (*size, 3), dtype=np.uint8)) for size in sizes]
    prepared = prepare(read_image(images[0]), 16, 8)
    data = photo.read_bytes()
    sources = [*images, photo, str(photo), data, prepared, torch.randn(3, 24, 16), bytearray(data)]
    for fit, size in itertools.product(("native", "crop", "pad", "squash", None), (32, (16, 24), None)):
        traces = list(trace_batch(small, iter(sources), size=size, fit=fit, batch_size=3))
        for one, source in zip(traces, sources, strict=True):
            source = bytes(source) if isinstance(source, bytearray) else source
            assert_alike(one, small.trace(source, size=size, fit=fit))
    passes.clear()
    list(trace_batch(small, images, size=32, fit="native"))
    assert passes == [2, 1, 1, 1, 1]  # consecutive images of one grid


def test_a_pass_holds_at_most_batch_size_images(small, passes):
    list(trace_batch(small, noise(7), batch_size=3))
    assert passes == [3, 3, 1]


def test_no_images(small):
    assert list(trace_batch(small, [])) == []
    assert list(trace_batch(small, iter(()))) == []


def test_edits_and_edit_blocks(small):
    images, edits = noise(3), [HeadAblation(1, 2)]
    for one, image in zip(trace_batch(small, images, edits=edits, batch_size=2), images, strict=True):
        assert_alike(one, small.trace(image, edits=edits))
    with edit({"blocks.1.mlp.out": lambda x: x / 2}):
        traces = list(trace_batch(small, images))
        assert all(one.edited for one in traces)
        assert_alike(traces[2], small.trace(images[2]))


def test_a_broken_image_raises_at_its_place_and_is_named(small, tmp_path):
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8 not an image")
    sources = [*pictures(3), tmp_path / "torn.jpg", *pictures(1)]
    traces = trace_batch(small, sources, size=32, batch_size=2)
    for image in sources[:3]:
        assert_alike(next(traces), small.trace(image, size=32))
    with pytest.raises(ImageError, match=mentions("3", "torn.jpg")) as caught:
        next(traces)
    assert caught.value.index == 3
    assert next(traces, None) is None
    assert not threads()


def test_broken_images_can_be_left_out(small, tmp_path):
    broken = [tmp_path / "missing.png", b"", torch.zeros(3, 32), 7, torch.full((3, 32, 48), torch.nan)]
    sources = [broken[0], *noise(1), *broken[1:], *noise(3)]
    results = list(trace_batch(small, sources, batch_size=2, return_errors=True))
    assert len(results) == len(sources)
    for i, (one, source) in enumerate(zip(results, sources, strict=True)):
        if any(source is other for other in broken):
            assert isinstance(one, ImageError)
            assert one.index == i
        else:
            assert_alike(one, small.trace(source))


def test_a_generator_that_raises_does_so_after_the_images_that_it_gave(small):
    def images():
        yield from noise(3)
        raise OSError("the disk is gone")

    traces = trace_batch(small, images(), batch_size=2)
    seen = [next(traces) for _ in range(3)]
    assert_alike(seen[2], small.trace(noise(3)[2]))
    with pytest.raises(OSError, match="the disk is gone"):
        next(traces)


def test_an_endless_stream_is_read_a_few_batches_ahead_only(small):
    count = 0

    def images():
        nonlocal count
        for image in itertools.cycle(noise(1)):
            count += 1
            yield image

    traces = trace_batch(small, images(), batch_size=4)
    assert count == 0  # nothing is read before the first trace is asked for
    for done in range(1, 40):
        next(traces)
        assert count <= done + 4 * 4
    traces.close()
    assert not threads()


def test_traces_that_are_not_kept_are_freed(small):
    traces = trace_batch(small, itertools.cycle(noise(1)), batch_size=4, record="*")
    for _ in range(40):
        next(traces)
    gc.collect()
    traced = [one for one in gc.get_objects() if isinstance(one, Trace) and one.model is small]
    assert len([one for one in traced if "norm" in one._recorded]) <= 4
    traces.close()


@pytest.mark.parametrize("end", ["close", "delete", "raise", "break"])
def test_an_iterator_that_ends_early_stops_its_threads(small, end):
    traces = trace_batch(small, itertools.cycle(pictures(2)), size=32, batch_size=2)
    next(traces)
    assert threads()
    if end == "close":
        traces.close()
    if end == "raise":
        with pytest.raises(GeneratorExit):
            traces.throw(GeneratorExit)
    if end == "break":
        for _ in traces:
            break
    del traces
    gc.collect()
    assert not threads()


def test_a_pass_that_fails_stops_the_threads(small):
    with pytest.raises(HookError, match="nothing"):
        list(trace_batch(small, noise(9), record="nothing", batch_size=2))
    with pytest.raises(EditError, match="9"):
        list(trace_batch(small, noise(9), edits=[HeadAblation(0, 9)], batch_size=2))
    assert not threads()


def test_a_tensor_that_is_reused_for_the_next_frame_is_copied_first(small):
    def frames():
        frame = torch.zeros(3, 32, 48)
        for image in noise(6):
            yield frame.copy_(image)

    for one, image in zip(trace_batch(small, frames(), batch_size=2), noise(6), strict=True):
        assert_alike(one, small.trace(image))


def test_one_file_that_was_opened_but_not_read_may_come_many_times(small, photo):
    opened = Image.open(photo)
    alone = small.trace(photo, size=32)
    for one in trace_batch(small, [opened] * 20, size=32, batch_size=4, workers=4):
        assert_alike(one, alone)


def test_streams_in_several_threads_and_nested(small):
    expected = [small.trace(image).output for image in noise(6)]
    wrong = []

    def look():
        for one, output in zip(trace_batch(small, noise(6), batch_size=2), expected, strict=True):
            if not close(one.output, output):
                wrong.append(output)

    running = [threading.Thread(target=look) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not wrong
    outer, inner = trace_batch(small, noise(6), batch_size=2), trace_batch(small, noise(6)[::-1], batch_size=3)
    for (one, other), i in zip(zip(outer, inner, strict=True), range(6), strict=True):
        assert close(one.output, expected[i])
        assert close(other.output, expected[5 - i])


def test_the_callers_grad_mode_is_not_changed_between_traces(small):
    traces = trace_batch(small, noise(4), batch_size=2)
    with torch.inference_mode():
        for one in traces:
            assert torch.is_inference_mode_enabled()
            assert not one._queries[0].is_inference()
    for _ in trace_batch(small, noise(2)):
        assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("images", "asked", "error", "message"),
    [
        ("cat.jpg", {}, ArgumentError, "images"),
        (b"abc", {}, ArgumentError, "images"),
        (Image.new("RGB", (8, 8)), {}, ArgumentError, "images"),
        ([], {"batch_size": 0}, ArgumentError, "batch_size"),
        ([], {"workers": 0}, ArgumentError, "workers"),
        ([], {"size": 33}, ImageError, "33"),
        ([], {"fit": "stretch"}, ImageError, "stretch"),
        ([], {"record": 5}, ArgumentError, "record"),
        ([], {"edits": ["h1.1"]}, ArgumentError, "edits"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_read(small, images, asked, error, message):
    with pytest.raises(error, match=message):
        trace_batch(small, images, **asked)


def test_results_come_in_order_whichever_is_done_first():
    events = [threading.Event() for _ in range(4)]

    def wait(i):
        if i + 1 < len(events):
            assert events[i + 1].wait(10)
        events[i].set()
        return i

    assert [one.result() for one in map_ahead(wait, range(4), workers=4, ahead=4)] == [0, 1, 2, 3]
