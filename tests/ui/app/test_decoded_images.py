"""Decoded images: a photo is not decoded again while somebody holds it, or for a small picture."""

import pytest

from vitviz.ui.app import cache, decoded_images, state


@pytest.fixture
def decodes(monkeypatch):
    """List with one entry for each time that a file was decoded."""
    cache.clear()
    found, read = [], decoded_images.read_image
    monkeypatch.setattr(decoded_images, "read_image", lambda data: found.append(len(data)) or read(data))
    yield found
    cache.clear()


def test_an_image_that_is_held_is_not_decoded_again(decodes):
    data = state.samples()["cat"]
    held = decoded_images.decoded("digest", data)
    cache.clear()
    assert decoded_images.decoded("digest", data) is held
    cache.clear()
    del held
    decoded_images.decoded("digest", data)
    assert len(decodes) == 2


def test_a_small_picture_is_made_from_the_large_one(decodes):
    picked = state.Picked("cat", state.samples()["cat"], sample=True)
    choice = state.Choice(picked, "dinov2-small", 224, "crop")
    state.picture(choice)
    for key in [key for key in cache.shared._results if key[1] == "_decode"]:
        cache.shared._drop(key)
    assert state.picture(choice, 420)
    assert len(decodes) == 1
