"""Durations of forward passes, as observers receive them."""

import threading

import pytest
import torch

import vitviz
from vitviz.errors import ModelError
from vitviz.model import timing


@pytest.fixture
def passes(monkeypatch):
    """Images and seconds of each pass that is made during a test."""
    monkeypatch.setattr(timing, "_observers", [])
    noted = []
    timing.observe(lambda images, seconds: noted.append((images, seconds)))
    return noted


def pixels(model, images):
    return torch.zeros(images, 3, *model.config.image_size)


def test_a_pass_counts_once_with_its_images(passes, small):
    small(pixels(small, 3))
    small.trace(pixels(small, 1)[0])
    assert [images for images, _ in passes] == [3, 1]
    assert all(seconds > 0 for _, seconds in passes)


def test_a_pass_from_a_later_block_counts(passes, small):
    x = small.embed(pixels(small, 2))
    assert passes == []
    small.forward_from(x, small.config.grid, 1)
    assert [images for images, _ in passes] == [2]


def test_an_interrupted_pass_counts_for_nothing_and_the_next_one_counts(passes, small):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), vitviz.edit({"blocks.0.resid_post": interrupt}):
        small(pixels(small, 1))
    with pytest.raises(ModelError):
        small("no tensor")
    assert passes == []
    small(pixels(small, 1))
    assert len(passes) == 1


def test_passes_of_threads_are_separate(passes, small):
    both = threading.Barrier(2)

    def wait(value):
        both.wait(60)
        return value

    def run():
        with vitviz.edit({"blocks.0.resid_post": wait}):
            small(pixels(small, 1))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(passes) == 2
