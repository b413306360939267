"""How long the vectors of the tokens are, and which of them stand out.

Large models recycle patches that say little as places to keep notes on the whole image. Such tokens have norms some ten
times as large as the others' and draw much attention: registers that the model made for itself (Darcet et al. 2024,
"Vision Transformers Need Registers", https://arxiv.org/abs/2309.16588, section 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors.arguments import array, checked_index, number, typed, whole
from ...errors.brief import brief
from ...model.hooks import residual_stream_names
from ...trace.trace import Trace

TIMES = 3.0  # how many times as long as the median an outlier is at least; ordinary tokens reach about twice
SPREADS = 5.0  # and how many spreads of the layer's norms it is above the median
TO_SPREAD = 1.4826  # makes the median absolute deviation of a normal distribution its standard deviation


@brief
@dataclass(frozen=True, eq=False)
class Outliers:
    """The patches of one layer whose tokens are far longer than the others, and the rule that found them.

    Attributes:
        tokens: their token indices, prefix tokens counted, the longest first.
        norms: norms of all patches, float32 [patch].
        median: the median of those.
        spread: how far they lie from it: 1.4826 x the median absolute deviation, as long as a standard deviation.
        threshold: the norm that an outlier exceeds: the larger of times x median and median + spreads x spread.
        times: the factor in that rule.
        spreads: the other one.
    """

    tokens: tuple[int, ...]
    norms: np.ndarray
    median: float
    spread: float
    threshold: float
    times: float
    spreads: float


@typed
def stream(trace: Trace) -> np.ndarray:
    """The residual stream, float32 [1 + layer, token, D]: what enters the first block, then what leaves each.

    One forward pass, unless the trace has recorded these. Takes 4 x (1 + layers) x tokens x D bytes.
    """
    names = residual_stream_names(trace.layers)
    heard = trace.activations(*names)
    return np.stack([heard[name] for name in names])


@typed
def norms(stages: np.ndarray) -> np.ndarray:
    """Euclidean lengths of tokens, [..., token, D] to float32 [..., token]."""
    return np.linalg.norm(array(stages, "..., token, D", "Tokens", finite=False), axis=-1).astype(np.float32)


@typed
def outliers(trace: Trace, layer: int, times: float = TIMES, spreads: float = SPREADS) -> Outliers:
    """The patches that leave a layer far longer than the others; see `outliers_in` for the rule.

    Args:
        trace: what is looked at.
        layer: after which layer; -1 for the last.
        times: as in `outliers_in`.
        spreads: as in `outliers_in`.

    Raises:
        IndexError: if the layer is out of range.
    """
    layer = checked_index(layer, trace.layers, "layer")
    return outliers_in(norms(trace.tokens(layer)), trace.prefix, times, spreads)


@typed
def outliers_in(lengths: np.ndarray, prefix: int, times: float = TIMES, spreads: float = SPREADS) -> Outliers:
    """The patches whose norm exceeds both `times` x the median and the median + `spreads` x the spread of one layer.

    Darcet et al. tell outliers by a norm that lies in the gap between two humps of the model's histogram. The gap of an
    unknown model is not known, so two conditions replace it: far longer in proportion (else a layer whose norms hardly
    differ would have outliers by a hair) and far beyond what varies anyway (else a layer whose norms differ widely
    would have many).

    Args:
        lengths: norms of all tokens of the layer, [token].
        prefix: how many of them are not patches; they are neither outliers nor counted in the median.
        times: how many times as long as the median.
        spreads: how many spreads above the median.

    Raises:
        ArgumentError: if these are no such numbers, or there is no patch.
    """
    lengths = array(lengths, "token", "Norms")
    times, spreads = number(times, 0, np.inf, "The factor"), number(spreads, 0, np.inf, "The number of spreads")
    of_patches = lengths[whole(prefix, 0, len(lengths) - 1, "The number of prefix tokens") :].astype(np.float32)
    median = float(np.median(of_patches))
    spread = TO_SPREAD * float(np.median(np.abs(of_patches - median)))
    threshold = max(times * median, median + spreads * spread)
    order = np.argsort(-of_patches, kind="stable")
    found = tuple(prefix + int(patch) for patch in order if of_patches[patch] > threshold)
    return Outliers(found, of_patches, median, spread, threshold, times, spreads)
