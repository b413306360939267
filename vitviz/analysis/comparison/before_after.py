"""Comparison of two checkpoints of one architecture on one image, such as before and after fine-tuning."""

from __future__ import annotations

import numpy as np
import torch

from ...errors import ArgumentError, ModelError
from ...errors.arguments import typed
from ...trace.model_stub import ModelStub
from ...trace.trace import Trace
from ..arithmetic import unit
from ..predictions import predictions
from .changes import Comparison, OutputChange
from .divergence import attention_divergence, check_same_shape
from .layer_similarity import evenly_spaced, linear_cka
from .places import same_original


@typed
def compare(trace_a: Trace, trace_b: Trace) -> Comparison:
    """Compare a model before and after fine-tuning, or two other checkpoints of one architecture, on one image.

    Args:
        trace_a: trace by the model before.
        trace_b: trace of the same image at the same size by the model after.

    Raises:
        ModelError: if the numbers of layers, heads, tokens or dimensions differ, or the layers have other parameters.
        ArgumentError: if the traces are of different images.
        HookError: as in `Trace.tokens`.
    """
    check_same_shape(trace_a, trace_b)
    if not _same_image(trace_a, trace_b):
        raise ArgumentError("The traces are of different images; trace one image with both models.")
    differential = trace_a.config.differential or trace_b.config.differential
    names = [f"blocks.{layer}.resid_post" for layer in range(trace_a.layers)]
    before, after = trace_a.activations(*names), trace_b.activations(*names)
    return Comparison(
        names=(trace_a.model.name, trace_b.model.name),
        attention=None if differential else attention_divergence(trace_a, trace_b),
        token_cosine=np.array([_cosines(before[name], after[name]).mean() for name in names], np.float32),
        token_change=np.array([_relative_norm(before[name], after[name]) for name in names], np.float32),
        token_cka=np.array([_cka(before[name], after[name], trace_a.prefix) for name in names], np.float32),
        weights=_weight_changes(trace_a, trace_b),
        output=_output_change(trace_a, trace_b),
    )


def _same_image(trace_a: Trace, trace_b: Trace) -> bool:
    a, b = trace_a.image, trace_b.image
    if a is None or b is None:
        return np.array_equal(trace_a.pixels(), trace_b.pixels())
    if a.geometry != b.geometry or not same_original(a, b):
        return False
    # Another interpolation gives other pixels of the same image.
    other = trace_a.model.preprocessing.interpolation != trace_b.model.preprocessing.interpolation
    return other or np.array_equal(a.pixels, b.pixels)


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine similarities of vectors [..., D] of the same index; 1 if they are equal, 0 if one is zero."""
    return np.where((a == b).all(axis=-1), 1, np.clip((unit(a) * unit(b)).sum(axis=-1), -1, 1))


def _relative_norm(before: np.ndarray, after: np.ndarray) -> float:
    """Return the L2 norm of a change, relative to the norm before; 0 without a change, else NaN if that norm is 0."""
    before, after = before.astype(np.float64), after.astype(np.float64)
    return _ratio(np.linalg.norm(after - before), np.linalg.norm(before))


def _ratio(change: float, norm: float) -> float:
    return float(change / norm) if norm else (float("nan") if change else 0.0)


def _cka(a: np.ndarray, b: np.ndarray, prefix: int) -> float:
    patches = prefix + evenly_spaced(len(a) - prefix)
    return linear_cka(a[patches], b[patches]) if len(patches) > 3 else float("nan")


def _weight_changes(trace_a: Trace, trace_b: Trace) -> np.ndarray | None:
    if isinstance(trace_a.model, ModelStub) or isinstance(trace_b.model, ModelStub):
        return None
    return np.array(
        [
            _relative_change(before, after)
            for before, after in zip(trace_a.model.blocks, trace_b.model.blocks, strict=True)
        ],
        np.float32,
    )


def _relative_change(before: torch.nn.Module, after: torch.nn.Module) -> float:
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    if {name: value.shape for name, value in old.items()} != {name: value.shape for name, value in new.items()}:
        raise ModelError("The layers of the models have different parameters; compare two checkpoints of one model.")
    with torch.no_grad():
        change = sum(float((new[name].double() - value.double()).square().sum()) for name, value in old.items())
        norm = sum(float(value.double().square().sum()) for value in old.values())
    return _ratio(change**0.5, norm**0.5)


def _output_change(trace_a: Trace, trace_b: Trace) -> OutputChange | None:
    before, after = trace_a.output.astype(np.float64), trace_b.output.astype(np.float64)
    if before.shape != after.shape:
        return None
    old, new = np.linalg.norm(before), np.linalg.norm(after)
    cosine = float(np.clip(before @ after / (old * new), -1, 1)) if old and new else float("nan")
    classes = trace_a.model.is_classifier and trace_b.model.is_classifier
    top = [predictions(trace, 1)[0] if classes else None for trace in (trace_a, trace_b)]
    return OutputChange(cosine, _relative_norm(before, after), *top)
