"""Generated test drawings, as on the app's drawing pad: strokes of a round pen, black on 280 x 280 white pixels.

Except for the plain 1, their shapes are not used in training, so they test the classifier on new drawings. The training
drawings are in `scripts/practice.py`.
"""

import math

import numpy as np
from PIL import Image, ImageDraw

CANVAS = 280  # pixels
HEIGHTS = (0.35, 0.8)  # range of a digit's height, relative to the pad
SMALL = (0.35, 0.45)
Stroke = list[tuple[float, float]]  # points from (0, 0) at the top left to (1, 1)


def _arc(x: float, y: float, across: float, down: float, start: float, end: float) -> Stroke:
    """Return points on an ellipse; angles in degrees, clockwise from three o'clock."""
    angles = np.radians(np.linspace(start, end, 25))
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]


# Aspect ratio (width / height) and strokes of each style.
DIGITS: dict[str, tuple[float, list[Stroke]]] = {
    "0 round": (0.8, [_arc(0.5, 0.5, 0.5, 0.5, -90, 270)]),
    "0 narrow": (0.55, [_arc(0.5, 0.5, 0.5, 0.5, -70, 300)]),
    "1 plain": (0.1, [[(0.5, 0), (0.5, 1)]]),
    "1 with a serif": (0.4, [[(0, 0.3), (0.8, 0), (0.8, 1)]]),
    "1 with a flag and a foot": (0.42, [[(0, 0.25), (0.5, 0), (0.5, 1)], [(0.05, 1), (1, 1)]]),
    "2 with a corner": (0.65, [[*_arc(0.5, 0.28, 0.45, 0.28, -160, 30), (0, 1), (1, 1)]]),
    "2 with a swing": (0.7, [[*_arc(0.5, 0.27, 0.42, 0.27, 190, 400), (0.3, 0.8), (0.05, 0.97), (0.5, 0.93), (1, 1)]]),
    "3 round": (0.6, [[*_arc(0.45, 0.25, 0.48, 0.25, -150, 90), *_arc(0.45, 0.74, 0.55, 0.26, -90, 150)]]),
    "3 with a flat top": (0.65, [[(0.05, 0), (0.95, 0), (0.45, 0.4), *_arc(0.45, 0.7, 0.52, 0.3, -80, 150)]]),
    "4 open": (0.7, [[(0.2, 0), (0, 0.6), (1, 0.6)], [(0.75, 0.25), (0.7, 1)]]),
    "4 closed": (0.7, [[(0.75, 1), (0.75, 0), (0, 0.68), (1, 0.68)]]),
    "5 in one stroke": (0.6, [[(0.95, 0), (0.15, 0), (0.1, 0.45), *_arc(0.42, 0.68, 0.55, 0.32, -110, 140)]]),
    "5 with a hat": (0.6, [[(0.15, 0), (0.1, 0.42), *_arc(0.4, 0.7, 0.58, 0.3, -110, 150)], [(0.15, 0), (1, 0)]]),
    "6 curved": (0.6, [[(0.8, 0), (0.35, 0.25), (0.05, 0.6), *_arc(0.5, 0.72, 0.47, 0.28, 180, -185)]]),
    "6 steep": (0.55, [[(0.5, 0), (0.2, 0.35), *_arc(0.5, 0.7, 0.45, 0.3, 190, -170)]]),
    "7 plain": (0.65, [[(0, 0), (1, 0), (0.4, 1)]]),
    "7 upright": (0.73, [[(0, 0), (1, 0), (0.625, 1)]]),
    "7 upright and narrow": (0.5, [[(0, 0), (1, 0), (0.7, 1)]]),
    "7 curved": (0.65, [[(0, 0.03), (1, 0), (0.86, 0.22), (0.74, 0.46), (0.66, 0.72), (0.62, 1)]]),
    "7 with a bar": (0.65, [[(0, 0), (1, 0), (0.4, 1)], [(0.25, 0.5), (0.95, 0.5)]]),
    "8 of two rings": (0.55, [_arc(0.5, 0.24, 0.42, 0.24, 90, 450), _arc(0.5, 0.74, 0.5, 0.26, -90, 270)]),
    "8 in one stroke": (
        0.55,
        [[*_arc(0.5, 0.25, 0.45, 0.25, -30, -270), *_arc(0.5, 0.75, 0.5, 0.25, -90, 280), (0.92, 0.12)]],
    ),
    "9 straight": (0.55, [[*_arc(0.45, 0.28, 0.42, 0.28, -10, -370), (0.9, 0.1), (0.85, 1)]]),
    "9 curved": (0.6, [[*_arc(0.48, 0.28, 0.45, 0.28, 0, -360), (0.93, 0.5), *_arc(0.45, 0.7, 0.47, 0.3, 0, 120)]]),
}


def draw(style: str, random: np.random.Generator, heights: tuple[float, float] = HEIGHTS) -> np.ndarray:
    """Draw a digit in a style of `DIGITS` at a random position, uint8 [280, 280, 3].

    Height (a range relative to the pad), aspect ratio, slant, rotation, pen width (16 to 24 pixels) and wobble are
    random.
    """
    aspect, strokes = DIGITS[style]
    pen = random.uniform(16, 24)
    height = CANVAS * random.uniform(*heights)
    turn, slant = np.radians(random.uniform(-8, 8)), random.uniform(-0.15, 0.25)
    shape = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]] @ np.array([[1, -slant], [0, 1]])
    size = height * np.array([aspect * random.uniform(0.85, 1.2), 1])
    wave, phase = random.uniform(0, 0.02, 2), random.uniform(0, 2 * math.pi, 2)
    lines = []
    for path in strokes:
        points = np.array(path) - 0.5
        points += random.normal(0, 0.01, 2) + wave * np.sin(5 * points[:, ::-1] + phase)
        lines.append(points * size @ shape.T)
    low, high = (edge(np.concatenate(lines), axis=0) for edge in (np.min, np.max))
    fitting = min(1, *((CANVAS - 2.1 * pen) / (high - low)))  # with some room for random positions
    place = random.uniform(pen - low * fitting, CANVAS - pen - high * fitting)
    pad = Image.new("RGB", (CANVAS, CANVAS), "white")
    for line in lines:
        stroke(ImageDraw.Draw(pad), line * fitting + place, pen)
    return np.array(pad)


def drawn_digits(
    seed: int = 0, each: int = 40, heights: tuple[float, float] = HEIGHTS
) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    """Draw every style `each` times. Returns images, labels [image] and styles, which depend on the seed only."""
    random = np.random.default_rng(seed)
    styles = [style for style in DIGITS for _ in range(each)]
    return [draw(style, random, heights) for style in styles], np.array([int(style[0]) for style in styles]), styles


def stroke(canvas: ImageDraw.ImageDraw, points: np.ndarray, pen: float) -> None:
    """Draw a line through points, [n, 2] in pixels."""
    canvas.line([tuple(point) for point in points], fill="black", width=round(pen))
    for x, y in points:  # round joints and ends
        canvas.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill="black")
