"""Inputs that are not square, models with one channel, and centre crops as in transformers."""

import math
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform

import vitviz
from tests.support.facts import mentions
from tests.support.image_files import assert_one_sentence, noise, safe
from vitviz import ImageError
from vitviz.errors import ModelError
from vitviz.images import Geometry, Preprocessing, normalise, prepare
from vitviz.trace.inputs import default_size
from vitviz.viz.picture import sharp_picture
from vitviz.zoo.convert.preprocessing import from_hugging_face, from_timm_config

PHOTOS = [(640, 480), (480, 640), (400, 400), (384, 192), (97, 61), (60, 300), (300, 60)]  # width, height
SIZES = [(96, 192), (192, 96), (96, 96), (32, 160)]  # height, width
MODES = {"center": "crop", "squash": "squash", "border": "pad"}  # timm's crop_mode, our fit

# --- As timm ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("crop_pct", [1.0, 0.875, 1.15])
@pytest.mark.parametrize("size", SIZES)
def test_every_fit_is_timms_for_every_shape_of_input(mode, crop_pct, size):
    config = {"input_size": (3, *size), "crop_pct": crop_pct, "crop_mode": mode, "interpolation": "bicubic"}
    ours = from_timm_config(config)
    theirs = create_transform(**config, mean=ours.mean, std=ours.std)
    for photo in PHOTOS:
        image = noise(*photo)
        prepared = prepare(safe(image), size, 16, MODES[mode], ours)
        assert np.array_equal(normalise(prepared.pixels, ours), theirs(image).numpy()), photo
        assert prepared.geometry.model == size[::-1]
        assert prepared.geometry.grid == (size[0] // 16, size[1] // 16)


@pytest.mark.parametrize("image_size", [(96, 192), (192, 96), (64, 64)])
def test_a_photo_is_seen_on_the_trained_grid(image_size):
    torch.manual_seed(0)
    theirs = timm.create_model("vit_tiny_patch16_224", img_size=image_size, num_classes=5, depth=1).eval()
    ours = vitviz.from_timm(theirs)
    image = noise(301, 200)
    timms = create_transform(**timm.data.resolve_data_config({"input_size": (3, *image_size)}, model=theirs))
    with torch.no_grad():
        expected = theirs(timms(image)[None])[0].numpy()
    trace = ours.trace(image)
    assert trace.grid == (image_size[0] // 16, image_size[1] // 16)
    assert trace.output == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert np.array_equal(ours.trace(image, size=image_size).output, trace.output)


def test_positions_reach_other_shapes_as_timms_do():
    torch.manual_seed(0)
    theirs = timm.create_model("vit_tiny_patch16_224", img_size=(96, 192), depth=1, num_classes=5).eval()
    ours = vitviz.from_timm(theirs)
    theirs.set_input_size((64, 160))
    pixels = torch.randn(1, 3, 64, 160)
    with torch.no_grad():
        assert torch.allclose(ours(pixels), theirs(pixels), atol=1e-5)


# --- Sizes -----------------------------------------------------------------------------------------------------------


def test_where_patches_of_an_input_that_is_not_square_lie():
    # 640 x 480 covers 192 x 96 as 192 x 144, cut from 24: 10/3 original pixels to a pixel
    geometry = prepare(safe(Image.new("RGB", (640, 480))), (96, 192), 16, "crop").geometry
    assert geometry.grid == (6, 12)
    assert geometry.patch_box(0, 0) == pytest.approx((0, 80, 160 / 3, 80 + 160 / 3))
    assert geometry.patch_box(-1, -1) == pytest.approx((640 - 160 / 3, 400 - 160 / 3, 640, 400))
    # 640 x 480 fits into 192 x 96 as 128 x 96, from 32 to 160: 5 original pixels to a pixel
    geometry = prepare(safe(Image.new("RGB", (640, 480))), (96, 192), 16, "pad").geometry
    assert geometry.content == (32, 0, 160, 96)
    assert geometry.patch_box(0, 1) is None
    assert geometry.patch_box(1, 2) == pytest.approx((0, 80, 80, 160))
    geometry = prepare(safe(Image.new("RGB", (640, 480))), (96, 192), 16, "squash").geometry
    assert geometry.patch_box(5, 11) == pytest.approx((640 * 11 / 12, 400, 640, 480))


def test_native_has_about_as_many_patches_as_were_asked_for():
    for width in range(100, 2001, 95):
        geometry = prepare(safe(Image.new("RGB", (width, 400))), (112, 448), 14, "native").geometry
        assert abs(math.prod(geometry.grid) - 256) <= 16


def test_a_pair_of_equal_sides_is_a_square():
    image = safe(noise(90, 70))
    pairs = [(64, 64), [64, 64], (np.int64(64), np.int32(64))]
    assert {prepare(image, size, 16).pixels.tobytes() for size in (64, *pairs)} == {
        prepare(image, 64, 16).pixels.tobytes()
    }


@pytest.mark.parametrize("size", [(96, 100), (0, 96), (-96, 96), (96,), (96, 96, 96), (), (96.0, 96), ("96", 96), None])
def test_sizes_that_are_none(size):
    with pytest.raises(ImageError) as caught:
        prepare(safe(noise(32, 32)), size, 16)
    assert_one_sentence(str(caught.value))


# --- As transformers -------------------------------------------------------------------------------------------------


def by_hand(image, shortest, crop):
    """Resize and crop as transformers' image_transforms.py; crop is (height, width)."""
    width, height = image.size
    short, long = (width, height) if width <= height else (height, width)
    across, down = (
        (shortest, int(shortest * long / short)) if width <= height else (int(shortest * long / short), shortest)
    )
    pixels = np.asarray(image.resize((across, down), Image.Resampling.BICUBIC))
    top, left = (down - crop[0]) // 2, (across - crop[1]) // 2
    if top >= 0 and left >= 0:
        return pixels[top : top + crop[0], left : left + crop[1]]
    room = max(crop[0], down), max(crop[1], across)
    canvas = np.zeros((*room, 3), np.uint8)
    above, before = math.ceil((room[0] - down) / 2), math.ceil((room[1] - across) / 2)
    canvas[above : above + down, before : before + across] = pixels
    top, left = top + above, left + before
    return canvas[max(0, top) : top + crop[0], max(0, left) : left + crop[1]]


@pytest.mark.parametrize("photo", [(640, 360), (360, 640), (641, 360), (360, 643), (400, 400), (255, 254)])
@pytest.mark.parametrize(
    ("shortest", "crop"),
    [*((side, (224, 224)) for side in (256, 257, 224, 235, 192, 191)), (256, (96, 192)), (101, (64, 128))],
)
def test_a_centre_crop_starts_where_transformers_starts(photo, shortest, crop):
    said = {
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "resample": 3,
        "do_center_crop": True,
        "size": {"shortest_edge": shortest},
        "crop_size": {"height": crop[0], "width": crop[1]},
    }
    image, ours = noise(*photo), from_hugging_face(said)
    assert np.array_equal(prepare(safe(image), crop, 16, ours.fit, ours).pixels, by_hand(image, shortest, crop))


@pytest.mark.parametrize(
    ("size", "crop", "fraction", "fit"),
    [
        (224, None, 1.0, "squash"),
        ([96, 192], None, 1.0, "squash"),
        ({"height": 256, "width": 256}, 224, 224 / 256, "squash"),
        ({"height": 128, "width": 256}, {"height": 64, "width": 128}, 0.5, "squash"),
        ({"shortest_edge": 256}, 224, 224 / 256, "crop"),
        ({"shortest_edge": 256}, None, 1.0, "crop"),
    ],
)
def test_every_way_to_write_sizes(size, crop, fraction, fit):
    said = {"size": size, "do_center_crop": True} | ({} if crop is None else {"crop_size": crop})
    ours = from_hugging_face(said)
    assert (ours.crop_fraction, ours.fit, ours.centre) == (fraction, fit, "floor")


def test_squares_are_squashed_to_the_side_that_is_written_down():
    """Check DeiT's preprocessing: resize to 256 x 256 and crop the centre."""
    for whole in range(225, 300):
        ours = from_hugging_face({"size": whole, "do_center_crop": True, "crop_size": 224})
        geometry = prepare(safe(noise(300, 200)), 224, 16, "squash", ours).geometry
        assert geometry.source[2] - geometry.source[0] == pytest.approx(300 * 224 / whole)


def test_another_shape_cut_out_of_a_squashed_image_is_refused():
    said = {"size": {"height": 256, "width": 256}, "crop_size": {"height": 96, "width": 192}, "do_center_crop": True}
    with pytest.raises(ModelError):
        from_hugging_face(said)


def test_one_number_holds_for_all_channels():
    ours = from_hugging_face({"image_mean": 0.4, "image_std": 0.2})
    assert (ours.mean, ours.std) == ((0.4,) * 3, (0.2,) * 3)


# --- One channel, and others -----------------------------------------------------------------------------------------


def model_with(channels, **changes):
    torch.manual_seed(0)
    shape = {"img_size": 32, "depth": 1, "num_classes": 5, "in_chans": channels}
    return vitviz.from_timm(timm.create_model("vit_tiny_patch16_224", **(shape | changes)))


@pytest.mark.parametrize("fit", ["crop", "squash", "pad", "native"])
def test_a_grey_model_sees_luminance(fit):
    model, image = model_with(1), noise(60, 40)
    trace = model.trace(image, fit=fit)
    assert trace.output.shape == (5,)
    assert trace.pixels().shape[0] == 1
    grey = model.trace(image.convert("L"), fit=fit)
    assert np.array_equal(trace.image.pixels, grey.image.pixels)
    picture = trace.image.picture()
    assert picture.mode == "RGB"
    left, top, right, bottom = trace.image.geometry.content
    assert np.array_equal(
        np.asarray(picture.convert("L"))[top:bottom, left:right], trace.image.pixels[top:bottom, left:right, 0]
    )


def test_the_picture_shows_no_colour_that_the_model_does_not_see():
    grey = prepare(safe(noise(60, 40)), 32, 16, "pad", Preprocessing((0.5,), (0.25,)))
    picture = np.asarray(sharp_picture(safe(noise(60, 40)), grey))
    assert np.ptp(picture, axis=2).max() == 0
    assert (
        np.ptp(np.asarray(sharp_picture(safe(noise(60, 40)), prepare(safe(noise(60, 40)), 32, 16))), axis=2).max() > 0
    )


def test_luminance_is_resized_as_luminance():
    seen = prepare(safe(noise(60, 40)), 32, 16, "squash", Preprocessing((0.5,), (0.25,)))
    expected = noise(60, 40).convert("L").resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(seen.pixels[..., 0], np.asarray(expected))
    assert normalise(seen.pixels, Preprocessing((0.5,), (0.25,)))[0, 0, 0] == pytest.approx(
        (int(seen.pixels[0, 0, 0]) / 255 - 0.5) / 0.25
    )


def test_one_mean_of_three_for_one_channel_and_one_for_all():
    ours = model_with(1).preprocessing
    assert (ours.mean, ours.std) == (pytest.approx((0.5,)), pytest.approx((0.5,)))
    model = model_with(1)
    model.preprocessing = replace(ours, mean=(0.2, 0.3, 0.7), std=(0.1, 0.2, 0.6))
    assert (model.preprocessing.mean, model.preprocessing.std) == (pytest.approx((0.4,)), pytest.approx((0.3,)))
    assert Preprocessing((0.1,), (0.3,)).for_channels(3).mean == (0.1,) * 3
    model = model_with(3)
    with pytest.raises(ModelError):
        model.preprocessing = Preprocessing((0.1, 0.2), (0.3, 0.4))


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_photos_are_not_for_other_numbers_of_channels_but_tensors_are(channels):
    model = model_with(channels)
    with pytest.raises(ImageError, match=mentions(channels)) as caught:
        model.trace(noise(60, 40))
    assert_one_sentence(str(caught.value))
    assert model.trace(torch.zeros(channels, 32, 32)).output.shape == (5,)


def test_an_image_prepared_in_colour_is_not_for_a_grey_model():
    with pytest.raises(ImageError, match=mentions(3)):
        model_with(1).trace(prepare(safe(noise(60, 40)), 32, 16))


@pytest.mark.parametrize("method", ["gradient_attention", "integrated_gradients", "occlusion"])
def test_grey_models_of_any_shape_are_explained(method):
    model = model_with(1, img_size=(32, 64))
    assert vitviz.explain(model, noise(60, 40), method=method).map.shape == (2, 4)
    assert default_size(model.config) == (32, 64)


def test_a_geometry_counts_rows_down_and_columns_across():
    assert Geometry((640, 480), (192, 96), 16, (0, 0, 640, 480), (0, 0, 192, 96)).grid == (6, 12)
