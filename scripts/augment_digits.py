"""From 1257 blurry digits of 8 x 8 pixels to any number of pictures such as people draw, photograph or scan.

Half of the pictures keep the original's grey ink, made thinner, thicker or crisper. The other half are drawn again with
a pen of random width along the digit's centre lines, because a pen's crisp and thin lines are what the drawing pad
shows. Drawings by a program (`scripts/practice.py`) go the same way. All are then moved, turned, scaled, sheared and
bent, and get paper and ink of some colour.
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor

from scripts.digits import MARGIN, SIDE

BORDER = 2  # empty pixels around the 8 x 8 original, so that a small digit has paper on all sides
ZOOM = 5  # pixels of a field for one of the original
FIELD = (8 + 2 * BORDER) * ZOOM  # side of a field, pixels
FRAME = 8 + 2 * MARGIN  # what a picture shows, in pixels of the original
FAITHFUL = 0.96  # centre lines are used if, drawn and shrunk, they correlate this well with the original


@dataclass(frozen=True)
class Fields:
    """Digits at high resolution, float32 [digit, 1, 60, 60].

    Attributes:
        ink: from 0 to 1.
        distance: from the digit's centre lines, in pixels of the 8 x 8 original.
        has_lines: bool [digit], whether the centre lines are faithful; those of blots are not.
    """

    ink: Tensor
    distance: Tensor
    has_lines: Tensor

    def __add__(self, others: "Fields") -> "Fields":
        """These digits and then the others."""
        return Fields(*(torch.cat(both) for both in zip(vars(self).values(), vars(others).values(), strict=True)))


def fields_of(images: np.ndarray) -> Fields:
    """The fields of digits [n, 8, 8] with ink from 0 to 1.

    Of centre lines found in many ways, each digit gets those that, drawn and shrunk again, resemble it most.
    """
    ink = np.stack([_enlarged(image) for image in images])
    likeness, distance = np.zeros(len(ink)), np.empty_like(ink)
    for blur in (0.7, 1, 1.5):
        around = ndimage.gaussian_filter(ink, (0, blur * ZOOM, blur * ZOOM))
        for share, step in product((0.5, 0.8, 1), (0.06, 0.16)):
            lines = thinned(ink > share * around + step)
            found = np.stack([ndimage.distance_transform_edt(~line) for line in lines]) / ZOOM
            alike = _likeness(found, ink)
            better = alike > likeness
            likeness[better], distance[better] = alike[better], found[better]
    ink, distance = (torch.from_numpy(values).float()[:, None] for values in (ink, distance))
    return Fields(ink, distance, torch.from_numpy(likeness > FAITHFUL))


def thinned(shapes: np.ndarray) -> np.ndarray:
    """Thin shapes, bool [n, H, W] with an empty border, to lines one pixel wide that are connected as the shapes are.

    Source: Zhang and Suen 1984, "A fast parallel algorithm for thinning digital patterns".
    """
    while True:
        before = shapes.sum()
        for first in (True, False):
            # clockwise from the north
            around = [
                np.roll(shapes, shift, (1, 2))
                for shift in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            ]
            north, east, south, west = around[::2]
            neighbours = np.sum(around, axis=0, dtype=np.int8)
            crossings = np.sum([~a & b for a, b in zip(around, around[1:] + around[:1], strict=True)], axis=0)
            edge = ~(east & south & (north | west)) if first else ~(north & west & (east | south))
            shapes = shapes & ~((neighbours >= 2) & (neighbours <= 6) & (crossings == 1) & edge)
        if shapes.sum() == before:
            return shapes


def augmented(fields: Fields, chosen: Tensor, random: torch.Generator, effort: float = 1) -> Tensor:
    """A new picture of each chosen digit, as it enters the model: float32 [picture, 3, 32, 32] from -1 to 1.

    An effort of 0 leaves the digits where and as they are, black on white; 1 is what the model has to learn in the
    end. Half of the pictures get all of the effort, the others any part of it, so that plain digits are not forgotten.
    """
    draw = _Random(len(chosen), random)
    effort = effort * draw.uniform(0, 2).clamp(max=1)
    places, scale = _places(draw, effort)
    ink, distance = (
        F.grid_sample(field[chosen], places, padding_mode=padding, align_corners=False)
        for field, padding in ((fields.ink, "zeros"), (fields.distance, "border"))
    )
    drawn = _drawn(distance * scale * (SIDE / FRAME), scale, draw)
    pen = draw.chance(0.5) & fields.has_lines[chosen].view(-1, 1, 1, 1)
    return 2 * _coloured(torch.where(pen, drawn, _inked(ink, draw, effort)), draw, effort) - 1


class _Random:
    """Random numbers per picture, shaped to act on [picture, channel, row, column]."""

    def __init__(self, pictures: int, random: torch.Generator):
        self.pictures = pictures
        self.random = random

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(self.pictures, channels, 1, 1, generator=self.random)

    def chance(self, share: float | Tensor) -> Tensor:
        return self.uniform(0, 1) < share

    def noise(self, channels: int, side: int) -> Tensor:
        return torch.randn(self.pictures, channels, side, side, generator=self.random)


def _places(draw: _Random, effort: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel lies on the digit's field [picture, 32, 32, 2], and the digit's scale [picture, 1, 1, 1]."""
    scale = torch.where(draw.chance(0.5), draw.uniform(0.75, 1.2), draw.uniform(0.38, 0.9)) ** effort
    wide = draw.uniform(math.log(0.7), math.log(1.35)).exp() ** effort  # proportions differ from hand to hand
    angle, shear = (draw.uniform(-limit, limit) * effort for limit in (math.radians(12), 0.15))
    room = (1.1 - 0.8 * scale).clamp(min=0.1) * effort  # small digits may be anywhere, large ones nearly in the middle
    bends = F.interpolate(draw.noise(2, 4), size=(SIDE, SIDE), mode="bicubic") * draw.uniform(0, 0.05) * effort
    across = torch.linspace(-1, 1, SIDE + 1).unfold(0, 2, 1).mean(1)  # centres of pixels, the frame from -1 to 1
    x = across.view(1, 1, 1, -1) - room * draw.uniform(-1, 1)
    y = across.view(1, 1, -1, 1) - room * draw.uniform(-1, 1)
    turned_x, turned_y = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    places = torch.cat([(turned_x + shear * turned_y) / (scale * wide), turned_y / scale], dim=1) + bends
    return (places * (FRAME * ZOOM / FIELD)).permute(0, 2, 3, 1), scale


def _drawn(distance: Tensor, scale: Tensor, draw: _Random) -> Tensor:
    """Ink of a round pen along the centre lines; distances are in the picture's pixels.

    The thickest pens do not draw the smallest digits: the rings of an 8 would close.
    """
    radius = 0.6 + draw.uniform(0, 1.4) * (0.2 + scale).clamp(max=1)
    return ((radius - distance) / draw.uniform(0.7, 1.4) + 0.5).clamp(0, 1)


def _inked(ink: Tensor, draw: _Random, effort: Tensor) -> Tensor:
    """The original's ink: strokes thinner or thicker, and many of them crisper."""
    thick, thin = F.max_pool2d(ink, 3, 1, 1), -F.max_pool2d(-ink, 3, 1, 1)
    change = draw.uniform(-0.7, 0.7) * effort
    ink = torch.where(change > 0, ink.lerp(thick, change), ink.lerp(thin, -change)).clamp(0, 1)
    crisp = torch.sigmoid((ink - draw.uniform(0.25, 0.5)) * draw.uniform(math.log(5), math.log(40)).exp())
    return torch.where(draw.chance(0.5 * effort), crisp, ink)


def _coloured(ink: Tensor, draw: _Random, effort: Tensor) -> Tensor:
    """Ink and paper of some colour, sometimes blurred, sometimes light on dark, with a little noise; from 0 to 1."""
    ink = torch.where(draw.chance(0.2 * effort), F.avg_pool2d(ink, 3, 1, 1), ink)
    plain = draw.chance(1 - 0.6 * effort)
    dark = torch.where(plain, 0, draw.uniform(0, 0.4) + draw.uniform(-0.2, 0.2, channels=3))
    light = torch.where(plain, 1, draw.uniform(0.75, 1) + draw.uniform(-0.1, 0.1, channels=3))
    inverted = draw.chance(0.3 * effort)
    paper, pen = torch.where(inverted, dark, light), torch.where(inverted, light, dark)
    noise = draw.noise(1, SIDE) * draw.uniform(0, 0.06) * draw.chance(0.5 * effort)
    return (paper.lerp(pen, ink) + noise).clamp(0, 1)


def _enlarged(image: np.ndarray) -> np.ndarray:
    field = Image.fromarray(np.pad(image, BORDER)).resize((FIELD, FIELD), Image.Resampling.BICUBIC)
    return np.asarray(field).clip(0, 1)


def _likeness(distance: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Correlation of digits with what a pen of the best of three widths draws, at the original's resolution: [n]."""
    drawn = (np.clip(radius - distance + 0.5, 0, 1) for radius in (0.7, 1, 1.3))
    return np.max([_correlation(_shrunk(lines), _shrunk(ink)) for lines in drawn], axis=0)


def _shrunk(fields: np.ndarray) -> np.ndarray:
    return fields.reshape(len(fields), FIELD // ZOOM, ZOOM, -1, ZOOM).mean(axis=(2, 4))


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (values - values.mean(axis=(1, 2), keepdims=True) for values in (a, b))
    return (a * b).sum((1, 2)) / np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)) + 1e-9)
