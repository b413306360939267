"""Cached comparisons, shared by all users. No result keeps a model in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ....analysis import comparison
from ....analysis.comparison.resemblance import Measure
from ....errors.progress import Progress
from ....trace.trace import Trace
from ....viz.explorer.payload import Vectors
from ....viz.explorer.payload import vectors as packed_vectors
from ...app import state
from ...app.activations import activations
from ...app.cache import cached
from ...app.jobs import background

PLACE = "compare_cka"


def layer_trace(choice: state.Choice, layer: int) -> Trace:
    """Return the trace with the tokens after a layer."""
    name = f"blocks.{layer}.resid_post"
    return state.trace(choice).with_recorded(activations(choice, name))


def matches(a: state.Choice, b: state.Choice, layer: int, centred: bool) -> comparison.Matches:
    """Return the matches of the patches of two images; see `vitviz.match`."""
    return _matches(a.key, b.key, layer, centred, a, b)


@cached("Matching patches …", share=0.2)
def _matches(
    key_a: tuple, key_b: tuple, layer: int, centred: bool, _a: state.Choice, _b: state.Choice
) -> comparison.Matches:
    traces = layer_trace(_a, layer), layer_trace(_b, layer)
    with state.one_at_a_time:
        return comparison.match(*traces, layer, centred=centred)


def joint_pca(choices: Sequence[state.Choice], layer: int) -> comparison.JointPca:
    """Return components of the patches of several images in one basis."""
    return _joint_pca(tuple(choice.key for choice in choices), layer, tuple(choices))


@cached("Computing principal components …", share=0.2)
def _joint_pca(keys: tuple, layer: int, _choices: tuple[state.Choice, ...]) -> comparison.JointPca:
    traces = [layer_trace(choice, layer) for choice in _choices]
    with state.one_at_a_time:
        return comparison.joint_pca(traces, layer)


def vectors(choice: state.Choice, layer: int) -> Vectors:
    """Return queries and keys of one layer for the browser."""
    return _vectors(choice.key, layer, state.trace(choice))


@cached()
def _vectors(key: tuple, layer: int, _trace: Trace) -> Vectors:
    with state.one_at_a_time.first():
        return packed_vectors(_trace, (layer,))


def resemblance(a: state.Choice, b: state.Choice, layer: int, head: int, measure: Measure) -> np.ndarray:
    """Compare a head of A with all heads of B, float32 [layer of B, head of B]; see `head_resemblance`.

    Raises:
        ModelError: for the divergence of differential attention.
    """
    return _resemblance(a.key, b.key, layer, head, measure, a, b)


@cached("Comparing heads …")
def _resemblance(
    key_a: tuple,
    key_b: tuple,
    layer: int,
    head: int,
    measure: Measure,
    _a: state.Choice,
    _b: state.Choice,
) -> np.ndarray:
    traces = state.trace(_a), state.trace(_b)
    with state.one_at_a_time:
        return comparison.head_resemblance(*traces, layer, head, measure=measure)


def change(before: state.Choice, after: state.Choice) -> comparison.Comparison:
    """Return what changed between two checkpoints; see `vitviz.compare`.

    Raises:
        ModelError: if they are not of one architecture.
    """
    return _change(before.key, after.key, before, after)


@cached("Comparing both models …")
def _change(key_before: tuple, key_after: tuple, _before: state.Choice, _after: state.Choice) -> comparison.Comparison:
    traces = [_with_stream(choice) for choice in (_before, _after)]
    with state.one_at_a_time:
        return comparison.compare(*traces)


def cka(a: state.Choice, b: state.Choice) -> comparison.Cka | None:
    """Draw a button that compares all layers of two models on the samples, and return the result; None without it."""
    images = tuple(state.samples_for(a.model))
    key = ("cka", a.key[1:], b.key[1:], images)
    work = background.Work(key, PLACE, PLACE, "Compare all layers", detail=f"{len(images)} images")
    return background.result(work, lambda: background.Step(key, partial(cka_of, a, b)))


def cka_of(a: state.Choice, b: state.Choice, progress: Progress | None = None) -> comparison.Cka:
    """Compute the CKA of two models on the samples of the first; may run in any thread."""
    models = state.model(a.model), state.model(b.model)
    sizes = {"size": a.size} if a.size == b.size else {}
    samples = list(state.samples_for(a.model).values())
    return comparison.cka(*models, samples, fit=a.fit, progress=progress, **sizes)


def _with_stream(choice: state.Choice) -> Trace:
    trace = state.trace(choice)
    names = [f"blocks.{layer}.resid_post" for layer in range(trace.layers)]
    return trace.with_recorded(activations(choice, *names))
