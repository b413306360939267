"""Principal components of the patches of several images in one basis, so that equal colours mean similar tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import ArgumentError
from ...errors.arguments import checked_index, each_of_kind, typed
from ...errors.brief import brief
from ...trace.trace import Trace
from ..tokens import Components, colours, principal
from ..tokens.pca import ENDS
from .matching import check_one_model

MOST_IMAGES = 8


@brief
@dataclass(frozen=True, eq=False)
class JointPca:
    """Three principal components of the patches of several images.

    Attributes:
        layer: layer of the tokens, from 0.
        components: mean, axes and explained variance ratios for the patches of all images together.
        scores: projections of each image's patches, float32 [patch, component].
        low: scores at the lower end of the colour range, [component]: the first percentile over all images.
        high: scores at the upper end, the 99th percentile.
    """

    layer: int
    components: Components
    scores: tuple[np.ndarray, ...]
    low: np.ndarray
    high: np.ndarray

    def colours(self, image: int) -> np.ndarray:
        """Return the RGB colours of an image's patches, uint8 [patch, 3]; all images share one colour range.

        Raises:
            IndexError: if there is no such image.
        """
        return colours(self.scores[checked_index(image, len(self.scores), "image")], self.low, self.high)


@typed
def joint_pca(traces: Sequence[Trace], layer: int) -> JointPca:
    """Compute three principal components of the patches of up to eight images together.

    As in DINOv2 (Oquab et al. 2024, https://arxiv.org/abs/2304.07193, figure 1): images share one basis, so similar
    tokens have similar colours in all of them.

    Args:
        traces: traces of one to eight images by one model; their grids may differ. An image with more patches has a
            larger part in the basis.
        layer: layer whose output is used, from 0; negative values count from the end.

    Raises:
        IndexError: if the layer is out of range.
        ModelError: if the traces were made by different models.
        ArgumentError: if there are no traces or more than eight.
        HookError: as in `Trace.tokens`.
    """
    each_of_kind(traces, Trace, "traces")
    if not 1 <= len(traces) <= MOST_IMAGES:
        raise ArgumentError(f"These are {len(traces)} traces; give from 1 to {MOST_IMAGES}.")
    check_one_model(*traces)
    layer = checked_index(layer, traces[0].layers, "layer")
    patches = [trace.tokens(layer)[trace.prefix :] for trace in traces]
    components = principal(np.concatenate(patches))
    scores = tuple(components.scores(of_image) for of_image in patches)
    low, high = np.percentile(np.concatenate(scores), ENDS, axis=0)
    return JointPca(layer, components, scores, low, high)
