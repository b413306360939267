"""vitviz.viz.colour: tones, labels of the colour bar, and pixels of overlays."""

import numpy as np
import pytest
from PIL import Image

from tests.support.colour_vision import contrast, deuteranopic_difference, difference
from vitviz.notation.marks import percent
from vitviz.notation.view import SCALES
from vitviz.viz.colour import (
    GREY_LEVEL,
    KEY,
    MIN_OPACITY,
    OPACITY,
    QUERY,
    colour_bar_labels,
    colour_map,
    on_neutral,
    overlay,
    overlay_map,
    paint,
    tone,
)


@pytest.mark.parametrize(
    ("scale", "weights", "tones"),
    [
        ("raw", [[0, 0.25], [0.5, 1]], [[0, 0.25], [0.5, 1]]),
        ("raw", [[0, 1 + 1e-6]], [[0, 1]]),
        ("relative", [[0, 0.1], [0.2, 0.4]], [[0, 0.25], [0.5, 1]]),
        ("relative", [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        # with 4 tokens a uniform row gives 1/4: 1/4 is the middle, 2 x that is a tenth more, 1/32 x it the bottom
        ("uniform", [[1 / 4, 1 / 2], [1 / 8, 1]], [[0.5, 0.6], [0.4, 0.7]]),
        ("uniform", [[0, 1 / 128], [1e-9, 9]], [[0, 0], [0, 1]]),
    ],
)
def test_tones_by_hand(scale, weights, tones):
    assert tone(np.array(weights), scale, tokens=4) == pytest.approx(np.array(tones), abs=1e-6)


def test_the_share_of_a_given_largest_weight():
    assert tone(np.array([0.1, 0.3]), "relative", 2, largest=0.2).tolist() == [0.5, 1]


@pytest.mark.parametrize(
    ("scale", "low", "high"),
    [("relative", "0", "14.2 %"), ("raw", "0", "100 %"), ("uniform", "≤ 1/32 × uniform", "≥ 32 × uniform")],
)
def test_the_ends_of_a_scale_in_words(scale, low, high):
    weights = np.array([0.01, 0.1419, 0.05])
    assert colour_bar_labels(weights, scale) == (low, high)
    at_the_ends = {"relative": [0, 0.1419], "raw": [0, 1], "uniform": [1 / 32 / 257, 32 / 257]}[scale]
    assert tone(np.array(at_the_ends), scale, 257, largest=0.1419) == pytest.approx([0, 1], abs=1e-6)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0 %"),
        (1, "100.0 %"),
        (0.1419, "14.2 %"),
        (0.1, "10.0 %"),
        (0.0999, "9.99 %"),
        (0.0381, "3.81 %"),
        (0.0038, "0.380 %"),
        (0.00038, "0.0380 %"),
        (0.000021, "0.0021 %"),
        (1 / 1370, "0.0730 %"),
    ],
)
def test_percent(share, words):
    assert percent(share) == words


@pytest.mark.parametrize("scale", SCALES)
def test_colour_maps_are_honest(scale):
    colours = colour_map(scale)
    assert (colours.shape, colours.dtype, colours.flags.writeable) == ((256, 3), np.uint8, False)
    light = colours @ np.array([0.2126, 0.7152, 0.0722])
    if scale == "uniform":  # two colours that part at a light middle
        assert 110 <= np.argmax(light) <= 145
        assert np.abs(colours[40].astype(int) - colours[215]).max() > 60
        light = light[:110]
    assert light[-1] - light[0] > 100
    assert np.diff(light[::8]).min() > 0  # lighter is more


@pytest.mark.parametrize("scale", SCALES)
def test_paint_looks_tones_up(scale):
    tones = np.array([[0, 1], [0.5, 0.25]])
    assert np.array_equal(paint(tones, scale), colour_map(scale)[[[0, 255], [128, 64]]])


def test_overlay_by_hand():
    """2 x 3 patches of 2 x 3 pixels on an image of one colour."""
    tones = np.array([[0, 0.5, 1], [1, 0.25, 0]])
    picture = Image.new("RGB", (9, 4), (100, 200, 50))
    heat = paint(tones, "relative").repeat(2, 0).repeat(3, 1)
    seen = (0.2 + 0.8 * np.sqrt(tones)).repeat(2, 0).repeat(3, 1)[..., None]
    assert np.array_equal(np.asarray(overlay(picture, tones, "relative", opacity=0)), np.asarray(picture))
    for opacity in (0.8, 0.3, 1):
        expected = opacity * seen * heat + (1 - opacity * seen) * np.array([100, 200, 50])
        assert np.abs(np.asarray(overlay(picture, tones, "relative", opacity=opacity)) - expected).max() <= 1.5
    assert picture.getpixel((4, 1)) == (100, 200, 50)  # the given picture is not drawn on


@pytest.mark.parametrize(
    ("scale", "signed"), [*((scale, False) for scale in SCALES), ("relative", True), ("raw", True)]
)
def test_the_picture_is_seen_where_nothing_is_said(scale, signed):
    table = overlay_map(scale, signed)
    assert np.array_equal(table[:, :3], colour_map(scale, signed))
    opacity = table[:, 3] / 255
    nothing = 128 if signed else 0
    assert opacity[nothing] == pytest.approx(MIN_OPACITY, abs=0.06)
    assert opacity[255] == 1
    assert np.diff(opacity[nothing:]).min() >= 0
    assert opacity[0] == (1 if signed else pytest.approx(MIN_OPACITY, abs=0.01))


@pytest.mark.parametrize(("scale", "signed"), [*((scale, False) for scale in SCALES), ("relative", True)])
@pytest.mark.parametrize("opacity", [0, 0.5, OPACITY, 1])
def test_the_colour_bar_shows_what_lies_on_a_grey_picture(scale, signed, opacity):
    grey = Image.new("RGB", (256, 1), (GREY_LEVEL,) * 3)
    drawn = np.asarray(overlay(grey, np.linspace(0, 1, 256)[None], scale, opacity, signed))[0].astype(int)
    assert np.abs(drawn - on_neutral(scale, opacity, signed)).max() <= 1


def test_a_smooth_overlay_keeps_the_patches_middles():
    tones = np.random.default_rng(0).random((4, 5))
    picture = Image.new("RGB", (5 * 41, 4 * 41), (30, 160, 90))
    flat, smooth = (np.asarray(overlay(picture, tones, "relative", smooth=on)).astype(int) for on in (False, True))
    assert np.abs(flat - smooth)[20::41, 20::41].max() <= 1
    assert np.abs(np.diff(flat, axis=0)).max() > 3 * np.abs(np.diff(smooth, axis=0)).max()


# --- Weights with signs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "weights", "tones"),
    [
        ("raw", [-1, -0.5, 0, 0.5, 1], [0, 0.25, 0.5, 0.75, 1]),
        ("relative", [-0.2, -0.1, 0, 0.05], [0, 0.25, 0.5, 0.625]),  # the negative one is the largest in size
        ("relative", [0, 0], [0.5, 0.5]),
    ],
)
def test_signed_tones_have_0_in_the_middle(scale, weights, tones):
    assert tone(np.array(weights), scale, tokens=4, signed=True) == pytest.approx(np.array(tones))


@pytest.mark.parametrize(("scale", "words"), [("relative", ("−3.21 %", "3.21 %")), ("raw", ("−100 %", "100 %"))])
def test_signed_ends_are_alike_in_size(scale, words):
    assert colour_bar_labels(np.array([0.01, -0.0321]), scale, signed=True) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(-0.0321, "−3.21 %"), (-1, "−100.0 %"), (-0.000021, "−0.0021 %"), (1e-9, "< 0.0001 %"), (-1e-9, "> −0.0001 %")],
)
def test_negative_percent(share, words):
    assert percent(share) == words


@pytest.mark.parametrize("scale", ["relative", "raw"])
def test_signs_are_told_apart_by_colour(scale):
    colours = colour_map(scale, signed=True).astype(int)
    light = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert 120 <= np.argmax(light) <= 135
    assert np.ptp(colours[[127, 128]], axis=1).max() < 15  # 0 has no colour
    red, _, blue = colours.T
    assert (blue - red)[:64].min() > 60
    assert (red - blue)[192:].min() > 60
    assert np.diff(light[:120:8]).min() > 0 > np.diff(light[136::8]).max()  # darker is more


@pytest.mark.parametrize("role", [QUERY, KEY])
def test_frames_of_query_and_key_have_no_colour_of_a_sign(role):
    """Nobody takes the frame of a patch for the sign of its weight, with or without deuteranopia."""
    for tone_of_sign in (0, 255):
        end = "#{:02x}{:02x}{:02x}".format(*colour_map("relative", signed=True)[tone_of_sign])
        assert difference(role, end) >= 30
        assert deuteranopic_difference(role, end) >= 25
    assert deuteranopic_difference(QUERY, KEY) >= 60
    assert min(contrast(role, paper) for paper in ("#ffffff", "#121016")) >= 3
