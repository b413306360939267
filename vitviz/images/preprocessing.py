"""From a safe image to the pixels that a model sees."""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from PIL import Image

from ..errors import ImageError
from .geometry import Geometry, Prepared, box
from .reading import SafeImage

FITS = ("crop", "squash", "pad", "native")


@dataclass(frozen=True)
class Preprocessing:
    """How a model wants its pixels; the default is ImageNet's. Raises ImageError for values that make no sense."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # per channel, for pixel values from 0 to 1
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"  # or bilinear, nearest, lanczos, box, hamming, as in Pillow
    crop_fraction: float = 1.0  # timm's crop_pct, 0.1 to 2: how much of the resized photo's shorter side a crop keeps
    fit: str = "crop"  # how photos that are not square were made to fit when the model was trained, one of FITS

    def __post_init__(self) -> None:
        if self.interpolation.upper() not in Image.Resampling.__members__:
            names = ", ".join(Image.Resampling.__members__).lower()
            raise ImageError(f"There is no interpolation {self.interpolation!r}; choose one of {names}.")
        if not 0.1 <= self.crop_fraction <= 2:
            raise ImageError(f"A crop fraction of {self.crop_fraction} is not possible; give one from 0.1 to 2.")
        if self.fit not in FITS:
            raise ImageError(f"There is no fit {self.fit!r}; choose one of {', '.join(FITS)}.")


IMAGENET = Preprocessing()


def check_size(size: int, patch: int) -> None:
    """Refuse a side of an input, in pixels, that does not hold whole patches of this side.

    Raises:
        ImageError: if `size` is not a positive multiple of `patch`.
    """
    if not all(isinstance(side, Integral) and side > 0 for side in (size, patch)) or size % patch:
        raise ImageError(f"A size of {size} does not hold whole patches of {patch} pixels; use a multiple of {patch}.")


def prepare(
    image: SafeImage, size: int, patch: int, fit: str = "crop", preprocessing: Preprocessing = IMAGENET
) -> Prepared:
    """Bring an image to the size of a model's input.

    Args:
        image: what `read_image` returned.
        size: side of the model's input in pixels, a positive multiple of `patch`.
        patch: side of a patch in pixels.
        fit: how a photo that is not square fits.
            "crop": the shorter side is resized to `size / crop_fraction` and the centre is cut out: timm's evaluation
            transform, pixel for pixel (with a black border if the crop fraction is above 1, as a few models of timm
            have it). "squash": both sides are resized to `size`; if that is how the model was trained
            (`preprocessing.fit`), to `size / crop_fraction`, and the centre is cut out. "pad": the longer side is
            resized to `size` and the rest filled with the mean colour, which is zero after normalisation (to half a
            grey level). "native": the aspect ratio is kept, to whole patches, about as many as in a square of side
            `size`.
        preprocessing: the model's mean colour, interpolation and crop fraction.

    Raises:
        ImageError: if there is no such fit, or `size` is not a positive multiple of `patch`.
    """
    if fit not in FITS:
        raise ImageError(f"There is no fit {fit!r}; choose one of {', '.join(FITS)}.")
    check_size(size, patch)
    original = image.rgb.size
    resized = _resized(original, size, patch, fit, preprocessing)
    model = resized if fit == "native" else (size, size)
    (x, *across), (y, *down) = map(_placed, original, resized, model)
    canvas = Image.new("RGB", model, tuple(round(255 * value) for value in preprocessing.mean) if fit == "pad" else 0)
    canvas.paste(image.rgb.resize(resized, Image.Resampling[preprocessing.interpolation.upper()]), (x, y))
    pixels = np.array(canvas)
    pixels.flags.writeable = False
    return Prepared(pixels, Geometry(original, model, patch, *map(box, across, down)), image.notes)


def normalise(pixels: np.ndarray, preprocessing: Preprocessing = IMAGENET) -> np.ndarray:
    """Turn pixels, uint8 [H, W, 3], into what enters the model, float32 [3, H, W]: (pixel / 255 - mean) / std."""
    mean, std = (np.float32(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    channels = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)  # [H, W, 3] -> [3, H, W]
    return (channels / np.float32(255) - mean) / std


def _resized(
    original: tuple[int, int], size: int, patch: int, fit: str, preprocessing: Preprocessing
) -> tuple[int, int]:
    """Width and height that the whole photo is resized to."""
    before_crop = max(1, math.floor(size / preprocessing.crop_fraction))  # as timm
    if fit == "squash":
        return (before_crop, before_crop) if preprocessing.fit == "squash" else (size, size)
    if fit == "pad":
        return tuple(max(1, round(side * size / max(original))) for side in original)
    width, height = original
    if fit == "native":
        patches, stretch = size / patch, math.sqrt(width / height)
        return tuple(max(1, round(count)) * patch for count in (patches * stretch, patches / stretch))
    long = int(before_crop * max(original) / min(original))  # as torchvision's Resize
    return (before_crop, long) if width <= height else (long, before_crop)


def _placed(original: int, resized: int, room: int) -> tuple[int, tuple[float, float], tuple[int, int]]:
    """Centre one side: where it starts (rounded as by torchvision's CenterCrop), and its part of source and content."""
    offset = (room - resized) // 2 if resized <= room else -round((resized - room) / 2)
    start, end = max(offset, 0), min(offset + resized, room)
    return offset, tuple((edge - offset) * original / resized for edge in (start, end)), (start, end)
