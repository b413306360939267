"""Opening view: where to begin looking at a trace that nobody has chosen a view of."""

from __future__ import annotations

import numpy as np

from ..errors.arguments import typed
from ..model.config import POOL
from ..notation.view import View
from ..trace.trace import Trace
from .attention import patch_distances

FEW = 8  # patches that a clear row looks at
FAR = 3 / 16  # of the longer side: what lies nearer is near by anyhow
USUAL = 3  # times what a head gives a patch on average: the row says something of its own
ROWS = 1536  # of all layers together, at most: of large images only some patches are asked


@typed
def opening_view(trace: Trace) -> View:
    """View of the patch whose attention is clearest, among all heads of the second half of the layers.

    Clear is a row that gives much weight to few patches elsewhere in the image, and more than its head gives them
    anyhow: the sum of its eight largest weights on patches that are at least 3/16 of the longer side away, each less
    three times the mean over all queries. To end up on what the image shows, and not on its background, that sum is
    multiplied by the square root of how much the model's output reads of the patch: what the class token (or an
    attention pooling) gives it on average. Weights with signs count by their size.

    Costs no forward pass, and however large the image is, no more than 1,536 rows of all heads.

    Returns:
        The view, its patch pinned; without a pinned patch if the image is so small that nothing is far away.
    """
    apart = patch_distances(trace.grid, 1)
    far = apart >= max(2.0, FAR * max(trace.grid))
    layers = range(trace.layers // 2, trace.layers)
    asked = _asked(trace, ROWS // len(layers))
    rows = {layer: _rows(trace, layer, asked) for layer in layers}
    read = np.sqrt(_read(trace, rows)[asked])
    best, clearest = 0.0, View(trace.layers - 1)
    for layer, weights in rows.items():
        own = np.maximum(weights - USUAL * weights.mean(axis=1, keepdims=True), 0) * far[asked]
        few = min(FEW, own.shape[-1])
        clear = np.partition(own, -few, axis=-1)[..., -few:].sum(axis=-1) * read  # [head, query]
        head, query = np.unravel_index(int(clear.argmax()), clear.shape)
        if clear[head, query] > best:
            best = float(clear[head, query])
            clearest = View(layer, int(head), trace.prefix + int(asked[query]))
    return clearest


def _asked(trace: Trace, most: int) -> np.ndarray:
    """Patches that are asked, from 0: all, or evenly spread ones."""
    patches = trace.grid[0] * trace.grid[1]
    return np.linspace(0, patches - 1, min(max(most, 1), patches)).round().astype(int)


def _rows(trace: Trace, layer: int, asked: np.ndarray) -> np.ndarray:
    """Attention of these patches to all patches, in size; float32 [head, query, patch]."""
    prefix = trace.prefix
    if trace.token_count <= 4 * len(asked):  # then a whole matrix is quicker than row by row
        return np.abs(trace.attention(layer)[:, prefix + asked, prefix:])
    return np.abs(np.stack([trace.attention(layer, query=prefix + int(at))[:, prefix:] for at in asked], axis=1))


def _read(trace: Trace, rows: dict[int, np.ndarray]) -> np.ndarray:
    """Share that the output reads of each patch, up to 1; the twentieth of the patches that get most count alike.

    Some patches get much attention from everywhere because the model keeps something there, not for what they show
    (Darcet et al. 2024, "Vision Transformers Need Registers", section 2).
    """
    if trace.config.pooling == "attention":
        read = trace.attention(POOL)[:, 0, trace.prefix :]
    elif trace.config.class_token:
        read = np.concatenate([trace.attention(layer, query=0)[:, trace.prefix :] for layer in rows])
    else:
        read = np.concatenate([weights.mean(axis=1) for weights in rows.values()])
    mean = np.abs(read).mean(axis=0)
    most = float(np.quantile(mean, 0.95))
    return np.minimum(mean / most, 1) if most > 0 else np.ones_like(mean)
