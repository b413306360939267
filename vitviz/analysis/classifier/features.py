"""Features of images: pooled tokens, the input of a linear classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ...errors import ArgumentError
from ...errors.arguments import typed
from ...errors.progress import Progress, silent
from ...images import Prepared, Size, check_size
from ...model.config import Pooling
from ...trace.inputs import ImageSource, default_size
from ...trace.vision_transformer import VisionTransformer
from ...zoo.heads import with_pooling

PATCHES_AT_ONCE = 2048  # in a forward pass, which bounds its memory: 8 images of 256 patches


@typed
def features(
    model: VisionTransformer,
    images: Sequence[ImageSource],
    pooling: Pooling | None = None,
    *,
    size: Size | None = None,
    fit: str | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Compute the pooled features of images.

    Args:
        model: any model; its own classifier is not used.
        images: images as in `VisionTransformer.trace`.
        pooling: pooling of the tokens: `"token"` for the class token, `"mean"` for the mean of the patches,
            `"token+mean"` for both (Oquab et al. 2024, "DINOv2", appendix B.3), `"attention"` for a model that has it;
            by default the model's own.
        size: input size, as in `VisionTransformer.trace`.
        fit: fit of the images to that size, as in `VisionTransformer.trace`.
        progress: function called with the number of images done and in total. An exception that it raises stops the
            computation.

    Returns:
        Features, float32 [image, feature].

    Raises:
        ImageError: if an image, the size or the fit is invalid.
        ModelError: if the model does not have this pooling.
        ArgumentError: if there are no images.
    """
    if not len(images):
        raise ArgumentError("There are no images; give at least one.")
    pooled, report = with_pooling(model, pooling), progress or silent
    at_once = _at_once(model, images, size, fit)
    found: list[np.ndarray] = []
    for first in range(0, len(images), at_once):
        traces = pooled.trace_batch(images[first : first + at_once], size=size, fit=fit)
        found += [trace.output for trace in traces]
        report(len(found), len(images))
    return np.stack(found)


def _at_once(model: VisionTransformer, images: Sequence[ImageSource], size: Size | None, fit: str | None) -> int:
    """Return the number of images of a forward pass."""
    fit = model.preprocessing.fit if fit is None else fit
    if fit == "native" or any(isinstance(image, Prepared | Tensor) for image in images):
        return 1  # these images may differ in size
    size = default_size(model.config, model.preprocessing) if size is None else size
    height, width = check_size(size, model.config.patch_size)
    return max(1, PATCHES_AT_ONCE * model.config.patch_size**2 // (height * width))
