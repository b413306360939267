"""Why two images are alike: the patches of each that carry the cosine similarity of their features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ..errors import ModelError
from ..errors.arguments import typed
from ..errors.brief import brief
from ..errors.progress import Progress, silent
from ..model.config import ViTConfig
from ..trace.trace import Trace
from .attribution import explain
from .attribution.readout_weights import pooled_tokens
from .attribution.targets import SimilarityTarget

METHOD = "integrated_gradients"  # for poolings that are no mean; of all methods, its maps are the most like occlusion's


@brief
@dataclass(frozen=True, eq=False)
class Alike:
    """Share of each patch in the similarity of two images.

    Attributes:
        cosine: cosine similarity of the pooled features, from -1 to 1.
        maps: map of the first and of the second image, float32 [rows, columns] each. Positive values make the images
            alike.
        rests: part of the cosine that is due to prefix tokens, for each image; None for attribution maps.
        kind: `"sum"` if each map and its rest sum to the cosine, `"attribution"` for attribution maps.
    """

    cosine: float
    maps: tuple[np.ndarray, np.ndarray]
    rests: tuple[float, float] | None
    kind: Literal["sum", "attribution"]


@typed
def is_sum_of_patches(config: ViTConfig) -> bool:
    """Return True if the feature is a weighted sum of the tokens after the final norm, most of them patches.

    This holds for the mean of the tokens, also together with the class token, unless the mean is normalised once more.
    """
    return config.pooling in ("mean", "token+mean") and not config.fc_norm


@typed
def alike(first: Trace, second: Trace, progress: Progress | None = None) -> Alike:
    """Explain the cosine similarity of two images' features by their patches.

    Where the feature f is a mean of the tokens t_i after the final norm, the cosine with another feature g is the sum
    of w_i t_i · g / (|f| |g|), one term for each token with its weight w_i, without any gradient. For other poolings,
    the maps are attributions of the similarity (`SimilarityTarget`) with integrated gradients.

    Args:
        first: trace of an image by a model without classifier, see `vitviz.analysis.classifier.with_pooling`.
        second: trace of another image by the same model.
        progress: function called with the number of images done and in total.

    Raises:
        ModelError: if the model has a classifier, the models differ, or a feature is zero.
    """
    if first.config != second.config:
        raise ModelError("The images were traced by different models; compare images by the same model.")
    if first.config.num_classes:
        raise ModelError("The output of this model is not its feature; compare images by a model without classifier.")
    features = [trace.output.astype(np.float64) for trace in (first, second)]
    norms = [float(np.linalg.norm(feature)) for feature in features]
    if not all(norms) or not np.isfinite(norms).all():
        raise ModelError("The feature of one of the images is zero or not finite; choose other images.")
    cosine = float(features[0] @ features[1] / (norms[0] * norms[1]))
    report, maps, rests = progress or silent, [], []
    for at, (trace, other) in enumerate(((first, features[1]), (second, features[0]))):
        report(at, 2)
        if is_sum_of_patches(first.config):
            terms = _terms(trace, other) / (norms[0] * norms[1])
            maps.append(terms[trace.prefix :].reshape(trace.grid).astype(np.float32))
            rests.append(float(terms[: trace.prefix].sum()))
        else:
            target = SimilarityTarget(other.astype(np.float32), "the other image")
            maps.append(explain(trace.model, trace, method=METHOD, target=target).map)
    report(2, 2)
    kind = "sum" if rests else "attribution"
    return Alike(cosine, (maps[0], maps[1]), (rests[0], rests[1]) if rests else None, kind)


def _terms(trace: Trace, other: np.ndarray) -> np.ndarray:
    """Return the term of each token in the dot product of the features, float64 [token]."""
    tokens = trace.activations("norm")["norm"].astype(np.float64)
    config = trace.config
    if config.pooling == "mean":
        weights = pooled_tokens(config, len(tokens)).to(torch.float64).numpy()
        return weights * (tokens @ other)
    width = config.embed_dim
    terms = np.zeros(len(tokens))
    terms[0] = tokens[0] @ other[:width]
    terms[trace.prefix :] = tokens[trace.prefix :] @ other[width:] / (len(tokens) - trace.prefix)
    return terms
