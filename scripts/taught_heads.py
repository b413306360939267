"""Accuracy of taught heads against the number of images per class: `python -m scripts.taught_heads`, 7 minutes.

Heads are fitted on features of the shipped DINOv2-S, as on page Teach, and tested on other images. Written are the
counts (`RESULTS`), from which page Teach quotes, the figure, and the tables in docs/taught-heads.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import vitviz
from scripts import taught_heads_report
from scripts.digits import as_picture, load_split
from scripts.train_digits import SAMPLE_SIDE
from vitviz import VisionTransformer
from vitviz.analysis import classifier
from vitviz.ui.pages.teach.example import SHARES
from vitviz.zoo import assets

MODEL, SIZE, SEED = "dinov2-small", 224, 0
COUNTS = (1, 2, 3, 5, 10, 20, 30)  # images per class
DRAWS = 10
POOLINGS = ("token", "token+mean")
TRAIN_CROPS, TEST_CROPS = 60, 40  # of each photograph
PHOTOGRAPHS = assets() / "images"


@dataclass(frozen=True)
class Examples:
    """Images of one class, or their features [image, feature].

    Attributes:
        train: those from which the images of a draw are taken.
        test: those that no head is fitted on.
    """

    train: Sequence
    test: Sequence


def crops(path: Path, train: int = TRAIN_CROPS, test: int = TEST_CROPS) -> Examples:
    """Return square crops of a photograph: of its left half for training, of its right half for the test.

    The halves have no pixel in common. Sides are as on page Teach, but relative to the shorter side of the half.
    """
    photograph = Image.open(path).convert("RGB")
    middle = photograph.width // 2
    left = photograph.crop((0, 0, middle, photograph.height))
    right = photograph.crop((middle, 0, photograph.width, photograph.height))
    return Examples(_squares(left, train), _squares(right, test))


def _squares(image: Image.Image, count: int) -> list[Image.Image]:
    random, found = np.random.default_rng(SEED), []
    for _ in range(count):
        side = round(random.uniform(*SHARES) * min(image.size))
        left, top = (round(random.uniform(0, length - side)) for length in image.size)
        found.append(image.crop((left, top, left + side, top + side)))
    return found


def all_crops() -> dict[str, Examples]:
    """Return crops of the shipped photographs by name."""
    return {path.stem: crops(path) for path in sorted(PHOTOGRAPHS.glob("*.jpg"))}


def all_digits() -> dict[str, Examples]:
    """Return scikit-learn's digits by class, split and enlarged as for the shipped classifier and sample images.

    The five shipped images of digits are among those of the test.
    """
    split = load_split()

    def pictures(name: str, digit: int) -> list[Image.Image]:
        part = split[name]
        return [Image.fromarray(as_picture(image, SAMPLE_SIDE)) for image in part.images[part.labels == digit]]

    return {str(digit): Examples(pictures("train", digit), pictures("held-out", digit)) for digit in range(10)}


def features(model: VisionTransformer, examples: dict[str, Examples]) -> dict[str, Examples]:
    """Compute the class token and the mean of the patches of all images, [image, 2 * embed_dim]."""
    return {
        name: Examples(*(classifier.features(model, part, "token+mean", size=SIZE) for part in (one.train, one.test)))
        for name, one in examples.items()
    }


def pooled(examples: dict[str, Examples], pooling: str) -> dict[str, Examples]:
    """Return the part of the features that belongs to a pooling; the class token stands first."""
    if pooling == "token+mean":
        return examples
    return {
        name: Examples(*(np.asarray(part)[:, : np.shape(part)[1] // 2] for part in (one.train, one.test)))
        for name, one in examples.items()
    }


def chosen(available: int, draw: int, place: int) -> np.ndarray:
    """Return the order in which images of a class are taken; draws of more images contain those of fewer.

    Args:
        available: number of images.
        draw: number of the draw.
        place: number of the class.
    """
    return np.random.default_rng((SEED, draw, place)).permutation(available)


def correct(examples: dict[str, Examples], count: int, draw: int, *, binary: bool) -> list[int]:
    """Fit a head and count its correct predictions for the test images of each class.

    Args:
        examples: features by class.
        count: number of training images per class.
        draw: number of the draw.
        binary: fit one binary classifier for each class.
    """
    taken = [
        np.asarray(one.train)[chosen(len(one.train), draw, place)[:count]]
        for place, one in enumerate(examples.values())
    ]
    fitted = classifier.fit(np.concatenate(taken), np.repeat(list(examples), count).tolist(), binary=binary)
    return [
        int((np.array(fitted.classes)[fitted.probabilities(one.test).argmax(axis=1)] == name).sum())
        for name, one in examples.items()
    ]


def measured(examples: dict[str, Examples], counts: Sequence[int] = COUNTS, draws: int = DRAWS) -> dict:
    """Measure all heads on features by class.

    Returns:
        The classes, their numbers of test images, and for each head its `correct` predictions [draw][class].
    """
    rows = [
        {
            "pooling": pooling,
            "binary": binary,
            "images": count,
            "correct": [correct(pooled(examples, pooling), count, draw, binary=binary) for draw in range(draws)],
        }
        for pooling in POOLINGS
        for binary in (False, True)
        for count in counts
    ]
    return {"classes": list(examples), "test": [len(one.test) for one in examples.values()], "rows": rows}


def main() -> None:
    """Measure, and write counts, figure and tables."""
    parser = argparse.ArgumentParser(prog="python -m scripts.taught_heads", description=main.__doc__)
    parser.add_argument(
        "--report-only", action="store_true", help="write only figure and tables, from the stored counts"
    )
    if not parser.parse_args().report_only:
        started, model = time.monotonic(), vitviz.load(MODEL)
        sets = {
            name: measured(features(model, images())) for name, images in (("crops", all_crops), ("digits", all_digits))
        }
        taught_heads_report.save(MODEL, SIZE, SEED, sets)
        print(f"measured in {(time.monotonic() - started) / 60:.1f} minutes")
    print(taught_heads_report.write())


if __name__ == "__main__":
    main()
