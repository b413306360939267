"""Similarity of the layers of two models: linear centred kernel alignment (CKA).

References:
    Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited", https://arxiv.org/abs/1905.00414,
    section 3 (CKA with a linear kernel)
    Song et al. 2012, "Feature Selection via Dependence Maximization", JMLR 13, equation 5 (unbiased estimator of HSIC)
    Nguyen et al. 2021, "Do Wide and Deep Networks Learn the Same Things?", https://arxiv.org/abs/2010.15327,
    section 3.1 (CKA of minibatches with the unbiased estimator)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import ArgumentError, ImageError
from ...errors.arguments import array, at_least, one_of, typed
from ...errors.brief import brief
from ...errors.progress import Progress, silent
from ...images import Size, check_size
from ...notation.marks import format_size
from ...trace.inputs import ImageSource
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from .places import paired_patches

Over = Literal["patches", "images"]
MOST_SAMPLES = 576  # of a minibatch, 24 x 24 patches; bounds the memory to 2.7 MB per layer and model
FEWEST_SAMPLES = 4  # for the unbiased estimator


@brief
@dataclass(frozen=True, eq=False)
class Cka:
    """Linear CKA of all layers of a model A with all layers of a model B.

    Attributes:
        values: CKA of the outputs of two layers, float32 [layer of A, layer of B]: at most about 1, and 1 for outputs
            that are equal up to rotation, scale and shift. The estimator is unbiased, so that unrelated outputs are
            around 0, and can be slightly negative. NaN for a layer whose samples do not differ.
        over: `"patches"` or `"images"`, the samples.
        images: number of images.
        samples: number of samples in all minibatches.
        minibatches: number of minibatches.
    """

    values: np.ndarray
    over: Over
    images: int
    samples: int
    minibatches: int


@typed
def cka(
    model_a: VisionTransformer,
    model_b: VisionTransformer,
    images: Sequence[ImageSource],
    *,
    over: Over = "patches",
    size: Size | None = None,
    fit: str | None = None,
    progress: Progress | None = None,
) -> Cka:
    """Compute the linear CKA of all layers of two models on some images.

    CKA compares which samples two layers represent as similar: HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)), where K and L
    are the dot products of all pairs of samples. Each HSIC is the unbiased estimator, averaged over minibatches, so the
    result does not grow when there are few samples and many dimensions. One image is processed at a time; besides its
    activations, memory holds samples x samples numbers for each layer of a minibatch of at most 576 samples.

    Args:
        model_a: model A.
        model_b: model B, whose depth, embed_dim and patch size may differ; it may be the same model.
        images: images as in `VisionTransformer.trace`.
        over: samples. `"patches"`: the patch tokens, one minibatch for each image, so only differences within images
            count. Patches of both models are paired by their position (see `counterparts`); of more than 576 pairs,
            576 that are evenly spaced are used. `"images"`: one sample for each image, the mean of its patch tokens;
            needs at least four images.
        size: input size of both models, as in `VisionTransformer.trace`.
        fit: fit of the images to that size, as in `VisionTransformer.trace`.
        progress: function called with the number of images done and in total. An exception that it raises stops the
            computation.

    Raises:
        ImageError: if an image, the size or the fit is invalid.
        ModelError: if a model does not fit an image that is given as tensor.
        ArgumentError: if there are too few images, or the inputs of the models have too few places in common.
    """
    one_of(over, ("patches", "images"), "kind of samples")
    needed = 1 if over == "patches" else FEWEST_SAMPLES
    at_least(len(images), needed, "The number of images")
    check_common_size(size, model_a, model_b)
    report, sums, samples, minibatches = progress or silent, None, 0, 0
    for a, b in _minibatches(model_a, model_b, images, over, size, fit, report):
        batch = _Hsic.of(a, b)
        sums = batch if sums is None else sums + batch
        samples, minibatches = samples + a.shape[1], minibatches + 1
    return Cka(sums.cka().astype(np.float32), over, len(images), samples, minibatches)


@typed
def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the linear CKA of two sets of features of the same samples, with the unbiased estimator of HSIC.

    Args:
        x: features, [sample, D]; at least four samples.
        y: features of the same samples, [sample, D of y].

    Returns:
        CKA, as in `Cka.values`. Memory holds samples x samples numbers.

    Raises:
        ArgumentError: if the numbers of samples differ or are below four.
    """
    x, y = (array(one, "sample, D", "Features") for one in (x, y))
    if len(x) != len(y):
        raise ArgumentError(f"The features are of {len(x)} and {len(y)} samples; give features of the same samples.")
    return float(_Hsic.of(x[None], y[None]).cka()[0, 0])


def evenly_spaced(count: int) -> np.ndarray:
    """Return the indices of at most 576 of so many samples, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_SAMPLES)).round().astype(int))


@dataclass(frozen=True)
class _Hsic:
    """Unbiased HSIC of all layers of A with all layers of B, of A's with themselves, and of B's with themselves."""

    cross: np.ndarray  # [layer of A, layer of B]
    a: np.ndarray  # [layer of A]
    b: np.ndarray  # [layer of B]

    @classmethod
    def of(cls, a: np.ndarray, b: np.ndarray) -> _Hsic:
        """Compute the estimates for features [layer, sample, D] of both models."""
        at_least(a.shape[1], FEWEST_SAMPLES, "The number of samples (patches or images) for CKA")
        grams = _grams(a)
        others = grams if b is a else _grams(b)
        return cls(_hsic(grams, others), _hsic_with_itself(grams), _hsic_with_itself(others))

    def __add__(self, other: _Hsic) -> _Hsic:
        return _Hsic(self.cross + other.cross, self.a + other.a, self.b + other.b)

    def cka(self) -> np.ndarray:
        """Return the ratio, which is the same for sums and means; NaN where an estimate is not positive."""
        squares = self.a[:, None] * self.b
        positive = (self.a[:, None] > 0) & (self.b > 0)
        return np.divide(self.cross, np.sqrt(np.abs(squares)), out=np.full_like(squares, np.nan), where=positive)


def check_common_size(size: Size | None, *models: VisionTransformer) -> None:
    """Raise an `ImageError` unless a size, if one is given, consists of whole patches of all models."""
    patches = sorted({model.config.patch_size for model in models})
    if size is None or len(patches) == 1:
        return
    common = math.lcm(*patches)
    if any(side % common for side in check_size(size, 1)):
        raise ImageError(
            f"A size of {format_size(size)} does not consist of whole patches of both models, which have "
            f"{' and '.join(map(str, patches))} pixels; use a multiple of {common}."
        )


@contextmanager
def _named(index: int, count: int) -> Iterator[None]:
    """Name the image in an `ImageError`, if there are several."""
    try:
        yield
    except ImageError as error:
        raise (ImageError(f"images[{index}]: {error}") if count > 1 else error) from error


def _minibatches(
    model_a: VisionTransformer,
    model_b: VisionTransformer,
    images: Sequence[ImageSource],
    over: Over,
    size: Size | None,
    fit: str | None,
    report: Progress,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield features of A and of B, [layer, sample, D] each; the same array twice for the same model."""
    same, record = model_a is model_b, ("blocks.*.resid_post",)
    count = len(images) if over == "patches" else -(-len(images) // MOST_SAMPLES)
    parts = np.array_split(np.arange(len(images)), count)  # equal parts, so that the last one is not too small
    done = 0
    report(0, len(images))
    for part in parts:
        of_a, of_b = [], []
        for index in part:
            with _named(index, len(images)):
                trace_a = model_a.trace(images[index], size=size, fit=fit, record=record)
                trace_b = trace_a if same else model_b.trace(images[index], size=size, fit=fit, record=record)
            patches = paired_patches(trace_a, trace_b)
            if over == "patches":
                if len(patches[0]) < FEWEST_SAMPLES:
                    few = "1 patch" if len(patches[0]) == 1 else f"{len(patches[0])} patches"
                    raise ArgumentError(
                        f"The inputs have {few} in common, and CKA needs at least {FEWEST_SAMPLES}; use a larger size."
                    )
                chosen = evenly_spaced(len(patches[0]))
                patches = tuple(of_model[chosen] for of_model in patches)
            of_a.append(_features(trace_a, patches[0], over))
            of_b.append(of_a[-1] if same else _features(trace_b, patches[1], over))
            done += 1
            report(done, len(images))
        a = np.concatenate(of_a, axis=1)
        yield a, a if same else np.concatenate(of_b, axis=1)


def _features(trace: Trace, patches: np.ndarray, over: Over) -> np.ndarray:
    """Return the tokens of some patches, or their mean, after each layer, float32 [layer, sample, D]."""
    tokens = np.stack([trace.tokens(layer)[trace.prefix + patches] for layer in range(trace.layers)])
    return tokens if over == "patches" else tokens.mean(axis=1, keepdims=True)


def _grams(features: np.ndarray) -> np.ndarray:
    """Return the dot products of all pairs of samples, with 0 on the diagonal, float64 [layer, sample, sample]."""
    grams = np.empty((len(features), features.shape[1], features.shape[1]))
    for gram, of_layer in zip(grams, features, strict=True):
        centred = of_layer.astype(np.float64)
        centred -= centred.mean(axis=0)  # changes no estimate, but keeps rounding errors small
        np.matmul(centred, centred.T, out=gram)
        np.fill_diagonal(gram, 0)
    return grams


def _hsic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the unbiased estimates of HSIC, [layer of a, layer of b], of Gram matrices without their diagonals."""
    products = a.reshape(len(a), -1) @ b.reshape(len(b), -1).T
    rows_a, rows_b = a.sum(axis=2), b.sum(axis=2)
    return _estimate(a.shape[1], products, np.outer(rows_a.sum(axis=1), rows_b.sum(axis=1)), rows_a @ rows_b.T)


def _hsic_with_itself(grams: np.ndarray) -> np.ndarray:
    products, rows = np.einsum("lij,lij->l", grams, grams), grams.sum(axis=2)
    return _estimate(grams.shape[1], products, rows.sum(axis=1) ** 2, (rows**2).sum(axis=1))


def _estimate(n: int, products: np.ndarray, totals: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return (products + totals / ((n - 1) * (n - 2)) - 2 * rows / (n - 2)) / (n * (n - 3))
