"""Norms of tokens, and outliers among them.

Large models recycle patches with little information to store information on the whole image. The norms of such tokens
are about ten times those of other tokens, and they attract much attention: the model uses them like registers (Darcet
et al. 2024, "Vision Transformers Need Registers", https://arxiv.org/abs/2309.16588, section 2.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from ...errors.arguments import array, checked_index, number, typed, whole
from ...errors.brief import brief
from ...model.hooks import residual_stream_names
from ...trace.trace import Trace

TIMES = 3.0  # minimum ratio of an outlier's norm to the median; ordinary tokens reach about 2
NUM_STDS = 5.0  # minimum distance of an outlier's norm from the median, in robust standard deviations
MAD_TO_STD = 1.4826  # ratio of standard deviation to median absolute deviation for a normal distribution


@brief
@dataclass(frozen=True, eq=False)
class Outliers:
    """Patches of one layer with unusually large norms, and the rule that defines them.

    Attributes:
        tokens: token indices of the outliers, including prefix tokens in the count, largest norm first.
        norms: norms of all patches, float32 [patch].
        median: median of the norms.
        std: robust standard deviation of the norms, 1.4826 x the median absolute deviation.
        threshold: outliers exceed this norm, the larger of times x median and median + num_stds x std.
        times: factor of the median in the rule.
        num_stds: factor of the standard deviation in the rule.
    """

    tokens: tuple[int, ...]
    norms: np.ndarray
    median: float
    std: float
    threshold: float
    times: float
    num_stds: float


@overload
def stream(trace: Trace) -> np.ndarray: ...


@overload
def stream(trace: Sequence[Trace]) -> list[np.ndarray]: ...


@typed
def stream(trace: Trace | Sequence[Trace]) -> np.ndarray | list[np.ndarray]:
    """Return the residual stream before the first block and after each block, float32 [1 + layer, token, D].

    Takes one forward pass, unless the trace has recorded it, and 4 x (1 + layers) x tokens x D bytes. A list of traces
    gives a list of arrays.
    """
    if not isinstance(trace, Trace):
        return [stream(one) for one in trace]
    names = residual_stream_names(trace.layers)
    activations = trace.activations(*names)
    return np.stack([activations[name] for name in names])


@typed
def norms(stages: np.ndarray) -> np.ndarray:
    """Return the L2 norms of tokens, from [..., token, D] to float32 [..., token]."""
    return np.linalg.norm(array(stages, "..., token, D", "Tokens", finite=False), axis=-1).astype(np.float32)


@overload
def outliers(trace: Trace, layer: int, times: float = TIMES, num_stds: float = NUM_STDS) -> Outliers: ...


@overload
def outliers(
    trace: Sequence[Trace], layer: int, times: float = TIMES, num_stds: float = NUM_STDS
) -> list[Outliers]: ...


@typed
def outliers(
    trace: Trace | Sequence[Trace], layer: int, times: float = TIMES, num_stds: float = NUM_STDS
) -> Outliers | list[Outliers]:
    """Find the patches with unusually large norms after a layer; see `outliers_in` for the rule.

    Args:
        trace: trace of the image. A list of traces gives a list of results.
        layer: layer index, from 0; -1 for the last.
        times: as in `outliers_in`.
        num_stds: as in `outliers_in`.

    Raises:
        IndexError: if the layer is out of range.
    """
    if not isinstance(trace, Trace):
        return [outliers(one, layer, times, num_stds) for one in trace]
    layer = checked_index(layer, trace.layers, "layer")
    return outliers_in(norms(trace.tokens(layer)), trace.prefix, times, num_stds)


@typed
def outliers_in(token_norms: np.ndarray, prefix: int, times: float = TIMES, num_stds: float = NUM_STDS) -> Outliers:
    """Find the patches whose norms exceed both `times` x median and median + `num_stds` x standard deviation.

    Darcet et al. define outliers by a norm in the gap between the two modes of the model's histogram. The gap of an
    unknown model is not known, so two conditions replace it. The ratio to the median excludes tiny differences in
    layers with nearly equal norms; the standard deviation excludes ordinary variation in layers with very different
    norms.

    Args:
        token_norms: norms of all tokens of a layer, [token].
        prefix: number of prefix tokens, which are excluded from the outliers and from the median.
        times: factor of the median.
        num_stds: factor of the robust standard deviation.

    Raises:
        ArgumentError: if the norms are invalid, or there is no patch.
    """
    token_norms = array(token_norms, "token", "Norms")
    times, num_stds = number(times, 0, np.inf, "The factor"), number(num_stds, 0, np.inf, "num_stds")
    prefix = whole(prefix, 0, len(token_norms) - 1, "The number of prefix tokens")
    of_patches = token_norms[prefix:].astype(np.float32)
    median = float(np.median(of_patches))
    std = MAD_TO_STD * float(np.median(np.abs(of_patches - median)))
    threshold = max(times * median, median + num_stds * std)
    order = np.argsort(-of_patches, kind="stable")
    tokens = tuple(prefix + int(patch) for patch in order if of_patches[patch] > threshold)
    return Outliers(tokens, of_patches, median, std, threshold, times, num_stds)
