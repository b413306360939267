"""Preprocessing of images for a model: resize, crop or pad, and normalise."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..errors.arguments import array, is_number, is_whole, one_of, shown
from .geometry import Geometry, Prepared, box
from .limits import MAX_PIXELS
from .pixels import image_fingerprint
from .reading import SafeImage

FITS = ("crop", "squash", "pad", "native")
Size = int | tuple[int, int]  # side of a square, or height and width, in pixels

_MAX_VALUE = 10_000.0  # plausible limit of means and standard deviations; its inverse is the lower limit of the latter
_MAX_CHANNELS = 10_000
_MODES = {1: "L", 3: "RGB"}  # Pillow modes by number of channels


def _of_channels(values: object, name: str, low: float) -> tuple[float, ...]:
    """Check the values of `mean` or `std`, one for each channel, and return them as a tuple."""
    items = values.tolist() if isinstance(values, np.ndarray) else values
    numbers = items if isinstance(items, tuple | list) else ()
    if not 0 < len(numbers) <= _MAX_CHANNELS or not all(is_number(one) and low <= one <= _MAX_VALUE for one in numbers):
        text = ", ".join(map(shown, numbers[:3])) if numbers else shown(values)
        raise ImageError(
            f"The {name} of a preprocessing must be a number from {low:g} to {_MAX_VALUE:g} for each channel, for "
            f"pixel values from 0 to 1, not {text}."
        )
    return tuple(map(float, numbers))


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing that a model was trained with, by default ImageNet's. Invalid values raise an `ImageError`."""

    mean: tuple[float, ...] = (
        0.485,
        0.456,
        0.406,
    )  # per channel, for pixels from 0 to 1; one value for greyscale
    std: tuple[float, ...] = (0.229, 0.224, 0.225)  # standard deviation, likewise
    interpolation: str = "bicubic"  # or bilinear, nearest, lanczos, box, hamming, as in Pillow
    crop_fraction: float = 1.0  # timm's crop_pct, 0.1 to 2: input side divided by shorter side of the resized image
    fit: str = "crop"  # method to fit images of another aspect ratio in training, one of FITS
    # Rounding of the offset of a centre crop: "round" as in torchvision's CenterCrop, which timm uses,
    # int(round(rest / 2)); "floor" as in center_crop of transformers' image_transforms.py, rest // 2.
    centre: Literal["round", "floor"] = "round"
    # Default input size in pixels, the side of a square or (height, width); None: see `trace.inputs.default_size`.
    size: Size | None = None

    def __post_init__(self) -> None:
        mean, std = _of_channels(self.mean, "mean", -_MAX_VALUE), _of_channels(self.std, "std", 1 / _MAX_VALUE)
        if len(mean) != len(std):
            raise ImageError(f"mean has {len(mean)} values and std has {len(std)}; give one value of each per channel.")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)
        name = self.interpolation.lower() if isinstance(self.interpolation, str) else self.interpolation
        one_of(name, [name.lower() for name in Image.Resampling.__members__], "interpolation", ImageError)
        if not is_number(self.crop_fraction) or not 0.1 <= float(self.crop_fraction) <= 2:
            raise ImageError(f"The crop fraction must be from 0.1 to 2, not {shown(self.crop_fraction)}.")
        object.__setattr__(self, "crop_fraction", float(self.crop_fraction))
        one_of(self.fit, FITS, "fit", ImageError)
        one_of(self.centre, ("round", "floor"), "centre", ImageError)
        if self.size is not None:
            check_size(self.size, 1)
            object.__setattr__(self, "size", tuple(self.size) if isinstance(self.size, list) else self.size)

    @property
    def options(self) -> dict[str, Any]:
        """Values for JSON, by the names of the options of `vitviz.load`."""
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "interpolation": self.interpolation,
            "crop_pct": self.crop_fraction,
            "fit": self.fit,
        }

    def for_channels(self, channels: int) -> "Preprocessing":
        """Adapt mean and std to a model with this number of input channels.

        A single value is used for all channels, as in timm's `resolve_data_config`. Three values are averaged for a
        model with another number of channels: timm sums the weights of the three channels for a model with one.

        Raises:
            ImageError: if there are neither one, nor three, nor `channels` values.
        """
        if not is_whole(channels) or not 1 <= channels <= _MAX_CHANNELS:
            raise ImageError(
                f"The number of channels must be a whole number from 1 to {_MAX_CHANNELS}, not {shown(channels)}."
            )
        if len(self.mean) == channels:
            return self
        if len(self.mean) not in (1, 3):
            raise ImageError(f"There are {len(self.mean)} means for {channels} channels; give one for each channel.")
        mean, std = (sum(values) / len(values) for values in (self.mean, self.std))
        return replace(self, mean=(mean,) * channels, std=(std,) * channels)


IMAGENET = Preprocessing()


def check_size(size: Size, patch: int) -> tuple[int, int]:
    """Check that an input size consists of whole patches, and return (height, width).

    Raises:
        ImageError: if a side is not a positive multiple of `patch`, or there are too many pixels.
    """
    if not is_whole(patch) or patch < 1:
        raise ImageError(f"The patch size must be a whole number of at least 1, in pixels, not {shown(patch)}.")
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(is_whole(side) and side > 0 for side in sides):
        raise ImageError(
            f"A size of {_format_size(size)} does not consist of whole patches of {patch} pixels; use a multiple of "
            f"{patch}, or two of them as (height, width)."
        )
    if any(side % patch for side in sides):
        raise ImageError(
            f"A size of {_format_size(size)} does not consist of whole patches of {patch} pixels; use a multiple of "
            f"{patch}{' for each side' if isinstance(size, tuple | list) else ''}."
        )
    if int(sides[0]) * int(sides[1]) > MAX_PIXELS:
        raise ImageError(
            f"A size of {_format_size(size)} is more than {MAX_PIXELS // 1_000_000} megapixels; use a smaller one."
        )
    return int(sides[0]), int(sides[1])


def _format_size(size: object) -> str:
    return " x ".join(map(shown, size)) if isinstance(size, tuple | list) and len(size) == 2 else shown(size)


def prepare(
    image: SafeImage, size: Size, patch: int, fit: str = "crop", preprocessing: Preprocessing = IMAGENET
) -> Prepared:
    """Resize, crop or pad an image to the size of a model's input.

    Args:
        image: image from `read_image`.
        size: side of the input in pixels, or (height, width); positive multiples of `patch`.
        patch: patch size in pixels.
        fit: method to fit an image of another aspect ratio.
            "crop": the shorter side is resized to that of the input divided by `crop_fraction` (for an input that is
            not square, the image is resized to cover it), and the centre is cropped. This is timm's evaluation
            transform, pixel for pixel, with a black border for the few models of timm whose crop fraction is above 1.
            "squash": both sides are resized to those of the input. If the model was trained in this way
            (`preprocessing.fit`), they are resized to these divided by `crop_fraction`, and the centre is cropped.
            "pad": the image is resized to fit inside of the input (divided by `crop_fraction` if the model was trained
            in this way), and the rest is padded with the mean colour, which is zero after normalisation, up to
            rounding.
            "native": the aspect ratio is kept, rounded to whole patches, with about as many patches as `size` has.
        preprocessing: preprocessing of the model. If its mean is a single value, the image is converted to greyscale
            (Pillow mode "L").

    Raises:
        ImageError: if `fit` is unknown, if `size` does not consist of whole patches, or if the model's input has
            neither one nor three channels.
    """
    if not isinstance(image, SafeImage) or not isinstance(image.rgb, Image.Image):
        raise ImageError(f"The image must come from vitviz.images.read_image, but this is {shown(image)}.")
    _check_preprocessing(preprocessing)
    one_of(fit, FITS, "fit", ImageError)
    height, width = check_size(size, patch)
    channels = len(preprocessing.mean)
    if channels not in _MODES:
        raise ImageError(
            f"The model's input has {channels} channels, and image files have one or three; give a normalised float "
            f"tensor [{channels}, H, W]."
        )
    original = image.rgb.convert(_MODES[channels])
    resized = _resized(original.size, (width, height), patch, fit, preprocessing)
    model = resized if fit == "native" else (width, height)
    (x, *across), (y, *down) = (
        _placed(*sides, preprocessing.centre) for sides in zip(original.size, resized, model, strict=True)
    )
    colour = tuple(round(255 * value) if fit == "pad" else 0 for value in preprocessing.mean)
    canvas = Image.new(original.mode, model, colour if channels > 1 else colour[0])
    canvas.paste(original.resize(resized, Image.Resampling[preprocessing.interpolation.upper()]), (x, y))
    pixels = np.array(canvas).reshape(*model[::-1], channels)
    pixels.flags.writeable = False
    geometry = Geometry(original.size, model, patch, *map(box, across, down))
    return Prepared(pixels, geometry, image.notes, image_fingerprint(image))


def normalise(pixels: np.ndarray, preprocessing: Preprocessing = IMAGENET) -> np.ndarray:
    """Normalise pixels, uint8 [H, W, C], to the input of a model, float32 [C, H, W]: (pixel / 255 - mean) / std.

    Raises:
        ImageError: if the pixels are not numbers [H, W, C], or have another number of channels than the preprocessing.
    """
    _check_preprocessing(preprocessing)
    pixels = array(pixels, "H, W, C", "Pixels", error=ImageError)
    if len(preprocessing.mean) not in (1, pixels.shape[2]):
        raise ImageError(
            f"The pixels have {pixels.shape[2]} channels, but the preprocessing has {len(preprocessing.mean)}; use "
            "Preprocessing.for_channels."
        )
    mean, std = (np.float32(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    channels = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)  # [H, W, C] -> [C, H, W]
    return (channels / np.float32(255) - mean) / std


def _check_preprocessing(preprocessing: object) -> None:
    if not isinstance(preprocessing, Preprocessing):
        raise ImageError(f"The preprocessing must be a vitviz.images.Preprocessing, not {shown(preprocessing)}.")


def _resized(
    original: tuple[int, int], room: tuple[int, int], patch: int, fit: str, preprocessing: Preprocessing
) -> tuple[int, int]:
    """Width and height to resize the whole image to, for an input of width and height `room`."""
    if fit == "native":
        patches, stretch = math.sqrt(math.prod(room)) / patch, math.sqrt(original[0] / original[1])
        return tuple(max(1, round(count)) * patch for count in (patches * stretch, patches / stretch))
    transformers = preprocessing.centre == "floor"
    whole = round if transformers else math.floor  # transformers stores the side before the crop, timm the fraction
    before_crop = tuple(max(1, whole(side / preprocessing.crop_fraction)) for side in room)
    if fit != "crop":
        before_crop = before_crop if preprocessing.fit == fit else room
        return before_crop if fit == "squash" else _in_proportion(original, before_crop, max)
    if before_crop[0] != before_crop[1] and not transformers:
        return _in_proportion(original, before_crop, min)
    short = min(before_crop)
    long = int(short * max(original) / min(original))  # as torchvision's Resize, and transformers' with shortest_edge
    return (short, long) if original[0] <= original[1] else (long, short)


def _in_proportion(original: tuple[int, int], room: tuple[int, int], tightest: Callable) -> tuple[int, int]:
    """Size of the image that covers a box (min) or fits inside of it (max), as in timm's ResizeKeepRatio."""
    ratio = tightest(side / limit for side, limit in zip(original, room, strict=True))
    return tuple(max(1, round(side / ratio)) for side in original)


def _placed(original: int, resized: int, room: int, centre: str) -> tuple[int, tuple[float, float], tuple[int, int]]:
    """Centre one side; return its offset (see `Preprocessing.centre`) and its spans in the original and the input."""
    rest = resized - room
    offset = -(rest // 2) if centre == "floor" else -round(rest / 2) if rest > 0 else -rest // 2
    start, end = max(offset, 0), min(offset + resized, room)
    return offset, tuple((edge - offset) * original / resized for edge in (start, end)), (start, end)
