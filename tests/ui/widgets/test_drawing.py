"""HTML figures of the lesson pages: scales that are shared, the running sum, and the residual stream."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from vitviz.ui.widgets import drawing
from vitviz.ui.widgets.strips import strip

VECTOR = np.array([1.0, -0.5, 0.25])


def images(html: str) -> list[np.ndarray]:
    """All images of a figure, as arrays of numbers."""
    found = re.findall(r"data:image/png;base64,([\w+/=]+)", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB")).astype(int) for one in found]


def alts(html: str) -> list[str]:
    return re.findall(r'alt="([^"]*)"', html)


def test_compared_strips_have_one_scale():
    rows = [("a", VECTOR, "large"), ("b", VECTOR / 100, "small")]
    large, small = images(drawing.strips(rows, together=True))
    grey = np.asarray(strip(np.zeros(1)).convert("RGB")).astype(int)[0, 0]
    assert np.abs(small - grey).max() < 6 < np.abs(large - grey).max()
    alone = images(drawing.strips(rows))
    assert np.array_equal(*alone)
    assert drawing.strips(rows, together=True).count("±1.000") == 1
    assert drawing.strips(rows).count("±0.010") == 2  # in the alternative text and below the strip


@pytest.mark.parametrize("signed", [False, True])
def test_a_map_does_not_brighten_as_its_weights_flatten(signed):
    sharp = np.array([[0.7, 0.1], [0.1, 0.1]])
    flat, largest = np.full((2, 2), 0.25), float(sharp.max())
    first, second = images(drawing.maps([("sharp", sharp), ("flat", flat)], signed=signed, largest=largest))
    same = images(drawing.maps([("sharp", sharp)], signed=signed))
    assert np.array_equal(first, same[0])
    quarter = images(drawing.maps([("", np.array([[0.7, 0.25]]))], signed=signed))[0][0, 1]
    assert (second == quarter).all()


def test_values_above_the_largest_are_stated():
    sharper = drawing.maps([("sharper", np.array([[0.9, 0.1]]))], largest=0.5)
    assert alts(sharper) == ["sharper, 0 to 50.0 % and above"]
    assert alts(drawing.maps([("flatter", np.array([[0.1, 0.1]]))], largest=0.5)) == ["flatter, 0 to 50.0 %"]


def test_the_running_sum_ends_at_the_sum():
    terms = [("a", VECTOR, 0.5 * VECTOR), ("b", -VECTOR, -0.1 * VECTOR), ("rest", 0.2 * VECTOR, 0.2 * VECTOR)]
    terms[2] = ("rest", terms[2][2], terms[2][2])  # without a weight
    html = drawing.running_sum(terms, "Add up")
    drawn = images(html)
    assert len(drawn) == 3 + 2 + 3  # weighted vectors, vectors that have a weight, and sums
    total = np.asarray(strip(0.6 * VECTOR, largest=0.6).convert("RGB")).astype(int)
    assert np.array_equal(drawn[-1], total)
    assert np.array_equal(drawn[0], np.asarray(strip(0.5 * VECTOR, largest=0.6).convert("RGB")).astype(int))
    assert "<script" not in html
    assert "prefers-reduced-motion: no-preference" in drawing.STYLE


def test_every_row_of_the_stream_has_its_description():
    html = drawing.stream([("input", VECTOR, "at <first>"), ("layer 1", 2 * VECTOR, "then")], 2.0, "stream of x")
    assert html.count('tabindex="0"') == 1
    assert 'aria-label="stream of x"' in html
    assert "at &lt;first&gt;" in html
    first, second = images(html)
    assert np.array_equal(second, np.asarray(strip(2 * VECTOR, largest=2.0).convert("RGB")).astype(int))
    assert not np.array_equal(first, second)
