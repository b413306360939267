"""Weights to colours, and colours onto pictures. The explorer in the browser follows the same rules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image
from plotly.colors import diverging, sample_colorscale, sequential, unlabel_rgb

from ..errors import ArgumentError
from ..errors.arguments import array, at_least, number, of_kind, typed, whole, with_fields_of
from ..notation.marks import percent
from ..notation.view import Scale

# One colour for each role, in pictures, charts and text alike; readable on light and dark.
QUERY, KEY, VALUE, ATTENTION = "#2f81f7", "#e5484d", "#30a46c", "#8e5cf0"
NEUTRAL = "#8b8d98"
GROUND = 128  # the grey on which a colour bar shows what is transparent

# Blue, grey, red for weights with a sign: the diverging map without its dark ends, where blue and red look alike, and
# with a middle that has no colour, is as far from both, and is seen on white and on black.
SIGNED_STOPS = (*diverging.balance[2:5], "rgb(221, 221, 221)", *diverging.balance[7:10])

OPACITY = 0.8  # of an overlay, if nobody says otherwise
FAINTEST = 0.2  # how opaque an overlay is where it says nothing, as a share of its opacity elsewhere
UNIFORM_RANGE = 5  # the "uniform" scale runs from 2**-5 to 2**5 times what a uniform row would give


@dataclass(frozen=True)
class Style:
    """Style of drawing the maps of a view; it changes nothing about what they show.

    Attributes:
        opacity: of the overlay where the weight is largest, in percent: 0 shows the picture alone.
        smooth: whether the overlay's colours run into each other, see `overlay`.
        marks: whether small maps mark their strongest patch.
    """

    opacity: int = round(100 * OPACITY)
    smooth: bool = False
    marks: bool = False

    def __post_init__(self) -> None:
        whole(self.opacity, 0, 100, "The opacity in percent")
        of_kind(self.smooth, bool, "smooth")
        of_kind(self.marks, bool, "marks")

    @classmethod
    def read(cls, data: object) -> Style:
        """A style from what a browser sent, which may be anything.

        Raises:
            ArgumentError: if it is not a style.
        """
        return cls(**with_fields_of(cls, data, "A style"))


@typed
def tone(
    weights: np.ndarray, scale: Scale, tokens: int, largest: float | None = None, signed: bool = False
) -> np.ndarray:
    """Where weights stand on a colour map.

    Args:
        weights: attention weights, any shape.
        scale: `"relative"`: of the largest weight shown, 0 to 1; `"raw"`: the weight itself, 0 to 1;
            `"uniform"`: log2(weight x tokens) from -5 to 5, the middle is what a uniform row would give.
        tokens: how many tokens a row is spread over.
        largest: what `"relative"` divides by; the largest of `weights` in size if None.
        signed: whether weights may be negative, as those of differential attention: then `"relative"` and `"raw"`
            run from -1 to 1 and 0 is the middle.

    Returns:
        float [shape of weights], 0 to 1.

    Raises:
        ArgumentError: if these are no weights.
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
def ends(weights: np.ndarray, scale: Scale, signed: bool = False) -> tuple[str, str]:
    """What the two ends of the colour bar mean, in words: `("0", "14.2 %")`, or `("−3.21 %", "3.21 %")`."""
    if scale == "uniform":
        return f"≤ 1/{2**UNIFORM_RANGE} × uniform", f"≥ {2**UNIFORM_RANGE} × uniform"
    weights = array(weights, "...", "Weights", finite=False)
    high = "100 %" if scale == "raw" else percent(float(np.abs(weights).max()))
    return f"−{high}" if signed else "0", high


@typed
@cache
def colour_map(scale: Scale, signed: bool = False) -> np.ndarray:
    """Colours for tones 0 to 1, uint8 [256, 3]: perceptually uniform, and diverging where the scale has a middle."""
    stops = SIGNED_STOPS if signed else diverging.balance if scale == "uniform" else sequential.Magma
    colours = sample_colorscale(list(stops), np.linspace(0, 1, 256).tolist())
    table = np.array([unlabel_rgb(colour) for colour in colours]).round().astype(np.uint8)
    table.flags.writeable = False
    return table


@typed
def css_gradient(scale: Scale, signed: bool = False, opacity: float | None = None) -> str:
    """The same colours from left to right, as a background in CSS; with an opacity, those of an overlay on grey."""
    colours = colour_map(scale, signed) if opacity is None else on_neutral(scale, opacity, signed)
    stops = colours[np.linspace(0, 255, 17).round().astype(int)].tolist()
    return f"linear-gradient(to right, {', '.join('rgb({},{},{})'.format(*colour) for colour in stops)})"


@typed
def plotly_scale(scale: Scale, stops: int = 17, signed: bool = False) -> list[list]:
    """The same colours for plotly charts.

    Written as rgb(...): Streamlit's chart theme takes some dark hexadecimal colours, such as Magma's first, #000004,
    for placeholders of its own, and puts other colours in their place.
    """
    places = np.linspace(0, 1, at_least(stops, 2, "The number of stops"))
    return [
        [float(at), "rgb({},{},{})".format(*colour)]
        for at, colour in zip(places, paint(places, scale, signed), strict=True)
    ]


@typed
def paint(tones: np.ndarray, scale: Scale, signed: bool = False, over: bool = False) -> np.ndarray:
    """Tones 0 to 1 of any shape to colours, uint8 [*shape, 3]; [*shape, RGBA] if they lie over a picture.

    Raises:
        ArgumentError: if these are no such numbers.
    """
    tones = array(tones, "...", "Tones", empty=True)
    if tones.size and not (tones.min() >= 0 and tones.max() <= 1):
        raise ArgumentError("Tones have to be numbers from 0 to 1; some of these are not.")
    table = overlay_map(scale, signed) if over else colour_map(scale, signed)
    return table[np.round(tones * 255).astype(np.uint8)]


@typed
@cache
def overlay_map(scale: Scale, signed: bool = False) -> np.ndarray:
    """Colours for tones 0 to 1 as they lie over a picture, uint8 [256, RGBA].

    The opacity grows with the weight, so that a picture is seen where nothing is said of it: from `FAINTEST` to 1 with
    the square root of the tone, or of its distance from the middle where 0 stands there.
    """
    tones = np.linspace(0, 1, 256)
    strength = np.abs(2 * tones - 1) if signed else tones
    opacity = FAINTEST + (1 - FAINTEST) * np.sqrt(strength)
    table = np.column_stack([colour_map(scale, signed), np.round(255 * opacity).astype(np.uint8)])
    table.flags.writeable = False
    return table


@typed
def on_neutral(scale: Scale, opacity: float = OPACITY, signed: bool = False) -> np.ndarray:
    """The colours of an overlay over a picture that is grey, uint8 [256, 3]: what its colour bar shows."""
    shown = opacity * (overlay_map(scale, signed)[:, 3:] / 255)
    return np.round(shown * colour_map(scale, signed) + (1 - shown) * GROUND).astype(np.uint8)


@typed
def overlay(
    picture: Image.Image,
    tones: np.ndarray,
    scale: Scale,
    opacity: float = OPACITY,
    signed: bool = False,
    smooth: bool = False,
) -> Image.Image:
    """Lay a map over a picture, the more opaque the larger the weight (see `overlay_map`).

    Args:
        picture: RGB.
        tones: [rows, columns], 0 to 1.
        scale: whose colours.
        opacity: 0 shows the picture alone, 1 hides it where the weight is largest.
        signed: whether the tones are those of signed weights.
        smooth: whether colours run into each other; if not, each patch has one flat colour.

    Raises:
        ArgumentError: if these are no tones, or the picture is not RGB.
    """
    tones = array(tones, "row, column", "Tones")
    opacity = number(opacity, 0, 1, "The opacity")
    if picture.mode != "RGB":
        raise ArgumentError(f"The picture is {picture.mode}; convert it to RGB.")
    painted = paint(tones, scale, signed, over=True)
    if smooth:
        return _smoothly_over(picture, painted, opacity)
    heat, seen = (
        Image.fromarray(layer).resize(picture.size, Image.Resampling.NEAREST)
        for layer in (painted[..., :3], np.round(opacity * painted[..., 3]).astype(np.uint8))
    )
    return Image.composite(heat, picture, seen)


def _smoothly_over(picture: Image.Image, painted: np.ndarray, opacity: float) -> Image.Image:
    """Lay RGBA colours, [row, column, 4], over a picture as browsers do: no colour spreads that is hardly seen."""
    shares = np.float32(opacity) * painted[..., 3:] / np.float32(255)
    layers = np.concatenate([shares * painted[..., :3], shares], axis=-1)
    *colours, seen = (
        np.asarray(Image.fromarray(layer).resize(picture.size, Image.Resampling.BILINEAR))
        for layer in np.moveaxis(layers, -1, 0)
    )
    mixed = np.stack(colours, axis=-1) + (1 - seen[..., None]) * np.asarray(picture, np.float32)
    return Image.fromarray(np.round(mixed).clip(0, 255).astype(np.uint8))
