"""Resemblance of the heads of two models: do they attend to the same places of an image?"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch

from ...errors import ArgumentError, ModelError
from ...errors.arguments import array, checked_index, one_of, typed
from ...errors.progress import Progress, silent
from ...trace.trace import Trace
from ..ranking import largest
from .divergence import jensen_shannon
from .places import counterparts

Measure = Literal["cosine", "jensen_shannon"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


@typed
def head_resemblance(
    trace_a: Trace,
    trace_b: Trace,
    layer: int,
    head: int,
    *,
    measure: Measure = "cosine",
    progress: Progress | None = None,
) -> np.ndarray:
    """Compare one head of A with every head of B on one image.

    Attention among patches is compared place by place. If the grids differ, the attention of the finer one is brought
    to the coarser one: each of its patches belongs to the coarse patch that contains its centre, the weights of these
    keys are added, and the rows of these queries are averaged. Prefix tokens, which have no place, are left out, as
    are places that only one of the inputs shows. One layer of B is processed at a time.

    Args:
        trace_a: trace of an image.
        trace_b: trace of the same image, by another model or by the same one.
        layer: layer of A, from 0.
        head: head of A, from 0.
        measure: `"cosine"`: cosine similarity of both maps over all queries and keys, from 0 to 1 (from -1 for
            differential attention). `"jensen_shannon"`: Jensen-Shannon divergence in bits, averaged over the queries,
            from 0 (equal) to 1; each row is rescaled to sum to 1.
        progress: function called with the number of layers of B done and in total.

    Returns:
        Resemblance, float32 [layer of B, head of B]: high for cosine, low for the divergence.

    Raises:
        IndexError: if the layer or head is out of range.
        ModelError: for the Jensen-Shannon divergence of differential attention, whose weights may be negative.
        ArgumentError: if the measure is unknown, or the traces are of different images.
    """
    one_of(measure, MEASURES, "measure")
    layer, head = checked_index(layer, trace_a.layers, "layer"), trace_a.head_index(head)
    if measure == "jensen_shannon" and (trace_a.config.differential or trace_b.config.differential):
        raise ModelError("Differential attention has negative weights, which have no divergence; use the cosine.")
    places_a, places_b = _common_places(trace_a, trace_b)
    report, found = progress or silent, []
    report(0, trace_b.layers)
    map_a = _on_places(trace_a, trace_a.attention(layer, head)[None], places_a)
    for at in range(trace_b.layers):
        maps = _on_places(trace_b, trace_b.attention(at), places_b)
        found.append(_cosine(map_a[0], maps) if measure == "cosine" else _divergence(map_a, maps))
        report(at + 1, trace_b.layers)
    return np.stack(found).astype(np.float32)


@typed
def by_resemblance(values: np.ndarray, measure: Measure = "cosine", count: int | None = None) -> list[tuple[int, int]]:
    """Return the heads in the order of their resemblance, the most alike first.

    Args:
        values: result of `head_resemblance`, [layer, head].
        measure: measure of these values: a large cosine or a small divergence is alike.
        count: maximum number of heads; None for all.

    Returns:
        Layer and head, from 0; of equal values, the first head comes first.

    Raises:
        ArgumentError: if the measure is unknown.
    """
    one_of(measure, MEASURES, "measure")
    values = array(values, "layer, head", "Resemblance")
    return largest(values if measure == "cosine" else -values, count)


def _common_places(trace_a: Trace, trace_b: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the place that each patch belongs to, int [patch] each; -1 for none.

    Places are patches of the coarser grid with at least one patch of the finer one.
    """
    swap = np.prod(trace_a.grid) > np.prod(trace_b.grid)
    coarse, fine = (trace_b, trace_a) if swap else (trace_a, trace_b)
    of_fine = counterparts(fine, coarse)
    used = np.unique(of_fine[of_fine >= 0])
    if not len(used):
        raise ArgumentError("The inputs of the two models show no common part of the image; use the same fit for both.")
    numbers = np.full(np.prod(coarse.grid) + 1, -1)  # the last one is for index -1
    numbers[used] = np.arange(len(used))
    of_fine, of_coarse = numbers[of_fine], numbers[:-1]
    return (of_fine, of_coarse) if swap else (of_coarse, of_fine)


def _on_places(trace: Trace, weights: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Add the weights of the keys of each place and average the rows of its queries, [head, place, place]."""
    known = np.flatnonzero(place >= 0)
    count, index = place.max() + 1, torch.from_numpy(place[known])
    among_patches = torch.from_numpy(weights[:, trace.prefix + known[:, None], trace.prefix + known])
    keys = among_patches.new_zeros(len(weights), len(known), count).index_add_(2, index, among_patches)
    rows = keys.new_zeros(len(weights), count, count).index_add_(1, index, keys)
    return (rows / index.bincount(minlength=count)[:, None]).numpy()


def _cosine(one: np.ndarray, maps: np.ndarray) -> np.ndarray:
    one, maps = one.ravel(), maps.reshape(len(maps), -1)
    norms = np.linalg.norm(one) * np.linalg.norm(maps, axis=1)
    return np.clip(np.divide(maps @ one, norms, out=np.zeros(len(maps)), where=norms > 0), -1, 1)


def _divergence(one: np.ndarray, maps: np.ndarray) -> np.ndarray:
    one, maps = _rescaled(one), _rescaled(maps)
    return np.array([jensen_shannon(one[0], of_head).mean() for of_head in maps])


def _rescaled(maps: np.ndarray) -> np.ndarray:
    sums = maps.sum(axis=-1, keepdims=True)  # a row without attention to patches becomes uniform
    return np.divide(maps, sums, out=np.full_like(maps, 1 / maps.shape[-1]), where=sums > 0)
