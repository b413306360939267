"""Generated training drawings of the shipped classifier, in addition to the digits of the data set.

The data set has few of the shapes that people draw on a pad, such as an upright 7 or a 1 with a foot. Every point of a
style is moved at random, so no two drawings are the same. The shapes of `scripts/pen.py` are reserved for evaluation.
"""

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from scripts.augment_digits import FIELD, ZOOM, Fields

Points = list[tuple[float, float]]  # from (0, 0) at the top left to (1, 1)
HEIGHT = 6.8  # height of a digit's centre lines in pixels of the 8 x 8 originals
SHAKE = 0.05  # standard deviation of a point, relative to the digit's width and height

# Range of the aspect ratio (width / height), and strokes. A stroke is a list of curves, each of which begins at the end
# of the previous one.
# fmt: off
STYLES: dict[str, tuple[float, float, list[list[Points]]]] = {
    "0 closed": (0.45, 0.95, [
        [[(0.5, 0), (0.13, 0.18), (0, 0.5), (0.14, 0.83), (0.5, 1), (0.87, 0.82), (1, 0.5), (0.86, 0.17), (0.52, 0)]],
    ]),
    "0 overlapping": (0.5, 0.95, [
        [[(0.65, 0.02), (0.2, 0.12), (0, 0.55), (0.3, 0.95), (0.8, 0.9), (1, 0.45), (0.75, 0.05), (0.35, 0.08)]],
    ]),
    "1 of one stroke": (0.1, 0.3, [[[(0.5, 0), (0.5, 1)]]]),
    "1 with a flag": (0.25, 0.5, [[[(0, 0.28), (0.7, 0)], [(0.7, 1)]]]),
    "1 with a hook": (0.25, 0.5, [[[(0, 0.33), (0.35, 0.23), (0.7, 0)], [(0.65, 1)]]]),
    "1 with a foot": (0.25, 0.6, [[[(0.5, 0), (0.5, 1)]], [[(0, 1), (1, 1)]]]),
    "1 in print": (0.3, 0.65, [[[(0.2, 0.14), (0.52, 0)], [(0.5, 1)]], [[(0.05, 1), (0.95, 1)]]]),
    "2 with a point": (0.5, 0.9, [
        [[(0, 0.22), (0.3, 0.02), (0.75, 0.06), (0.9, 0.32), (0.5, 0.65), (0, 1)], [(1, 0.97)]],
    ]),
    "2 with a loop": (0.55, 0.9, [
        [
            [(0.05, 0.2), (0.45, 0), (0.85, 0.2), (0.6, 0.6),
             (0.15, 0.97), (0.05, 0.84), (0.25, 0.8), (0.6, 0.95), (1, 0.92)],
        ],
    ]),
    "2 angular": (0.5, 0.9, [[[(0, 0.12), (0.5, 0), (0.95, 0.2)], [(0, 1)], [(1, 1)]]]),
    "3 of two bows": (0.45, 0.85, [
        [[(0.05, 0.12), (0.5, 0), (0.9, 0.22), (0.4, 0.47)], [(0.95, 0.7), (0.55, 1), (0, 0.88)]],
    ]),
    "3 angular": (0.45, 0.85, [[[(0.05, 0.04), (0.85, 0.06)], [(0.35, 0.42)], [(0.9, 0.68), (0.5, 1), (0, 0.93)]]]),
    "4 like a chair": (0.5, 0.9, [[[(0.08, 0), (0.05, 0.53)], [(1, 0.52)]], [[(0.82, 0.05), (0.8, 1)]]]),
    "4 with a triangle": (0.55, 0.9, [[[(0.65, 0), (0, 0.68)], [(1, 0.68)]], [[(0.65, 0), (0.65, 1)]]]),
    "4 in one stroke": (0.5, 0.85, [[[(1, 0.62), (0, 0.6)], [(0.72, 0)], [(0.7, 1)]]]),
    "4 with a curve": (0.5, 0.9, [[[(0.2, 0), (0.08, 0.4), (0.35, 0.56), (0.95, 0.5)]], [[(0.85, 0.05), (0.7, 1)]]]),
    "5 with corners": (0.45, 0.85, [
        [[(0.95, 0), (0.2, 0.02)], [(0.12, 0.45)], [(0.6, 0.38), (0.95, 0.67), (0.6, 0.98), (0, 0.92)]],
    ]),
    "5 like an S": (0.5, 0.85, [
        [[(0.95, 0.02), (0.35, 0.04), (0.15, 0.32), (0.6, 0.45), (0.92, 0.7), (0.5, 1), (0, 0.9)]],
    ]),
    "5 of two strokes": (0.45, 0.85, [
        [[(0.2, 0), (0.14, 0.42)], [(0.6, 0.4), (0.95, 0.7), (0.5, 1), (0, 0.9)]],
        [[(0.22, 0.04), (1, 0)]],
    ]),
    "6 rolled in": (0.45, 0.85, [
        [[(0.75, 0), (0.3, 0.27), (0, 0.68), (0.4, 1), (0.95, 0.76), (0.6, 0.5), (0.1, 0.66)]],
    ]),
    "6 upright": (0.4, 0.75, [[[(0.4, 0), (0.1, 0.38), (0.05, 0.75), (0.5, 1), (0.95, 0.74), (0.5, 0.5), (0.1, 0.7)]]]),
    "6 with a stick": (0.4, 0.8, [
        [[(0.6, 0), (0.08, 0.65)], [(0.12, 0.88), (0.5, 1), (0.92, 0.8), (0.6, 0.55), (0.12, 0.68)]],
    ]),
    "7 slanted": (0.45, 0.85, [[[(0, 0.03), (1, 0)], [(0.15, 1)]]]),
    "7 steep": (0.45, 0.85, [[[(0, 0.02), (1, 0.02)], [(0.5, 1)]]]),
    "7 bent": (0.45, 0.85, [[[(0, 0.03), (1, 0)], [(0.58, 0.45), (0.38, 1)]]]),
    "7 with a wave": (0.5, 0.85, [[[(0, 0.1), (0.3, 0), (0.65, 0.07), (1, 0)], [(0.35, 1)]]]),
    "7 with a tick": (0.45, 0.85, [[[(0, 0.2), (0.02, 0)], [(1, 0)], [(0.45, 1)]]]),
    "7 crossed": (0.5, 0.9, [[[(0, 0.03), (1, 0)], [(0.35, 1)]], [[(0.28, 0.55), (0.9, 0.5)]]]),
    "8 from the top": (0.45, 0.8, [
        [
            [(0.85, 0.13), (0.45, 0), (0.08, 0.22), (0.5, 0.47), (0.97, 0.77),
             (0.5, 1), (0.03, 0.77), (0.5, 0.48), (0.92, 0.22), (0.8, 0.08)],
        ],
    ]),
    "8 from the middle": (0.45, 0.8, [
        [
            [(0.5, 0.47), (0.1, 0.23), (0.5, 0), (0.9, 0.23), (0.5, 0.48)],
            [(0.02, 0.75), (0.5, 1), (0.98, 0.76), (0.52, 0.47)],
        ],
    ]),
    "9 with a stick": (0.4, 0.8, [[[(0.88, 0.22), (0.5, 0), (0.05, 0.25), (0.4, 0.5), (0.88, 0.22)], [(0.82, 1)]]]),
    "9 with a hook": (0.45, 0.8, [
        [[(0.9, 0.22), (0.5, 0), (0.05, 0.27), (0.45, 0.52), (0.9, 0.25)], [(0.9, 0.65), (0.6, 1), (0.1, 0.92)]],
    ]),
    "9 slanted": (0.45, 0.8, [[[(0.95, 0.12), (0.5, 0), (0.08, 0.28), (0.45, 0.5), (0.95, 0.14)], [(0.45, 1)]]]),
}
# fmt: on


def practice(each: int, seed: int) -> tuple[Fields, torch.Tensor]:
    """Draw every digit `each` times, alternating between its styles. Returns fields and labels."""
    random = np.random.default_rng(seed)
    by_digit = [[style for style in STYLES if style.startswith(str(digit))] for digit in range(10)]
    chosen = [styles[i % len(styles)] for styles in by_digit for i in range(each)]
    distance = torch.stack([_distance(_strokes(style, random)) for style in chosen])[:, None]
    pen = torch.from_numpy(random.uniform(0.45, 0.9, len(chosen))).float().view(-1, 1, 1, 1)
    ink = ((pen - distance) * ZOOM / 2 + 0.5).clamp(0, 1)
    labels = torch.tensor([int(style[0]) for style in chosen])
    return Fields(ink, distance, torch.ones(len(chosen), dtype=torch.bool)), labels


def _strokes(style: str, random: np.random.Generator) -> list[np.ndarray]:
    """Sample the strokes of a drawing: points [n, 2] along each, in original pixels from the field's centre."""
    narrow, wide, strokes = STYLES[style]
    size = HEIGHT * np.array([random.uniform(narrow, wide), 1])
    lines = []
    for stroke in strokes:
        line = np.empty((0, 2))
        for curve in stroke:
            points = np.array(curve) + random.normal(0, SHAKE, (len(curve), 2))
            line = np.concatenate([line, _smooth(np.concatenate([line[-1:], points]))[len(line[-1:]) :]])
        lines.append(line)
    everything = np.concatenate(lines)
    middle = (everything.min(axis=0) + everything.max(axis=0)) / 2
    return [(line - middle) * size for line in lines]


def _smooth(points: np.ndarray) -> np.ndarray:
    """Interpolate points, [n, 2], with a smooth curve."""
    if len(points) < 3:
        return points
    along = np.concatenate([[0], np.linalg.norm(np.diff(points, axis=0), axis=1).cumsum()])
    return CubicSpline(along, points, bc_type="natural")(np.linspace(0, along[-1], 6 * len(points)))


def _distance(strokes: list[np.ndarray]) -> torch.Tensor:
    """Return the distance of each field pixel to the strokes in pixels of the original, float32 [60, 60]."""
    starts, ends = (
        torch.from_numpy(np.concatenate([stroke[part] for stroke in strokes])).float()[:, None]
        for part in (slice(-1), slice(1, None))
    )
    across = (torch.arange(FIELD) + 0.5 - FIELD / 2) / ZOOM
    places = torch.stack(torch.meshgrid(across, across, indexing="xy"), dim=-1).view(1, -1, 2)
    line = ends - starts
    share = ((places - starts) * line).sum(-1, keepdim=True) / (line * line).sum(-1, keepdim=True).clamp(min=1e-9)
    nearest = starts + share.clamp(0, 1) * line
    return (places - nearest).square().sum(-1).min(dim=0).values.sqrt().view(FIELD, FIELD)
