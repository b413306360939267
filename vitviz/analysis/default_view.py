"""Default view of a trace: the layer, head and patch shown before the user has chosen any."""

from __future__ import annotations

import numpy as np
import torch

from ..errors.arguments import typed
from ..model.config import POOL
from ..notation.view import View
from ..trace.trace import Trace
from .attention import patch_distances

FEW = 8  # number of largest weights that count
FAR = 3 / 16  # minimum distance of query and key, relative to the longer side
USUAL = 3  # multiple of a key's mean weight that is subtracted
ROWS = 1536  # maximum number of rows over all layers; in large images only some patches are candidates


@typed
def default_view(trace: Trace) -> View:
    """Choose the patch with the most distinctive attention, among all heads of the second half of the layers.

    A row is distinctive if it gives much weight to a few distant patches, and more than other queries of the head do.
    Its score is the sum of its eight largest weights to patches at least 3/16 of the longer side away, after
    subtracting three times each key's mean weight over all queries. To prefer objects to background, the score is
    multiplied by the square root of the mean attention that the patch receives from the class token (or the attention
    pooling). Absolute values are used for signed weights.

    Takes no forward pass, and at most 1,536 rows of all heads for images of any size.

    Returns:
        View with the patch pinned; without a pinned patch if the image is too small for distant patches.
    """
    far = patch_distances(trace.grid, 1) >= max(2.0, FAR * max(trace.grid))
    layers = range(trace.layers // 2, trace.layers)
    queries = _candidates(trace, ROWS // len(layers))
    rows = {layer: _rows(trace, layer, queries) for layer in layers}
    importance = np.sqrt(_importance(trace, rows)[queries])
    best, view = 0.0, View(trace.layers - 1)
    for layer, weights in rows.items():
        excess = np.maximum(weights - USUAL * weights.mean(axis=1, keepdims=True), 0) * far[queries]
        few = min(FEW, excess.shape[-1])
        largest = torch.from_numpy(excess).topk(few, sorted=False).values  # ten times as fast as numpy.partition
        scores = largest.sum(dim=-1).numpy() * importance  # [head, query]
        head, query = np.unravel_index(int(scores.argmax()), scores.shape)
        if scores[head, query] > best:
            best = float(scores[head, query])
            view = View(layer, int(head), trace.prefix + int(queries[query]))
    return view


def _candidates(trace: Trace, most: int) -> np.ndarray:
    """Return the candidate patches, from 0: all, or `most` at regular intervals."""
    patches = trace.grid[0] * trace.grid[1]
    return np.linspace(0, patches - 1, min(max(most, 1), patches)).round().astype(int)


def _rows(trace: Trace, layer: int, queries: np.ndarray) -> np.ndarray:
    """Return the absolute attention weights between query patches and all patches, float32 [head, query, patch]."""
    prefix = trace.prefix
    return np.abs(trace.attention_rows(layer, prefix + queries)[..., prefix:])


def _importance(trace: Trace, rows: dict[int, np.ndarray]) -> np.ndarray:
    """Return the mean attention to each patch in the readout, relative to the 95th percentile and at most 1.

    Clipping limits patches that attract attention because the model stores information there (Darcet et al. 2024,
    "Vision Transformers Need Registers", section 2).
    """
    if trace.config.pooling == "attention":
        weights = trace.attention(POOL)[:, 0, trace.prefix :]
    elif trace.config.class_token:
        weights = np.concatenate([trace.attention(layer, query=0)[:, trace.prefix :] for layer in rows])
    else:
        weights = np.concatenate([of_layer.mean(axis=1) for of_layer in rows.values()])
    mean = np.abs(weights).mean(axis=0)
    most = float(np.quantile(mean, 0.95))
    return np.minimum(mean / most, 1) if most > 0 else np.ones_like(mean)
