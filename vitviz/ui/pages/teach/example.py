"""Ready-made example: classes from crops of the shipped photographs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from io import BytesIO

import numpy as np
import streamlit as st
from PIL import Image

from .... import zoo
from ....analysis import classifier
from ....analysis.classifier import CrossValidation
from ....analysis.classifier.fitting import head_of
from ....images import Prepared, SafeImage, prepare
from ....zoo.heads import LinearHead
from ...app import cache, models, state
from ...app.jobs import background, durations
from ...app.jobs.queue import Job
from ...app.turns import one_at_a_time
from . import figures, image_features
from .image_features import FeatureSetup
from .settings import BINARY, PLACE

CROPS = 40  # of each photograph
FITTED = 30  # of these; the others are held out
SHARES = (0.35, 0.75)  # of the shorter side of the photograph: smallest and largest side of a crop
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, eq=False)
class Example:
    """Fitted example.

    Attributes:
        head: the head.
        held_out: its predictions for crops that it was not fitted on.
    """

    head: LinearHead
    held_out: CrossValidation


def photographs() -> dict[str, bytes]:
    """Return the shipped photographs by name."""
    return {name: data for name, data in state.samples().items() if not name.startswith("digit-")}


def crops(data: bytes) -> list[Image.Image]:
    """Return square crops of a photograph, RGB, at places and of sizes that are always the same."""
    photograph, random = Image.open(BytesIO(data)).convert("RGB"), np.random.default_rng(0)
    found = []
    for _ in range(CROPS):
        side = round(random.uniform(*SHARES) * min(photograph.size))
        left, top = (round(random.uniform(0, length - side)) for length in photograph.size)
        found.append(photograph.crop((left, top, left + side, top + side)))
    return found


def title() -> str:
    """Return the name of the example: `"Six photographs, forty crops each"`."""
    count = len(photographs())
    return f"{NUMBERS[count].capitalize() if count < len(NUMBERS) else count} photographs, forty crops each"


def draw(setup: FeatureSetup) -> tuple[Example | None, list[background.Request]]:
    """Draw the example. Return it if it is fitted, and the remaining work."""
    st.markdown(
        f"**{title()}**  \nEach photograph is a class: {FITTED} of its crops are used for fitting, {CROPS - FITTED} "
        "are held out. All are crops of the same photographs, so the accuracy says little about other photographs."
    )
    key = _key(setup)
    features = cache.results.get(key)
    steps = (
        []
        if features is not None
        else [background.Step(key, partial(_run, setup), describe=image_features.progress_of)]
    )
    work = background.Work(key, PLACE, "teach_example", "Fit the example", steps, autostart=True)
    pending = background.start_button(work)
    if features is None:
        return None, pending
    example = fitted(setup, features)
    figures.accuracy(example.held_out, "Held-out crops")
    figures.confusion(example.held_out)
    return example, pending


def fitted(setup: FeatureSetup, features: np.ndarray) -> Example:
    """Return the example, fitted on features [photograph, crop, feature]."""
    return cache.results.get_or_compute(fitted_key(setup), partial(_fit, setup, features, BINARY.get()))


def fitted_key(setup: FeatureSetup) -> tuple:
    """Return the cache key of the fitted example."""
    return "fitted example", setup.key, BINARY.get()


def known(setup: FeatureSetup) -> Example | None:
    """Return the example if it is fitted."""
    return cache.results.get(fitted_key(setup))


def step(choice: state.Choice, setup: FeatureSetup) -> background.Step:
    """Return the step that computes the features and fits the example, whose result is an `Example`.

    Args:
        choice: image and model, for the expected duration.
        setup: model and preprocessing.
    """
    trace, count = state.trace(choice), CROPS * len(photographs())
    return background.Step(
        fitted_key(setup),
        partial(_run_and_fit, setup, BINARY.get()),
        durations.expected(choice, trace, "feature", count),
        pace=durations.pace_key(choice, trace, "feature"),
        describe=image_features.progress_of,
    )


def _run_and_fit(setup: FeatureSetup, binary: bool, job: Job) -> Example:
    """Compute the features, unless they are known, and fit the example; may run in any thread."""
    return _fit(setup, cache.results.get_or_compute(_key(setup), partial(_run, setup, job)), binary)


def _fit(setup: FeatureSetup, features: np.ndarray, binary: bool) -> Example:
    names, (train, test) = list(photographs()), np.split(features, [FITTED], axis=1)
    labels, truth = np.repeat(names, FITTED).tolist(), np.repeat(np.arange(len(names)), CROPS - FITTED)
    with one_at_a_time:
        found = classifier.fit(train.reshape(len(labels), -1), labels, binary=binary)
        probabilities = found.probabilities(test.reshape(len(truth), -1))
        options = {"pooling": setup.pooling, "size": setup.size, "fit": setup.fit}
        head = head_of(zoo.shared(setup.model), found, labels, name="crops", **options)
    return Example(head, CrossValidation(found.classes, truth, probabilities, folds=1))


def _run(setup: FeatureSetup, job: Job) -> np.ndarray:
    """Compute the features of all crops, float32 [photograph, crop, feature]; may run in any thread."""
    info = models.describe(setup.model)

    def as_input(crop: Image.Image) -> Prepared:
        return prepare(SafeImage(crop), setup.size, info.config.patch_size, setup.fit, info.preprocessing)

    every = [crop for data in photographs().values() for crop in crops(data)]
    found = np.stack(list(image_features.each(setup, every, as_input, job)))
    return found.reshape(len(photographs()), CROPS, -1)


def _key(setup: FeatureSetup) -> tuple:
    return "example", setup.key
