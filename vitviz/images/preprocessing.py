"""From a safe image to the pixels that a model sees."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from ..arguments import array, is_number, is_whole, one_of, shown
from ..errors import ImageError
from .geometry import Geometry, Prepared, box
from .limits import MAX_PIXELS
from .reading import SafeImage

FITS = ("crop", "squash", "pad", "native")
Size = int | tuple[int, int]  # side of a square, or height and width, in pixels

_FAR = 10_000.0  # means and deviations beyond it, or below its inverse, are no preprocessing of pixels
_MOST_CHANNELS = 10_000
_MODES = {1: "L", 3: "RGB"}  # Pillow's, by number of channels


def _of_channels(values: object, name: str, low: float) -> tuple[float, ...]:
    """The numbers of `mean` or `std`, one a channel; an ImageError if they are none."""
    given = values.tolist() if isinstance(values, np.ndarray) else values
    numbers = given if isinstance(given, tuple | list) else ()
    if not 0 < len(numbers) <= _MOST_CHANNELS or not all(is_number(one) and low <= one <= _FAR for one in numbers):
        raise ImageError(
            f"The {name} of a preprocessing is a number for each channel, from {low:g} to {_FAR:g}, for pixel values "
            f"from 0 to 1; this is {shown(values)}."
        )
    return tuple(map(float, numbers))


@dataclass(frozen=True)
class Preprocessing:
    """How a model wants its pixels; the default is ImageNet's. Raises ImageError for values that make no sense."""

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # per channel, for pixel values from 0 to 1; one for a grey model
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"  # or bilinear, nearest, lanczos, box, hamming, as in Pillow
    crop_fraction: float = 1.0  # timm's crop_pct, 0.1 to 2: how much of the resized photo's shorter side a crop keeps
    fit: str = "crop"  # how photos that are not square were made to fit when the model was trained, one of FITS
    # Where a centre crop starts if half of what is cut off is not a whole number: "round" as torchvision's CenterCrop,
    # which timm uses, int(round(rest / 2)); "floor" as center_crop of transformers' image_transforms.py, rest // 2.
    centre: Literal["round", "floor"] = "round"

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

    def for_channels(self, channels: int) -> "Preprocessing":
        """The same for a model with this many input channels.

        A single value holds for all channels, as in timm's `resolve_data_config`. Of three values a model with another
        number of channels gets the mean: with one channel, timm gives it the sum of the weights of all three.

        Raises:
            ImageError: if there is another number of values, so that nobody can tell what they are for.
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
    """Height and width of an input; refused if they do not hold whole patches of this side.

    Raises:
        ImageError: if a side is not a positive multiple of `patch`, or both make more pixels than an image may have.
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
    """Bring an image to the size of a model's input.

    Args:
        image: what `read_image` returned.
        size: side of the model's input in pixels, or its height and width; positive multiples of `patch`.
        patch: side of a patch in pixels.
        fit: how a photo of another aspect ratio fits.
            "crop": it is resized until its shorter side is that of the input, divided by `crop_fraction` (for an input
            that is not square: until it covers that), and the centre is cut out: timm's evaluation transform, pixel for
            pixel (with a black border if the crop fraction is above 1, as a few models of timm have it).
            "squash": both sides are resized to those of the input; if that is how the model was trained
            (`preprocessing.fit`), to those divided by `crop_fraction`, and the centre is cut out.
            "pad": it is resized until it just fits in, again divided by `crop_fraction` if that is how the model was
            trained, and the rest is filled with the mean colour, which is zero after normalisation (to half a grey
            level).
            "native": the aspect ratio is kept, to whole patches, about as many as in the input asked for.
        preprocessing: the model's mean colour, interpolation and crop fraction. With one value for the mean, the model
            sees luminance alone (Pillow's mode "L").

    Raises:
        ImageError: if there is no such fit, `size` does not hold whole patches, or the model's input has neither one
            nor three channels.
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
    """Turn pixels, uint8 [H, W, C], into what enters the model, float32 [C, H, W]: (pixel / 255 - mean) / std.

    Raises:
        ImageError: if they are no such pixels, or have another number of channels than the preprocessing.
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
    """Width and height that the whole photo is resized to, for an input of this width and height."""
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
    """The photo so that it covers the room (min), or just fits into it (max): timm's ResizeKeepRatio."""
    ratio = tightest(side / limit for side, limit in zip(original, room, strict=True))
    return tuple(max(1, round(side / ratio)) for side in original)


def _placed(original: int, resized: int, room: int, centre: str) -> tuple[int, tuple[float, float], tuple[int, int]]:
    """Centre one side: where it starts (see `Preprocessing.centre`), and its part of source and content."""
    rest = resized - room
    offset = -(rest // 2) if centre == "floor" else -round(rest / 2) if rest > 0 else -rest // 2
    start, end = max(offset, 0), min(offset + resized, room)
    return offset, tuple((edge - offset) * original / resized for edge in (start, end)), (start, end)
