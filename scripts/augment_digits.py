"""Data augmentation of the 1257 training digits of 8 x 8 pixels, to resemble drawings, photographs and scans.

Half of the images keep the original's grey ink, made thinner, thicker or crisper. The other half are redrawn with a pen
of random width along the digit's centre lines, to resemble the crisp, thin lines of the drawing pad. Generated drawings
(`scripts/practice.py`) are treated in the same way. All are then shifted, rotated, scaled, sheared and bent, with
random colours of paper and ink.
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

BORDER = 2  # padding of the 8 x 8 original in pixels, so that a small digit has paper on all sides
ZOOM = 5  # field pixels per pixel of the original
FIELD = (8 + 2 * BORDER) * ZOOM  # side of a field, pixels
FRAME = 8 + 2 * MARGIN  # side of an output image in pixels of the original
MIN_CORRELATION = 0.96  # of redrawn centre lines with the original, for the centre lines to be used


@dataclass(frozen=True)
class Fields:
    """Digits at high resolution, float32 [digit, 1, 60, 60].

    Attributes:
        ink: amount of ink, 0 to 1.
        distance: distance to the digit's centre lines, in pixels of the 8 x 8 original.
        has_lines: bool [digit], True if the centre lines reproduce the digit.
    """

    ink: Tensor
    distance: Tensor
    has_lines: Tensor

    def __add__(self, others: "Fields") -> "Fields":
        """Concatenate two sets of digits."""
        return Fields(*(torch.cat(both) for both in zip(vars(self).values(), vars(others).values(), strict=True)))


def fields_of(images: np.ndarray) -> Fields:
    """Compute the fields of digits, [n, 8, 8] with ink from 0 to 1.

    Centre lines are computed with several thresholds; each digit keeps those that reproduce it best when redrawn.
    """
    ink = np.stack([_enlarged(image) for image in images])
    correlation, distance = np.zeros(len(ink)), np.empty_like(ink)
    for blur in (0.7, 1, 1.5):
        around = ndimage.gaussian_filter(ink, (0, blur * ZOOM, blur * ZOOM))
        for share, step in product((0.5, 0.8, 1), (0.06, 0.16)):
            lines = thinned(ink > share * around + step)
            candidate = np.stack([ndimage.distance_transform_edt(~line) for line in lines]) / ZOOM
            new = _redrawn_correlation(candidate, ink)
            better = new > correlation
            correlation[better], distance[better] = new[better], candidate[better]
    ink, distance = (torch.from_numpy(values).float()[:, None] for values in (ink, distance))
    return Fields(ink, distance, torch.from_numpy(correlation > MIN_CORRELATION))


def thinned(shapes: np.ndarray) -> np.ndarray:
    """Thin shapes, bool [n, H, W] with an empty border, to lines one pixel wide with the same connectivity.

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
    """Return an augmented model input for each chosen digit, float32 [image, 3, 32, 32] from -1 to 1.

    Args:
        fields: digits.
        chosen: indices of digits, int [image].
        random: random number generator.
        effort: strength of the augmentation, 0 (black on white, unchanged) to 1. Half of the images get the full
            strength, the others a random fraction of it, so that plain digits are not forgotten.
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
    """Random numbers per image, broadcastable to [image, channel, row, column]."""

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
    """Sample field coordinates of each pixel, [image, 32, 32, 2], and the digit's scale, [image, 1, 1, 1]."""
    scale = torch.where(draw.chance(0.5), draw.uniform(0.75, 1.2), draw.uniform(0.38, 0.9)) ** effort
    wide = draw.uniform(math.log(0.7), math.log(1.35)).exp() ** effort  # proportions differ between writers
    angle, shear = (draw.uniform(-limit, limit) * effort for limit in (math.radians(12), 0.15))
    room = (1.1 - 0.8 * scale).clamp(min=0.1) * effort  # small digits anywhere, large ones near the centre
    bends = F.interpolate(draw.noise(2, 4), size=(SIDE, SIDE), mode="bicubic") * draw.uniform(0, 0.05) * effort
    across = torch.linspace(-1, 1, SIDE + 1).unfold(0, 2, 1).mean(1)  # pixel centres; the frame spans -1 to 1
    x = across.view(1, 1, 1, -1) - room * draw.uniform(-1, 1)
    y = across.view(1, 1, -1, 1) - room * draw.uniform(-1, 1)
    turned_x, turned_y = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    places = torch.cat([(turned_x + shear * turned_y) / (scale * wide), turned_y / scale], dim=1) + bends
    return (places * (FRAME * ZOOM / FIELD)).permute(0, 2, 3, 1), scale


def _drawn(distance: Tensor, scale: Tensor, draw: _Random) -> Tensor:
    """Draw the centre lines with a round pen; distances are in pixels of the output image.

    The pen radius is limited for small digits, so that the rings of an 8 stay open.
    """
    radius = 0.6 + draw.uniform(0, 1.4) * (0.2 + scale).clamp(max=1)
    return ((radius - distance) / draw.uniform(0.7, 1.4) + 0.5).clamp(0, 1)


def _inked(ink: Tensor, draw: _Random, effort: Tensor) -> Tensor:
    """Make the strokes of the original ink thinner or thicker, and some of them crisper."""
    thick, thin = F.max_pool2d(ink, 3, 1, 1), -F.max_pool2d(-ink, 3, 1, 1)
    change = draw.uniform(-0.7, 0.7) * effort
    ink = torch.where(change > 0, ink.lerp(thick, change), ink.lerp(thin, -change)).clamp(0, 1)
    crisp = torch.sigmoid((ink - draw.uniform(0.25, 0.5)) * draw.uniform(math.log(5), math.log(40)).exp())
    return torch.where(draw.chance(0.5 * effort), crisp, ink)


def _coloured(ink: Tensor, draw: _Random, effort: Tensor) -> Tensor:
    """Apply random colours to ink and paper, with occasional blur and inversion and a little noise; 0 to 1."""
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


def _redrawn_correlation(distance: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Return the correlation, [n], of digits with lines redrawn at the best of three pen widths, at 8 x 8 pixels."""
    drawn = (np.clip(radius - distance + 0.5, 0, 1) for radius in (0.7, 1, 1.3))
    return np.max([_correlation(_shrunk(lines), _shrunk(ink)) for lines in drawn], axis=0)


def _shrunk(fields: np.ndarray) -> np.ndarray:
    return fields.reshape(len(fields), FIELD // ZOOM, ZOOM, -1, ZOOM).mean(axis=(2, 4))


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (values - values.mean(axis=(1, 2), keepdims=True) for values in (a, b))
    return (a * b).sum((1, 2)) / np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)) + 1e-9)
