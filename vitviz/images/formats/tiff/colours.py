"""Conversion of the samples of a TIFF to 8-bit RGB on a white background."""

import numpy as np
from PIL import Image

from ...directories import Directory
from ...pixels import full_range, scale_to_255, to_rgb
from . import tags
from .layout import Layout

_BAND_PIXELS = 1_000_000  # converted at once, to limit memory
_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue
_FULL_RANGE = (0, 255, 128, 255, 128, 255)  # black and white of Y, Cb and Cr


def to_rgb_image(samples: np.ndarray, layout: Layout, directory: Directory) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert samples [height, width, samples] to RGB, possibly in place; also return notes on the conversion."""
    count = tags.COLOURS[layout.photometric]
    colours, notes = samples[..., :count], ()
    alpha, kind = _alpha(samples, count, layout, directory)
    if layout.photometric == tags.PALETTE:
        image = Image.fromarray(_palette(directory, layout.bits)[colours[..., 0]])
    elif layout.photometric in (tags.CIELAB, tags.ICCLAB):
        image = _from_lab(colours, layout)
    elif layout.photometric == tags.YCBCR and layout.compression != tags.JPEG:
        image = Image.fromarray(_from_ycbcr(colours, directory))
    else:
        inverted = layout.photometric == tags.WHITE_IS_ZERO
        pixels, notes = _in_8_bits(colours, layout, inverted)
        if inverted:
            white = alpha[..., None] if kind == tags.ASSOCIATED else np.uint8(255)
            pixels = white - np.minimum(pixels, white)
        height, width = pixels.shape[:2]
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[count]
        image = Image.frombuffer(mode, (width, height), np.ascontiguousarray(pixels), "raw", mode, 0, 1)
    rgb, _ = to_rgb(image)
    if kind == tags.ASSOCIATED:  # colours are already multiplied by alpha
        rgb = Image.fromarray(np.minimum(rgb, alpha[..., None]) + (np.uint8(255) - alpha[..., None]))
    elif kind == tags.UNASSOCIATED:
        on_white = Image.new("RGB", rgb.size, "white")
        on_white.paste(rgb, mask=Image.fromarray(alpha))
        rgb = on_white
    if layout.samples > count + (alpha is not None):
        notes += (f"This TIFF has {layout.samples} samples per pixel; only those of its colours are used.",)
    return rgb, notes


def _alpha(
    samples: np.ndarray, count: int, layout: Layout, directory: Directory
) -> tuple[np.ndarray | None, int | None]:
    """Alpha channel, uint8 [height, width], and its kind: tags.ASSOCIATED (premultiplied) or UNASSOCIATED; or None."""
    kinds = directory.numbers(tags.EXTRA_SAMPLES, ())
    if not kinds and layout.photometric == tags.RGB and layout.samples == 4:
        kinds = [tags.UNASSOCIATED]  # the usual interpretation if the tag is missing
    for i, kind in enumerate(kinds[: layout.samples - count]):
        if kind in (tags.ASSOCIATED, tags.UNASSOCIATED):
            alpha = samples[..., count + i]
            if layout.form == tags.UNSIGNED and layout.bits <= 16:
                return full_range(layout.bits)[alpha], kind
            white = 1 if layout.form == tags.FLOAT else np.iinfo(alpha.dtype).max
            share = np.clip(np.nan_to_num(alpha.astype(np.float32) / white), 0, 1)
            return np.rint(share * 255).astype(np.uint8), kind
    return None, None


def _in_8_bits(colours: np.ndarray, layout: Layout, inverted: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Samples as uint8, and a note if the file does not state which values are black and white."""
    if layout.form == tags.UNSIGNED and layout.bits <= 16:
        return (colours if layout.bits == 8 else full_range(layout.bits)[colours]), ()
    with np.errstate(over="ignore"):  # values beyond float32 become infinite and are then clipped
        numbers = colours.astype(np.float32, copy=False)
    note = scale_to_255(numbers, inverted)
    return numbers.astype(np.uint8), (note,)


def _palette(directory: Directory, bits: int) -> np.ndarray:
    """Colours of the palette, uint8 [2 ** bits, 3]."""
    numbers = directory.values.get(tags.COLOUR_MAP)
    if numbers is None or len(numbers) != 3 * 2**bits:
        raise ValueError("no palette")
    numbers = numbers.reshape(3, -1).T
    return (numbers if numbers.max() < 256 else np.rint(numbers / 257)).astype(np.uint8)  # some writers use 8 bits


def _from_lab(colours: np.ndarray, layout: Layout) -> Image.Image:
    """Convert L*a*b* to an image of Pillow's mode LAB, in which 128 is the zero of a and b."""
    numbers = colours.view(f"u{layout.bits // 8}")
    light = numbers[..., 0]
    if layout.bits == 16:
        light = full_range(16)[light] if layout.photometric == tags.CIELAB else light >> 8
        numbers = numbers >> 8
    a, b = numbers[..., 1], numbers[..., 2]
    if layout.photometric == tags.CIELAB:  # a and b are signed
        a, b = a ^ 128, b ^ 128
    bands = [Image.fromarray(np.ascontiguousarray(band, np.uint8)) for band in (light, a, b)]
    return Image.merge("LAB", bands)


def _from_ycbcr(colours: np.ndarray, directory: Directory) -> np.ndarray:
    """Convert YCbCr to RGB, uint8 [height, width, 3] (TIFF 6.0 specification, section 21)."""
    red, green, blue = _rationals(directory, tags.YCBCR_COEFFICIENTS, _LUMA)
    reference = _rationals(directory, tags.REFERENCE_BLACK_WHITE, _FULL_RANGE)
    black, white = np.array(reference[::2], np.float32), np.array(reference[1::2], np.float32)
    scale = np.array((255, 127, 127), np.float32) / (white - black)
    if not (np.isfinite(scale).all() and green):
        raise ValueError("colours without a range")
    result = np.empty(colours.shape, np.uint8)
    step = max(1, _BAND_PIXELS // colours.shape[1])
    for top in range(0, len(colours), step):
        y, cb, cr = np.moveaxis((colours[top : top + step] - black) * scale, -1, 0)
        r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
        g = (y - red * r - blue * b) / green
        result[top : top + step] = np.rint(np.clip(np.stack([r, g, b], axis=-1), 0, 255))
    return result


def _rationals(directory: Directory, tag: int, default: tuple[float, ...]) -> list[float]:
    """Rational values of a tag; the default if they are missing or invalid."""
    numbers = directory.numbers(tag, ())
    if len(numbers) != 2 * len(default) or 0 in numbers[1::2]:
        return list(default)
    return [top / bottom for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)]
