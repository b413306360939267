"""vitviz.viz.picture: parts of an image removed by cropping, compared with hand-computed pixels."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from vitviz.images import Geometry, Prepared, SafeImage, prepare
from vitviz.ui.app.state import thumbnail
from vitviz.viz.picture import original_with_crop, sharp_picture

RED = (200, 0, 40)
GREYED = (153, 83, 97)  # 0.35 x red + 0.65 x 128


def drawn(size, source, longest=720) -> np.ndarray:
    """Draw a red image of which the model receives a rectangle."""
    geometry = Geometry(size, (8, 8), 4, source, (0, 0, 8, 8))
    prepared = Prepared(np.zeros((8, 8, 3), np.uint8), geometry)
    return np.asarray(original_with_crop(SafeImage(Image.new("RGB", size, RED)), prepared, longest))


def test_four_by_four_pixels_lose_a_column_on_each_side():
    image = drawn((4, 4), (1, 0, 3, 4))
    assert (image[:, 1:3] == RED).all(), "what is seen stays as it is"
    assert (image[:, [0, 3]] == 255).all(), "the white line lies outside of it"


def test_a_line_of_white_and_one_of_black_surround_what_is_seen():
    image = drawn((10, 4), (3, 0, 7, 4))
    row = [tuple(pixel) for pixel in image[2].tolist()]
    black, white = (0, 0, 0), (255, 255, 255)
    assert row == [GREYED, black, white, RED, RED, RED, RED, white, black, GREYED]
    assert (image == image[2]).all()


def test_nothing_is_drawn_where_nothing_was_removed():
    assert (drawn((6, 4), (0, 0, 6, 4)) == RED).all()


def test_large_photos_become_smaller_and_small_ones_stay():
    image = drawn((2000, 1000), (500, 0, 1500, 1000), longest=200)
    assert image.shape == (100, 200, 3)
    assert (image[:, 50:150] == RED).all()
    assert (image[:, [0, 40, 160, 199]] == GREYED).all()


def test_a_real_crop_is_the_middle_square():
    photo = SafeImage(Image.new("RGB", (60, 40), RED))
    image = np.asarray(original_with_crop(photo, prepare(photo, 32, 8)))
    assert image.shape == (40, 60, 3)
    assert (image[:, 10:50] == RED).all()
    assert (image[:, :8] == GREYED).all()


def photo(width: int, height: int) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("size", [(1600, 1200), (900, 1500), (90, 120)])
def test_large_photos_that_are_first_reduced_look_the_same(size):
    image = photo(*size)
    middle = ImageOps.fit(image, (240, 240))
    shown = Image.open(io.BytesIO(thumbnail(SafeImage(image))))
    assert shown.size == (240, 240)
    assert np.abs(np.asarray(shown, float) - np.asarray(middle, float)).mean() < 2, "JPEG changes it as well"
    prepared = prepare(SafeImage(image), 64, 8)
    whole = image.resize((300, 300), Image.Resampling.LANCZOS, prepared.geometry.source)
    seen = sharp_picture(SafeImage(image), prepared, 300)
    assert np.abs(np.asarray(seen, float) - np.asarray(whole, float)).mean() < 1
