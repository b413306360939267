"""Features of images, each computed once for all users: inline for the present image, in the background for classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from .... import zoo
from ....analysis import classifier
from ....errors import VitvizError
from ....images import Prepared, SafeImage, Size, prepare
from ....model.config import Pooling
from ....notation.variables import CACHE_MB
from ....trace.vision_transformer import VisionTransformer
from ...app import cache, models, state, taught
from ...app.cache import cached
from ...app.decoded_images import decoded
from ...app.jobs import background
from ...app.jobs.queue import Job
from ...app.turns import one_at_a_time
from .settings import POOLING

PATCHES_AT_ONCE = 1100  # of a forward pass: four images at 224 px; other users wait for a pass at most


@dataclass(frozen=True)
class FeatureSetup:
    """Model, preprocessing and pooling, which determine the feature of an image.

    Attributes:
        model: name of the base model, whose own classifier is not used.
        size: input size.
        fit: fit of the images to that size.
        pooling: pooling of the tokens.
    """

    model: str
    size: Size
    fit: str
    pooling: Pooling

    @cached_property
    def key(self) -> tuple:
        """Cache key, which changes with the file of a checkpoint."""
        return self.model, zoo.version(self.model), self.size, self.fit, self.pooling


def base_choice() -> state.Choice:
    """Return the user's choice with the base model, on which heads are fitted even if one is in use."""
    return replace(state.choice(), model=taught.base())


def setup_of(choice: state.Choice) -> FeatureSetup:
    """Return the setup that the user has chosen."""
    return FeatureSetup(choice.model, choice.size, choice.fit, POOLING.get(choice))


def prepared(setup: FeatureSetup, picked: state.Picked) -> Prepared:
    """Return the model input for an image."""
    return _prepared(picked.digest, setup.key[:-1], setup, picked)


@cached()
def _prepared(digest: str, key: tuple, _setup: FeatureSetup, _picked: state.Picked) -> Prepared:
    return _as_input(_setup, decoded(_picked.digest, _picked.data))


def _as_input(setup: FeatureSetup, image: SafeImage) -> Prepared:
    info = models.describe(setup.model)
    return prepare(image, setup.size, info.config.patch_size, setup.fit, info.preprocessing)


def feature(setup: FeatureSetup, picked: state.Picked) -> np.ndarray:
    """Return the feature of one image, float32 [feature]; it is computed now if it is not known."""
    return cache.results.get_or_compute(_key(setup, picked), lambda: _of_input(setup, prepared(setup, picked)))


def of_image(setup: FeatureSetup, image: SafeImage) -> np.ndarray:
    """Compute the feature of a decoded image, float32 [feature], which is not kept."""
    return _of_input(setup, _as_input(setup, image))


def _of_input(setup: FeatureSetup, image: Prepared) -> np.ndarray:
    model = zoo.shared(setup.model)
    with one_at_a_time.first():
        return _of_images(setup, model, [image])[0]


def missing(setup: FeatureSetup, images: Sequence[state.Picked]) -> list[state.Picked]:
    """Return the images whose features are not known."""
    return [picked for picked in images if cache.results.get(_key(setup, picked)) is None]


def features(setup: FeatureSetup, images: Sequence[state.Picked]) -> np.ndarray | None:
    """Return the features of images, float32 [image, feature]; None if one is not known."""
    found = [cache.results.get(_key(setup, picked)) for picked in images]
    return np.stack(found) if found and all(one is not None for one in found) else None


def step(setup: FeatureSetup, images: Sequence[state.Picked]) -> background.Step:
    """Return the step that computes the features of images."""
    key = ("features", setup.key, tuple(picked.digest for picked in images))
    return background.Step(key, partial(_run, setup, tuple(images)), describe=progress_of, is_kept=False)


def each(
    setup: FeatureSetup, images: Sequence[Any], as_input: Callable[[Any], Prepared], job: Job
) -> Iterator[np.ndarray]:
    """Yield the features of images, float32 [feature], in a job.

    Args:
        setup: model and preprocessing.
        images: the images.
        as_input: function that prepares one of them for the model.
        job: receives the progress.
    """
    model = zoo.shared(setup.model)
    patches = math.prod(models.pixels(setup.size)) // model.config.patch_size**2
    at_once = max(1, PATCHES_AT_ONCE // patches)
    for first in range(0, len(images), at_once):
        together = [as_input(image) for image in images[first : first + at_once]]
        yield from _of_images(setup, model, together)
        job(first + len(together), len(images))


def _run(setup: FeatureSetup, images: Sequence[state.Picked], job: Job) -> None:
    """Compute and store features; may run in any thread. Those computed before the job is stopped are kept."""
    for picked, one in zip(images, each(setup, images, partial(prepared, setup), job), strict=True):
        cache.results.put(_key(setup, picked), one.copy())  # a row would keep the array of all rows in memory
    if missing(setup, images):  # otherwise, the page would start again for ever
        raise VitvizError(f"The features are too large for this server's cache; increase {CACHE_MB.name}.")


def _of_images(setup: FeatureSetup, model: VisionTransformer, images: Sequence[Prepared]) -> np.ndarray:
    return classifier.features(model, images, setup.pooling, size=setup.size, fit=setup.fit)


def progress_of(job: Job) -> str:
    """Describe the progress of a job that computes features."""
    return f"Features of {job.done} of {job.total} images" if job.total else "Features of the images"


def _key(setup: FeatureSetup, picked: state.Picked) -> tuple:
    return "feature", picked.digest, setup.key
