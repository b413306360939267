"""Cost of ablating each head alone, in forward passes."""

from collections.abc import Iterator

import numpy as np

import vitviz
from vitviz.analysis.ablation import distance, sweep_heads

from .library import PHOTO
from .measure import Row, interleaved, spread

LIMIT = 0.8


def sweep() -> Iterator[Row]:
    """Compare a sweep over all heads at 224 px with the same number of single forward passes."""
    model = vitviz.load("dinov2-small")
    trace = model.trace(PHOTO)
    score = distance(trace)
    heads = trace.layers * trace.heads
    sweeps, passes = interleaved(
        lambda: sweep_heads(model, trace, score), lambda: model.trace(trace.image), rounds=12, warm_up=1
    )
    ratio = float(np.median(sweeps) / np.median(passes)) / heads
    yield Row(
        f"sweep of {heads} heads, 224 px, against {heads} single passes",
        f"{ratio:.2f} × {heads}",
        f"≤ {LIMIT:.1f} × {heads}",
        ratio <= LIMIT,
        f"sweep {spread(sweeps, 's')}, one pass {spread(passes, 'ms', 1e3)}; one batch per layer, from this layer on",
    )
