"""Linear heads on classes of a user: time of the fit, of the first prediction, and of leave-one-out."""

import time
from collections.abc import Iterator

import numpy as np
from PIL import Image

import vitviz
from vitviz.analysis import classifier
from vitviz.analysis.classifier.fitting import head_of
from vitviz.analysis.predictions import predictions

from .library import PHOTO
from .measure import Row, interleaved, spread

CROPS = 10  # of each of the six photographs
SIDE = 224  # pixels
LIMIT = 2.0  # seconds, for a fit of 60 images whose features are known
ROUNDS, TESTS = 9, 2


def teach() -> Iterator[Row]:
    """Fit a head on 60 crops of the sample photographs, with the features of DINOv2-S."""
    model = vitviz.load("dinov2-small")
    images, labels = _crops()
    begin = time.perf_counter()
    features = classifier.features(model, images, size=SIDE)
    seconds = time.perf_counter() - begin
    yield Row(f"features of {len(images)} images, {SIDE} px", f"{seconds:.1f} s", "", None, "in one job")

    def fit() -> vitviz.LinearHead:
        return head_of(model, classifier.fit(features, labels), labels, name="crops", size=SIDE)

    taught = vitviz.load("dinov2-small", head=fit())

    def predict() -> object:
        return predictions(taught.trace(PHOTO, size=SIDE))

    fits, first = interleaved(fit, predict, rounds=ROUNDS)
    yield _row(f"fit of a head on {len(images)} images whose features are known", fits)
    yield _row("fit and prediction for another image", fits + first)
    (tests,) = interleaved(lambda: classifier.cross_validate(features, labels), rounds=TESTS, warm_up=0)
    yield _row(f"leave-one-out of {len(images)} images", tests, limit=None)


def _row(quantity: str, seconds: np.ndarray, limit: float | None = LIMIT) -> Row:
    median = float(np.median(seconds))
    goal, ok = ("", None) if limit is None else (f"≤ {limit:g} s", median <= limit)
    return Row(quantity, f"{median:.2g} s", goal, ok, f"{spread(seconds, 's')}, {len(seconds)} rounds")


def _crops() -> tuple[list[Image.Image], list[str]]:
    """Return crops of the sample photographs, and the name of the photograph of each."""
    random, images, labels = np.random.default_rng(0), [], []
    for path in sorted(PHOTO.parent.glob("*.jpg")):
        photograph = Image.open(path).convert("RGB")
        for _ in range(CROPS):
            side = round(random.uniform(0.35, 0.75) * min(photograph.size))
            left, top = (round(random.uniform(0, length - side)) for length in photograph.size)
            images.append(photograph.crop((left, top, left + side, top + side)))
            labels.append(path.stem)
    return images, labels
