"""Result of `vitviz compare` for two images in one model: their mutual nearest neighbours."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from PIL import Image, ImageDraw

from ..analysis.comparison import Matches, joint_pca, match
from ..viz.colour import ATTENTION, KEY, QUERY, VALUE
from .result import Result, TracedImage, as_npz, base_facts

BACKGROUND = (128, 128, 128)


def matches_result(
    a: TracedImage, b: TracedImage, layer: int, threshold: float, gap: int
) -> tuple[Result, tuple[str, ...]]:
    """Match the patches of two images; returns the result and a sentence on it.

    Args:
        a: traced image A.
        b: traced image B.
        layer: layer, from 0.
        threshold: smallest cosine similarity of a pair.
        gap: pixels between the two pictures.
    """
    found = match(a.trace, b.trace, layer)
    pairs = found.mutual(threshold)
    similar = found.similarity[pairs[:, 0]]
    number = "1 pair of patches is" if len(pairs) == 1 else f"{len(pairs)} pairs of patches are"
    best = f" The most similar pair has {similar[0]:.3f}." if len(pairs) else ""
    sentence = (
        f"Layer {layer + 1}: {number} each other's nearest neighbour with a cosine similarity of at least "
        f"{threshold:g}, of {len(found.best)} and {len(found.best_back)} patches.{best}"
    )
    facts = [base_facts(image) for image in (a, b)]
    common = {key: facts[0][key] for key in ("model", "preprocessing", "assumed", "fit", "prefix", "counted_from")}
    about = common | {
        "names": [one["image"] for one in facts],
        "input": [one["input"] for one in facts],
        "grid": [one["grid"] for one in facts],
        "layer": layer + 1,
        "threshold": threshold,
        "mutual": len(pairs),
    }
    listed = [
        {"a": _place(pair[0], found.grids[0]), "b": _place(pair[1], found.grids[1]), "cosine": float(cosine)}
        for pair, cosine in zip(pairs, similar, strict=True)
    ]
    result = Result(
        facts=about | {"pairs": listed},
        caption=sentence,
        values={},
        about=about,
        text=f"{sentence} {a.trace.model.name}, {a.path.name} and {b.path.name}, counted from 1. vitviz.",
        colours=None,
        draw=lambda: _drawn(a.picture, b.picture, found, pairs, gap),
        npz=lambda: as_npz(
            about,
            best=found.best,
            similarity=found.similarity,
            best_back=found.best_back,
            similarity_back=found.similarity_back,
            mutual=pairs,
            **_colours(a, b, layer),
        ),
    )
    return result, (sentence,)


def _place(patch: int, grid: tuple[int, int]) -> list[int]:
    return [int(patch) // grid[1] + 1, int(patch) % grid[1] + 1]


def _colours(a: TracedImage, b: TracedImage, layer: int) -> dict[str, np.ndarray]:
    pca = joint_pca([a.trace, b.trace], layer)
    return {
        f"colours_{name}": pca.colours(at).reshape(*x.trace.grid, 3)
        for at, (name, x) in enumerate(zip("ab", (a, b), strict=True))
    }


def _drawn(a: Image.Image, b: Image.Image, found: Matches, pairs: np.ndarray, gap: int) -> Image.Image:
    """Draw both pictures side by side, with a line for each pair, the most similar on top."""
    page = Image.new("RGB", (a.width + gap + b.width, max(a.height, b.height)), BACKGROUND)
    page.paste(a, (0, 0))
    page.paste(b, (a.width + gap, 0))
    draw, colours = ImageDraw.Draw(page), cycle((ATTENTION, KEY, QUERY, VALUE))
    for pair, colour in reversed(list(zip(pairs, colours, strict=False))):
        ends = [
            (left + (column + 0.5) * picture.width / grid[1], (row + 0.5) * picture.height / grid[0])
            for left, picture, grid, (row, column) in (
                (0, a, found.grids[0], divmod(int(pair[0]), found.grids[0][1])),
                (a.width + gap, b, found.grids[1], divmod(int(pair[1]), found.grids[1][1])),
            )
        ]
        draw.line(ends, fill="white", width=4)
        draw.line(ends, fill=colour, width=2)
        for x, y in ends:
            draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour, outline="white")
    return page
