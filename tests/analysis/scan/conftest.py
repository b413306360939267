"""Images and a model that is quick to scan them."""

import pytest

import vitviz
from tests.support.scans import COUNT, NOT_AN_IMAGE
from tests.support.taught_images import image


@pytest.fixture(scope="module")
def digits():
    return vitviz.load("digits")


@pytest.fixture
def photos(tmp_path):
    """Folder with images of two classes of the model, and files that are no images at positions 2 and 9."""
    folder = tmp_path / "photos"
    for i in range(COUNT):
        path = folder / "47"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(i % 2, i))
    for name in ("4/4.png", "4/18.png"):
        (folder / name).write_bytes(NOT_AN_IMAGE)
    return folder
