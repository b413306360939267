"""Resize, crop or pad an image to the input of a model, and normalise its pixels."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..errors.arguments import array, is_number, is_whole, one_of, shown
from .geometry import Geometry, Prepared, box
from .limits import MAX_PIXELS
from .reading import SafeImage

FITS = ("crop", "squash", "pad", "native")
Size = int | tuple[int, int]  # side of a square, or height and width, in pixels

_FAR = 10_000.0  # means and deviations beyond it, or below its inverse, are no preprocessing of pixels
_MOST_CHANNELS = 10_000
_MODES = {1: "L", 3: "RGB"}  # Pillow's, by number of channels


def _of_channels(values: object, name: str, low: float) -> tuple[float, ...]:
    """Check the numbers of `mean` or `std`, one for each channel, and return them as a tuple."""
    given = values.tolist() if isinstance(values, np.ndarray) else values
    numbers = given if isinstance(given, tuple | list) else ()
    if not 0 < len(numbers) <= _MOST_CHANNELS or not all(is_number(one) and low <= one <= _FAR for one in numbers):
        said = ", ".join(map(shown, numbers[:3])) if numbers else shown(values)
        raise ImageError(
            f"The {name} of a preprocessing is a number for each channel, from {low:g} to {_FAR:g}, for pixel values "
            f"from 0 to 1; this is {said}."
        )
    return tuple(map(float, numbers))


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing that a model was trained with, by default ImageNet's. Raises ImageError for impossible values."""

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # per channel, for pixel values from 0 to 1; one for a grey model
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"  # or bilinear, nearest, lanczos, box, hamming, as in Pillow
    crop_fraction: float = 1.0  # timm's crop_pct, 0.1 to 2: how much of the resized photo's shorter side a crop keeps
    fit: str = "crop"  # how photos that are not square were made to fit when the model was trained, one of FITS
    # Where a centre crop starts if half of what is cut off is not a whole number: "round" as torchvision's CenterCrop,
    # which timm uses, int(round(rest / 2)); "floor" as center_crop of transformers' image_transforms.py, rest // 2.
    centre: Literal["round", "floor"] = "round"
    # Default input size in pixels, the side of a square or (height, width); None: see `trace.inputs.default_size`.
    size: Size | None = None

    def __post_init__(self) -> None:
        mean, std = _of_channels(self.mean, "mean", -_FAR), _of_channels(self.std, "std", 1 / _FAR)
        if len(mean) != len(std):
            raise ImageError(f"{len(mean)} means and {len(std)} deviations; give one of each for a channel.")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)
        name = self.interpolation.lower() if isinstance(self.interpolation, str) else self.interpolation
        one_of(name, [name.lower() for name in Image.Resampling.__members__], "interpolation", ImageError)
        if not is_number(self.crop_fraction) or not 0.1 <= float(self.crop_fraction) <= 2:
            raise ImageError(f"A crop fraction of {shown(self.crop_fraction)} is not possible; give one from 0.1 to 2.")
        object.__setattr__(self, "crop_fraction", float(self.crop_fraction))
        one_of(self.fit, FITS, "fit", ImageError)
        one_of(self.centre, ("round", "floor"), "centre", ImageError)
        if self.size is not None:
            check_size(self.size, 1)
            object.__setattr__(self, "size", tuple(self.size) if isinstance(self.size, list) else self.size)

    def for_channels(self, channels: int) -> "Preprocessing":
        """Adapt mean and std to a model with this number of input channels.

        A single value is used for all channels, as in timm's `resolve_data_config`. Three values are averaged for a
        model with another number of channels: timm sums the weights of the three channels for a model with one.

        Raises:
            ImageError: if there are neither one, nor three, nor `channels` values.
        """
        if not is_whole(channels) or not 1 <= channels <= _MOST_CHANNELS:
            raise ImageError(
                f"A number of channels is a whole number from 1 to {_MOST_CHANNELS}; this is {shown(channels)}."
            )
        if len(self.mean) == channels:
            return self
        if len(self.mean) not in (1, 3):
            raise ImageError(f"There are {len(self.mean)} means for {channels} channels; give one for each.")
        mean, std = (sum(values) / len(values) for values in (self.mean, self.std))
        return replace(self, mean=(mean,) * channels, std=(std,) * channels)


IMAGENET = Preprocessing()


def check_size(size: Size, patch: int) -> tuple[int, int]:
    """Check that an input size is made of whole patches, and return (height, width).

    Raises:
        ImageError: if a side is not a positive multiple of `patch`, or there are more pixels than an image may have.
    """
    if not is_whole(patch) or patch < 1:
        raise ImageError(f"The side of a patch is a whole number of at least 1, in pixels; this is {shown(patch)}.")
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(is_whole(side) and side > 0 for side in sides):
        raise ImageError(
            f"A size of {_said(size)} does not hold whole patches of {patch} pixels; use a multiple of {patch}, or two "
            "of them as (height, width)."
        )
    if any(side % patch for side in sides):
        raise ImageError(
            f"A size of {_said(size)} does not hold whole patches of {patch} pixels; use a multiple of {patch}"
            f"{' for each side' if isinstance(size, tuple | list) else ''}."
        )
    if int(sides[0]) * int(sides[1]) > MAX_PIXELS:
        raise ImageError(
            f"A size of {_said(size)} is more than {MAX_PIXELS // 1_000_000} megapixels; use a smaller one."
        )
    return int(sides[0]), int(sides[1])


def _said(size: object) -> str:
    return " x ".join(map(shown, size)) if isinstance(size, tuple | list) and len(size) == 2 else shown(size)


def prepare(
    image: SafeImage, size: Size, patch: int, fit: str = "crop", preprocessing: Preprocessing = IMAGENET
) -> Prepared:
    """Resize, crop or pad an image to the size of a model's input.

    Args:
        image: what `read_image` returned.
        size: side of the model's input in pixels, or its height and width; positive multiples of `patch`.
        patch: side of a patch in pixels.
        fit: treatment of an image with another aspect ratio.
            "crop": the shorter side is resized to that of the input divided by `crop_fraction` (for an input that is
            not square, the image is resized to cover it), and the centre is cropped. This is timm's evaluation
            transform, pixel for pixel, with a black border for the few models of timm whose crop fraction is above 1.
            "squash": both sides are resized to those of the input. If the model was trained in this way
            (`preprocessing.fit`), they are resized to those divided by `crop_fraction`, and the centre is cropped.
            "pad": the image is resized to fit inside of the input (divided by `crop_fraction` if the model was trained
            in this way), and the rest is filled with the mean colour, which is zero after normalisation, up to
            rounding.
            "native": the aspect ratio is kept, rounded to whole patches, with about as many patches as `size` has.
        preprocessing: the model's mean colour, interpolation and crop fraction. If the mean is a single value, the
            image is converted to greyscale (Pillow's mode "L").

    Raises:
        ImageError: if `fit` is unknown, `size` is not made of whole patches, or the model's input has neither one nor
            three channels.
    """
    if not isinstance(image, SafeImage) or not isinstance(image.rgb, Image.Image):
        raise ImageError(f"An image is prepared from what read_image returns; this is {shown(image)}.")
    _check_preprocessing(preprocessing)
    one_of(fit, FITS, "fit", ImageError)
    height, width = check_size(size, patch)
    channels = len(preprocessing.mean)
    if channels not in _MODES:
        raise ImageError(
            f"The model's input has {channels} channels, which no photo has; give a normalised float tensor "
            f"[{channels}, H, W]."
        )
    photo = image.rgb.convert(_MODES[channels])
    resized = _resized(photo.size, (width, height), patch, fit, preprocessing)
    model = resized if fit == "native" else (width, height)
    (x, *across), (y, *down) = (
        _placed(*sides, preprocessing.centre) for sides in zip(photo.size, resized, model, strict=True)
    )
    colour = tuple(round(255 * value) if fit == "pad" else 0 for value in preprocessing.mean)
    canvas = Image.new(photo.mode, model, colour if channels > 1 else colour[0])
    canvas.paste(photo.resize(resized, Image.Resampling[preprocessing.interpolation.upper()]), (x, y))
    pixels = np.array(canvas).reshape(*model[::-1], channels)
    pixels.flags.writeable = False
    return Prepared(pixels, Geometry(photo.size, model, patch, *map(box, across, down)), image.notes)


def normalise(pixels: np.ndarray, preprocessing: Preprocessing = IMAGENET) -> np.ndarray:
    """Normalise pixels, uint8 [H, W, C], to the input of the model, float32 [C, H, W]: (pixel / 255 - mean) / std.

    Raises:
        ImageError: if they are not numbers [H, W, C], or their number of channels is not that of the preprocessing.
    """
    _check_preprocessing(preprocessing)
    pixels = array(pixels, "H, W, C", "Pixels", error=ImageError)
    if len(preprocessing.mean) not in (1, pixels.shape[2]):
        raise ImageError(
            f"The pixels have {pixels.shape[2]} channels and the preprocessing has {len(preprocessing.mean)}; give one "
            "for these channels."
        )
    mean, std = (np.float32(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    channels = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)  # [H, W, C] -> [C, H, W]
    return (channels / np.float32(255) - mean) / std


def _check_preprocessing(preprocessing: object) -> None:
    if not isinstance(preprocessing, Preprocessing):
        raise ImageError(f"A preprocessing is a Preprocessing of vitviz.images; this is {shown(preprocessing)}.")


def _resized(
    original: tuple[int, int], room: tuple[int, int], patch: int, fit: str, preprocessing: Preprocessing
) -> tuple[int, int]:
    """Width and height that the whole image is resized to, for an input of this width and height."""
    if fit == "native":
        patches, stretch = math.sqrt(math.prod(room)) / patch, math.sqrt(original[0] / original[1])
        return tuple(max(1, round(count)) * patch for count in (patches * stretch, patches / stretch))
    transformers = preprocessing.centre == "floor"
    whole = round if transformers else math.floor  # transformers names the side before the crop, timm the fraction
    before_crop = tuple(max(1, whole(side / preprocessing.crop_fraction)) for side in room)
    if fit != "crop":
        before_crop = before_crop if preprocessing.fit == fit else room
        return before_crop if fit == "squash" else _in_proportion(original, before_crop, max)
    if before_crop[0] != before_crop[1] and not transformers:
        return _in_proportion(original, before_crop, min)
    short = min(before_crop)
    long = int(short * max(original) / min(original))  # as torchvision's Resize and transformers' for a shortest edge
    return (short, long) if original[0] <= original[1] else (long, short)


def _in_proportion(original: tuple[int, int], room: tuple[int, int], tightest: Callable) -> tuple[int, int]:
    """Size of the image that covers a box (min) or fits inside of it (max), as timm's ResizeKeepRatio."""
    ratio = tightest(side / limit for side, limit in zip(original, room, strict=True))
    return tuple(max(1, round(side / ratio)) for side in original)


def _placed(original: int, resized: int, room: int, centre: str) -> tuple[int, tuple[float, float], tuple[int, int]]:
    """Centre one side: return its offset (see `Preprocessing.centre`) and its spans in the original and the input."""
    rest = resized - room
    offset = -(rest // 2) if centre == "floor" else -round(rest / 2) if rest > 0 else -rest // 2
    start, end = max(offset, 0), min(offset + resized, room)
    return offset, tuple((edge - offset) * original / resized for edge in (start, end)), (start, end)
