"""Vectors as colours and numbers, by hand."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from vitviz.ui.widgets.strips import number, numbers, strip, strip_html
from vitviz.viz.colour import colour_map


def test_a_number_has_the_colour_of_its_place_between_minus_and_plus_the_largest():
    table = colour_map("relative", signed=True)
    image = np.asarray(strip(np.array([-2, -1, 0, 1, 2.0])))
    assert image.shape == (1, 5, 4)
    assert (image[0, :, :3] == table[[0, 64, 128, 191, 255]]).all()
    assert (image[..., 3] == 255).all()
    assert (np.asarray(strip(np.array([1.0]), largest=2))[0, 0, :3] == table[191]).all()


def test_numbers_without_a_sign_begin_at_the_dark_end():
    image = np.asarray(strip(np.array([0, 1, 2.0]), signed=False))
    assert (image[0, :, :3] == colour_map("relative")[[0, 128, 255]]).all()
    with pytest.raises(ValueError, match="signed=True"):
        strip(np.array([-1.0]), signed=False)


def test_long_vectors_are_broken_into_rows():
    image = np.asarray(strip(np.arange(5.0), per_row=3))
    assert image.shape == (2, 3, 4)
    assert image[1, :, 3].tolist() == [255, 255, 0]


def test_zeros_have_no_colour():
    assert (np.asarray(strip(np.zeros(2)))[0, 0, :3] == colour_map("relative", signed=True)[128]).all()


@pytest.mark.parametrize("broken", [np.zeros((2, 2)), np.zeros(0), np.array([np.nan]), np.array([np.inf, 1])])
def test_only_vectors_of_finite_numbers_are_drawn(broken):
    with pytest.raises(ValueError, match="finite"):
        strip(broken)


def test_a_strip_for_a_page_says_its_scale_and_carries_all_its_numbers():
    fragment = strip_html(np.array([0.5, -1.5]), 'query of "<b>patch</b>"')
    assert "<b>" not in fragment
    assert "2 numbers" in fragment
    assert re.search(r"−1\.5000 to 1\.5000, .*\bblue\b.*\bred\b", fragment)
    picture = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]*)", fragment)[1])))
    assert (np.asarray(picture) == np.asarray(strip(np.array([0.5, -1.5])))).all()
    assert re.search(r"\b0 to 2\.0000, .*\b0\b", strip_html(np.array([1.0, 2.0]), "x", signed=False))


def test_numbers():
    assert numbers(np.array([0.12345, -0.5, 0])) == "[0.1235, −0.5000, 0.0000]"
    assert numbers(np.arange(9.0), count=2, decimals=1) == "[0.0, 1.0, … ]"
    assert number(-0.00001) == "0.0000", "no sign before nothing"
