"""Colour maps for weights, and overlays on images. The explorer in the browser follows the same rules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from ..analysis.regions import RELATIONS, Relation
from ..errors import ArgumentError
from ..errors.arguments import array, at_least, number, of_kind, one_of, typed, whole, with_fields_of
from ..notation.marks import percent
from ..notation.view import Scale

# One colour for each role in images, charts and text; readable on light and dark backgrounds. Query (teal) and key
# (orange) differ from both ends of the map of signed values (blue and red), also with red-green colour blindness.
QUERY, KEY, VALUE, ATTENTION = "#008f8a", "#d96a00", "#30a46c", "#8e5cf0"
NEUTRAL = "#8b8d98"
GREY_LEVEL = 128  # background of a colour bar, visible where the overlay is transparent

MIDDLE = "rgb(221, 221, 221)"  # of signed weights: a neutral grey that is visible on white and on black

OPACITY = 0.8  # default overlay opacity
MIN_OPACITY = 0.2  # opacity at weight 0, relative to the opacity at the largest weight
UNIFORM_RANGE = 5  # the "uniform" scale runs from 2**-5 to 2**5 times the weight of uniform attention


@dataclass(frozen=True)
class Style:
    """Drawing style of attention maps. It does not affect the data shown.

    Attributes:
        opacity: overlay opacity at the largest weight, in percent; 0 shows the image alone.
        smooth: True to interpolate the overlay's colours between patches, see `overlay`.
        marks: True to mark the strongest patch of small maps.
        linked: True to show similarity and principal components of the tokens beside the attention.
        relation: attention by which heads are ranked for a region, see `vitviz.analysis.regions.region_attention`.
    """

    opacity: int = round(100 * OPACITY)
    smooth: bool = False
    marks: bool = False
    linked: bool = False
    relation: Relation = "within"

    def __post_init__(self) -> None:
        whole(self.opacity, 0, 100, "The opacity in percent")
        of_kind(self.smooth, bool, "smooth")
        of_kind(self.marks, bool, "marks")
        of_kind(self.linked, bool, "linked")
        one_of(self.relation, RELATIONS, "relation")

    @classmethod
    def read(cls, data: object) -> Style:
        """Create a style from untrusted data sent by a browser.

        Raises:
            ArgumentError: if the data is not a style.
        """
        return cls(**with_fields_of(cls, data, "A style"))


@typed
def tone(
    weights: np.ndarray, scale: Scale, tokens: int, largest: float | None = None, signed: bool = False
) -> np.ndarray:
    """Map weights to positions on a colour map.

    Args:
        weights: attention weights, any shape.
        scale: `"relative"`: weight relative to max, 0 to 1; `"raw"`: the weight itself, 0 to 1; `"uniform"`:
            log2(weight x tokens) from -5 to 5, with uniform attention in the middle.
        tokens: number of tokens that a row of attention weights is distributed over.
        largest: divisor of `"relative"`; the largest absolute value of `weights` if None.
        signed: True if weights may be negative, as in differential attention: `"relative"` and `"raw"` then run from
            -1 to 1, with 0 in the middle.

    Returns:
        float [shape of weights], 0 to 1.

    Raises:
        ArgumentError: if an argument is invalid.
    """
    weights = array(weights, "...", "Weights", finite=False)
    tokens = at_least(tokens, 1, "The number of tokens")
    if largest is not None:
        largest = number(largest, 0, np.inf, "The largest weight")
    if scale == "uniform":
        with np.errstate(divide="ignore"):  # log2(0) is -inf, which clips to the bottom
            return np.clip(np.log2(weights * tokens) / (2 * UNIFORM_RANGE) + 0.5, 0, 1)
    if scale == "relative":
        largest = float(np.abs(weights).max()) if largest is None else largest
        weights = weights / largest if largest > 0 else np.zeros_like(weights)
    return np.clip((weights + 1) / 2 if signed else weights, 0, 1)


@typed
def colour_bar_labels(weights: np.ndarray, scale: Scale, signed: bool = False) -> tuple[str, str]:
    """Labels of the lower and upper end of the colour bar: `("0", "14.2 %")` or `("−3.21 %", "3.21 %")`."""
    if scale == "uniform":
        return f"≤ 1/{2**UNIFORM_RANGE} × uniform", f"≥ {2**UNIFORM_RANGE} × uniform"
    weights = array(weights, "...", "Weights", finite=False)
    high = "100 %" if scale == "raw" else percent(float(np.abs(weights).max()))
    return f"−{high}" if signed else "0", high


@typed
@cache
def colour_map(scale: Scale, signed: bool = False) -> np.ndarray:
    """Return the colours for tones 0 to 1, uint8 [256, 3].

    The map is perceptually uniform; it is diverging where the scale has a middle.
    """
    from plotly.colors import diverging, sample_colorscale, sequential, unlabel_rgb  # slow to import

    # Blue, grey, red: the diverging map without its dark ends, where blue and red look alike
    of_signed = (*diverging.balance[2:5], MIDDLE, *diverging.balance[7:10])
    stops = of_signed if signed else diverging.balance if scale == "uniform" else sequential.Magma
    colours = sample_colorscale(list(stops), np.linspace(0, 1, 256).tolist())
    table = np.array([unlabel_rgb(colour) for colour in colours]).round().astype(np.uint8)
    table.flags.writeable = False
    return table


@typed
def css_gradient(scale: Scale, signed: bool = False, opacity: float | None = None) -> str:
    """Return the colour map as a CSS background, from left to right.

    Args:
        scale: scale of the weights.
        signed: True for signed weights.
        opacity: overlay opacity, for the colours of an overlay on grey; None for the opaque colours.
    """
    colours = colour_map(scale, signed) if opacity is None else on_neutral(scale, opacity, signed)
    stops = colours[np.linspace(0, 255, 17).round().astype(int)].tolist()
    return f"linear-gradient(to right, {', '.join('rgb({},{},{})'.format(*colour) for colour in stops)})"


@typed
def plotly_scale(scale: Scale, stops: int = 17, signed: bool = False) -> list[list]:
    """Return the colour map as a Plotly colour scale.

    Colours are written as rgb(...), because Streamlit's chart theme treats some dark hexadecimal colours, such as
    Magma's first, #000004, as its own placeholders and replaces them.
    """
    places = np.linspace(0, 1, at_least(stops, 2, "The number of stops"))
    return [
        [float(at), "rgb({},{},{})".format(*colour)]
        for at, colour in zip(places, paint(places, scale, signed), strict=True)
    ]


@typed
def paint(tones: np.ndarray, scale: Scale, signed: bool = False, over: bool = False) -> np.ndarray:
    """Convert tones to colours.

    Args:
        tones: any shape, 0 to 1.
        scale: scale that the tones were computed with.
        signed: True for signed weights.
        over: True for the RGBA colours of an overlay.

    Returns:
        uint8 [*shape, 3], or [*shape, 4] for an overlay.

    Raises:
        ArgumentError: if a tone is outside 0 to 1.
    """
    tones = array(tones, "...", "Tones", empty=True)
    if tones.size and not (tones.min() >= 0 and tones.max() <= 1):
        raise ArgumentError("Tones must be between 0 and 1; scale the weights with `tone` first.")
    table = overlay_map(scale, signed) if over else colour_map(scale, signed)
    return table[np.round(tones * 255).astype(np.uint8)]


@typed
@cache
def overlay_map(scale: Scale, signed: bool = False) -> np.ndarray:
    """Return the overlay colours for tones 0 to 1, uint8 [256, RGBA].

    Opacity grows from `MIN_OPACITY` to 1 with the square root of the tone, or of its distance from the middle for
    signed weights, so that the image stays visible where weights are small.
    """
    tones = np.linspace(0, 1, 256)
    strength = np.abs(2 * tones - 1) if signed else tones
    opacity = MIN_OPACITY + (1 - MIN_OPACITY) * np.sqrt(strength)
    table = np.column_stack([colour_map(scale, signed), np.round(255 * opacity).astype(np.uint8)])
    table.flags.writeable = False
    return table


@typed
def on_neutral(scale: Scale, opacity: float = OPACITY, signed: bool = False) -> np.ndarray:
    """Return the colours of an overlay on a grey image, uint8 [256, 3], for its colour bar."""
    shown = opacity * (overlay_map(scale, signed)[:, 3:] / 255)
    return np.round(shown * colour_map(scale, signed) + (1 - shown) * GREY_LEVEL).astype(np.uint8)


@typed
def overlay(
    picture: Image.Image,
    tones: np.ndarray,
    scale: Scale,
    opacity: float = OPACITY,
    signed: bool = False,
    smooth: bool = False,
) -> Image.Image:
    """Draw a map over an image. Opacity grows with the weight (see `overlay_map`).

    Args:
        picture: RGB image.
        tones: [rows, columns], 0 to 1.
        scale: scale that the tones were computed with.
        opacity: overlay opacity; 0 shows the image alone, 1 hides it where the weight is largest.
        signed: True for signed weights.
        smooth: True to interpolate colours between patches; False for one flat colour per patch.

    Returns:
        RGB image of the same size.

    Raises:
        ArgumentError: if tones or opacity are outside 0 to 1, or the image is not RGB.
    """
    tones = array(tones, "row, column", "Tones")
    opacity = number(opacity, 0, 1, "The opacity")
    if picture.mode != "RGB":
        raise ArgumentError(f"The image has mode {picture.mode}; convert it to RGB.")
    painted = paint(tones, scale, signed, over=True)
    if smooth:
        return _smooth_overlay(picture, painted, opacity)
    heat, alpha = (
        Image.fromarray(layer).resize(picture.size, Image.Resampling.NEAREST)
        for layer in (painted[..., :3], np.round(opacity * painted[..., 3]).astype(np.uint8))
    )
    return Image.composite(heat, picture, alpha)


def _smooth_overlay(picture: Image.Image, painted: np.ndarray, opacity: float) -> Image.Image:
    """Draw RGBA colours, [row, column, 4], over an image with bilinear interpolation.

    As in browsers, alpha is premultiplied, so that nearly transparent patches do not tint their neighbours.
    """
    shares = np.float32(opacity) * painted[..., 3:] / np.float32(255)
    layers = np.concatenate([shares * painted[..., :3], shares], axis=-1)
    *colours, alpha = (
        np.asarray(Image.fromarray(layer).resize(picture.size, Image.Resampling.BILINEAR))
        for layer in np.moveaxis(layers, -1, 0)
    )
    mixed = np.stack(colours, axis=-1) + (1 - alpha[..., None]) * np.asarray(picture, np.float32)
    return Image.fromarray(np.round(mixed).clip(0, 255).astype(np.uint8))
