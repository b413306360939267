"""vitviz.images.prepare: every method to fit an image to the input, and the mapping back to the original."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests.support.facts import mentions
from tests.support.image_files import (
    BLUE,
    FORMAT_TABLE,
    GREEN,
    RED,
    WHITE,
    assert_close,
    assert_one_sentence,
    corners,
    noise,
    quarters,
    safe,
)
from vitviz.errors import ImageError
from vitviz.images import FITS, IMAGENET, Geometry, Preprocessing, SafeImage, normalise, prepare, read_image

# --- Fitting ---------------------------------------------------------------------------------------------------------


TIMM_TABLE = [  # original, size, crop fraction, interpolation
    ((640, 480), 224, 1.0, "bicubic"),
    ((480, 640), 224, 0.875, "bicubic"),
    ((333, 500), 224, 0.9, "bicubic"),
    ((501, 334), 224, 0.95, "bilinear"),
    ((97, 61), 96, 0.875, "bicubic"),
    ((61, 97), 112, 0.8, "lanczos"),
    ((1000, 51), 224, 0.875, "bicubic"),
    ((51, 1001), 64, 1.0, "nearest"),
    ((224, 224), 224, 1.0, "bicubic"),
    ((256, 255), 224, 0.875, "bicubic"),
    ((257, 640), 256, 0.96, "box"),
    ((640, 481), 448, 1.15, "bicubic"),
    ((300, 301), 224, 1.1, "bicubic"),
    ((311, 600), 112, 1.15, "hamming"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("original", "size", "crop_fraction", "interpolation"), TIMM_TABLE)
def test_crop_is_timms_evaluation_transform(original, size, crop_fraction, interpolation):
    from timm import data as timm_data

    asked = {"input_size": (3, size, size), "crop_pct": crop_fraction, "crop_mode": "center"}
    image = noise(*original)
    ours = Preprocessing(interpolation=interpolation, crop_fraction=crop_fraction)
    prepared = prepare(safe(image), size, 16, "crop", ours)

    timms = timm_data.create_transform(is_training=False, interpolation=interpolation, normalize=False, **asked)
    assert np.array_equal(prepared.pixels, timms(image).permute(1, 2, 0).numpy())

    timms = timm_data.create_transform(is_training=False, interpolation=interpolation, **asked)
    assert np.array_equal(normalise(prepared.pixels, ours), timms(image).numpy())


FIT_TABLE = [  # fit, original, size, patch, model (width, height), grid (rows, cols), content
    ("crop", (640, 480), 224, 16, (224, 224), (14, 14), (0, 0, 224, 224)),
    ("squash", (640, 480), 224, 14, (224, 224), (16, 16), (0, 0, 224, 224)),
    ("pad", (640, 480), 224, 14, (224, 224), (16, 16), (0, 28, 224, 196)),
    ("pad", (480, 640), 224, 14, (224, 224), (16, 16), (28, 0, 196, 224)),
    ("pad", (300, 300), 96, 16, (96, 96), (6, 6), (0, 0, 96, 96)),
    ("pad", (200, 10), 16, 16, (16, 16), (1, 1), (0, 7, 16, 8)),
    ("native", (640, 480), 224, 14, (252, 196), (14, 18), (0, 0, 252, 196)),
    ("native", (480, 640), 224, 14, (196, 252), (18, 14), (0, 0, 196, 252)),
    ("native", (300, 300), 224, 16, (224, 224), (14, 14), (0, 0, 224, 224)),
    ("native", (2000, 100), 224, 16, (1008, 48), (3, 63), (0, 0, 1008, 48)),
    ("native", (10, 200), 16, 16, (16, 64), (4, 1), (0, 0, 16, 64)),
]


@pytest.mark.parametrize(("fit", "original", "size", "patch", "model", "grid", "content"), FIT_TABLE)
def test_shapes_of_the_fits(fit, original, size, patch, model, grid, content):
    prepared = prepare(safe(noise(*original)), size, patch, fit)
    geometry = prepared.geometry
    assert prepared.pixels.shape == (model[1], model[0], 3)
    assert prepared.pixels.dtype == np.uint8
    assert not prepared.pixels.flags.writeable
    assert (geometry.original, geometry.model, geometry.patch) == (original, model, patch)
    assert (geometry.grid, geometry.content) == (grid, content)
    assert geometry.padded == (content != (0, 0, *model))


def test_every_fit_is_tested_and_notes_are_handed_on():
    assert {row[0] for row in FIT_TABLE} == set(FITS)
    assert prepare(SafeImage(noise(32, 32), ("A note.",)), 32, 16).notes == ("A note.",)


def test_native_keeps_the_number_of_tokens_near():
    for width in range(100, 2001, 95):
        rows, cols = prepare(safe(Image.new("RGB", (width, 400))), 224, 14, "native").geometry.grid
        assert abs(rows * cols - 256) <= 16


def test_squash_and_native_show_the_whole_photo():
    for fit in ("squash", "native"):
        pixels = prepare(safe(quarters(300, 100)), 64, 16, fit).pixels
        assert_close(corners(Image.fromarray(pixels)), [RED, GREEN, BLUE, WHITE], 2)


REFUSED_REQUESTS = [
    (224, 14, "stretch", mentions("'stretch'", "crop", "squash", "pad", "native")),
    (225, 14, "crop", mentions(225, 14)),
    (0, 14, "crop", mentions(0)),
    (-224, 14, "pad", mentions(-224)),
    (224.0, 14, "pad", mentions("224.0")),
    ("224", 14, "pad", "'224'"),
    (224, 0, "native", mentions(0)),
]


@pytest.mark.parametrize(("size", "patch", "fit", "sentence"), REFUSED_REQUESTS)
def test_impossible_requests_are_refused(size, patch, fit, sentence):
    with pytest.raises(ImageError, match=sentence) as caught:
        prepare(safe(noise(32, 32)), size, patch, fit)
    assert_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"interpolation": "random"}, mentions("'random'", "nearest")),
        ({"crop_fraction": 0}, mentions("0.1", 2, 0)),
        ({"crop_fraction": float("nan")}, "nan"),
    ],
)
def test_impossible_preprocessing_is_refused(values, sentence):
    with pytest.raises(ImageError, match=sentence) as caught:
        Preprocessing(**values)
    assert_one_sentence(str(caught.value))


def test_numpy_sizes_are_sizes():
    assert prepare(safe(noise(32, 32)), np.int64(32), np.int64(16)).geometry.grid == (2, 2)


# --- Geometry --------------------------------------------------------------------------------------------------------

BOX_TABLE = [  # fit, original, size, patch, crop fraction, (row, col), box computed by hand
    # 640 x 480 -> 298 x 224, cut from 37: 640/298 and 480/224 original pixels to a pixel
    ("crop", (640, 480), 224, 16, 1.0, (0, 0), (37 * 640 / 298, 0, 53 * 640 / 298, 16 * 480 / 224)),
    ("crop", (640, 480), 224, 16, 1.0, (13, 13), (245 * 640 / 298, 208 * 480 / 224, 261 * 640 / 298, 480)),
    # shorter side to 32 / 0.5 = 64: 128 x 64, cut from 48 and 16: half an original pixel to a pixel
    ("crop", (64, 32), 32, 16, 0.5, (0, 0), (24, 8, 32, 16)),
    ("crop", (64, 32), 32, 16, 0.5, (1, 1), (32, 16, 40, 24)),
    # shorter side to 32 / 2 = 16: 30 x 31 -> 16 x 16 (int(16.5)), put from 8 to 24 on a black 32 x 32
    ("crop", (30, 31), 32, 16, 2.0, (0, 0), (0, 0, 15, 15.5)),
    ("crop", (30, 31), 32, 16, 2.0, (1, 1), (15, 15.5, 30, 31)),
    ("squash", (640, 480), 32, 16, 1.0, (0, 1), (320, 0, 640, 240)),
    ("squash", (640, 480), 32, 8, 0.5, (3, 0), (0, 360, 160, 480)),
    # 640 x 320 -> 64 x 32, from 16 to 48: 10 original pixels to a pixel
    ("pad", (640, 320), 64, 16, 1.0, (0, 0), None),
    ("pad", (640, 320), 64, 16, 1.0, (1, 0), (0, 0, 160, 160)),
    ("pad", (640, 320), 64, 16, 1.0, (2, 3), (480, 160, 640, 320)),
    ("pad", (640, 320), 64, 16, 1.0, (3, 3), None),
    # 480 x 640 -> 48 x 64, from 8 to 56: the outer columns are half padding
    ("pad", (480, 640), 64, 16, 1.0, (0, 0), (0, 0, 80, 160)),
    ("pad", (480, 640), 64, 16, 1.0, (3, 3), (400, 480, 480, 640)),
    # 4 x 2 patches' worth in 4 * sqrt(2) = 5.7 by 2.8: 6 x 3 patches
    ("native", (640, 320), 64, 16, 1.0, (0, 0), (0, 0, 640 / 6, 320 / 3)),
    ("native", (640, 320), 64, 16, 1.0, (2, 5), (640 * 5 / 6, 320 * 2 / 3, 640, 320)),
    ("native", (640, 320), 64, 16, 1.0, (-1, -6), (0, 320 * 2 / 3, 640 / 6, 320)),
]


@pytest.mark.parametrize(("fit", "original", "size", "patch", "crop_fraction", "at", "expected"), BOX_TABLE)
def test_patch_boxes_by_hand(fit, original, size, patch, crop_fraction, at, expected):
    preprocessing = Preprocessing(crop_fraction=crop_fraction)
    geometry = prepare(safe(Image.new("RGB", original)), size, patch, fit, preprocessing).geometry
    box = geometry.patch_box(*at)
    assert geometry.is_padding(*at) == (expected is None)
    assert box is None if expected is None else box == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("original", [(640, 480), (333, 517), (100, 900), (224, 224), (61, 60)])
@pytest.mark.parametrize("crop_fraction", [0.875, 1.15])
def test_patch_boxes_tile_the_source(fit, original, crop_fraction):
    preprocessing = Preprocessing(crop_fraction=crop_fraction)
    geometry = prepare(safe(Image.new("RGB", original)), 112, 14, fit, preprocessing).geometry
    rows, cols = geometry.grid
    boxes = [[geometry.patch_box(row, col) for col in range(cols)] for row in range(rows)]
    shown = [[box for box in row if box] for row in boxes if any(row)]

    left, top, right, bottom = geometry.source
    for row in shown:
        assert row[0][0] == pytest.approx(left)
        assert row[-1][2] == pytest.approx(right)
        assert all(a[2] == b[0] and a[1::2] == b[1::2] for a, b in pairwise(row))
    for column_of_boxes in zip(*shown, strict=True):
        assert column_of_boxes[0][1] == pytest.approx(top)
        assert column_of_boxes[-1][3] == pytest.approx(bottom)
        assert all(a[3] == b[1] for a, b in pairwise(column_of_boxes))
    assert all(0 <= value <= original[i % 2] for row in shown for box in row for i, value in enumerate(box))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("original", [(400, 200), (150, 400)])
def test_a_patch_box_shows_what_the_patch_shows(fit, original):
    """Crop each patch from the original, resize it, and compare its colour with the pixels of the input."""
    width, height = original
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    image = Image.fromarray(np.stack([x, y, x * 0], axis=2).round().astype(np.uint8))
    prepared = prepare(safe(image), 64, 16, fit)
    geometry = prepared.geometry
    content_left, content_top, content_right, content_bottom = geometry.content
    for row, col in np.ndindex(geometry.grid):
        box = geometry.patch_box(row, col)
        if box is None:
            continue
        on_original = np.asarray(image.resize((1, 1), Image.Resampling.BOX, box=box))[0, 0]
        rows = slice(max(row * 16, content_top), min(row * 16 + 16, content_bottom))
        cols = slice(max(col * 16, content_left), min(col * 16 + 16, content_right))
        on_model = prepared.pixels[rows, cols].mean(axis=(0, 1))
        assert_close(on_original, on_model, 3)


@pytest.mark.parametrize(
    ("row", "col", "message"),
    [
        (4, 0, mentions("row 4", 4)),
        (-5, 0, mentions("row -5", 4)),
        (0, 6, mentions("column 6", 6)),
        (0, -7, mentions("column -7", 6)),
    ],
)
def test_a_patch_outside_of_the_grid_is_an_index_error(row, col, message):
    geometry = Geometry((96, 64), (96, 64), 16, (0, 0, 96, 64), (0, 0, 96, 64))
    for ask in (geometry.patch_box, geometry.is_padding):
        with pytest.raises(IndexError, match=message):
            ask(row, col)


def test_padding_is_marked_and_hatched():
    mean = (0.2, 0.4, 0.6)
    prepared = prepare(safe(noise(200, 100)), 128, 16, "pad", Preprocessing(mean=mean))
    left, top, right, bottom = prepared.geometry.content
    assert (left, top, right, bottom) == (0, 32, 128, 96)
    outside = np.ones((128, 128), bool)
    outside[top:bottom, left:right] = False

    assert np.all(prepared.pixels[outside] == [51, 102, 153])
    assert prepared.geometry.padding_mask().tolist() == [[True] * 8] * 2 + [[False] * 8] * 4 + [[True] * 8] * 2
    picture = np.asarray(prepared.picture())
    assert np.array_equal(picture[~outside], prepared.pixels[~outside])
    assert np.all((picture != prepared.pixels).any(axis=2) == outside)
    stripes = picture[:top, :, 0]
    assert np.array_equal(stripes[1:, :-1], stripes[:-1, 1:])  # diagonal
    assert np.ptp(stripes) > 50  # clear


def test_padding_is_zero_after_normalisation():
    numbers = normalise(prepare(safe(noise(200, 100)), 128, 16, "pad").pixels)
    assert np.abs(numbers[:, :32]).max() < 0.5 / 255 / 0.224


def test_without_padding_the_picture_is_the_pixels():
    prepared = prepare(safe(noise(200, 100)), 128, 16)
    assert not prepared.geometry.padding_mask().any()
    assert np.array_equal(np.asarray(prepared.picture()), prepared.pixels)


# --- The rest --------------------------------------------------------------------------------------------------------


def test_normalise_by_hand():
    pixels = np.array([[[0, 51, 255], [255, 102, 0]]], np.uint8)  # [1, 2, 3]
    numbers = normalise(pixels, Preprocessing(mean=(0.5, 0.2, 0.0), std=(0.5, 0.1, 2.0)))
    assert numbers.dtype == np.float32
    assert numbers.shape == (3, 1, 2)
    assert numbers.flags.c_contiguous
    assert numbers == pytest.approx(np.array([[[-1, 1]], [[0, 2]], [[0.5, 0]]]), abs=1e-6)


def test_imagenet_is_the_default():
    assert Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bicubic", 1.0) == IMAGENET
    assert normalise(np.zeros((1, 1, 3), np.uint8))[:, 0, 0] == pytest.approx([-2.117904, -2.035714, -1.804444])


def test_threads_agree():
    sources = [data for _, data, _ in FORMAT_TABLE] * 8

    def digest(data):
        prepared = prepare(read_image(data), 32, 16, "pad")
        return zlib.crc32(prepared.pixels.tobytes())

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(digest, sources)) == [digest(data) for data in sources]
