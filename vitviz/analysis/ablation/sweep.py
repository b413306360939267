"""What each part of a model does for one image: the output without it, compared with the output with it.

Passes that switch off one part each run as one batch, which begins at the part's layer: what is below is the same for
all and is taken from one recorded pass. Each function is also there as a generator of the batches' results, for those
who want to show progress, or to stop and go on later; nothing is in force while it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...errors import EditError
from ...errors.arguments import at_least, typed
from ...errors.progress import Progress, silent
from ...model.applied_edits import ablated, exclude_from_mean
from ...model.config import POOL
from ...model.edits import How, one_of
from ...model.hooks import block_input_names, edit, without_hooks
from ...model.precision import plain_arithmetic
from ...trace.model_stub import check_same_model
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from .effects import Measured, Score, measured
from .switching import PatchMethod

SUBLAYERS = ("attention", "mlp")
AT_ONCE = 8  # patches switched off in one batch


@typed
def sweep_heads(
    model: VisionTransformer, trace: Trace, score: Measured, *, how: str = "zero", progress: Progress | None = None
) -> np.ndarray:
    """The effect of switching off each head alone.

    Args:
        model: the model.
        trace: what it made of an image, without edits.
        score: what is measured: a score such as `class_score` or `distance` make, the number or the name of a class,
            whose probability it then is, or a target of `vitviz.analysis.attribution`.
        how: what stands in for the head's z: zeros, or its mean over the tokens.
        progress: called with how many heads are done and how many there are. What it raises stops the sweep.

    Returns:
        Score without the head less score with it, float32 [layer, head].

    Raises:
        EditError: if the trace was made under edits or by another model, or there is no such `how`.
        ModelError: if the model does not have what is measured.
        IndexError: if there is no class of this number.
    """
    heads = trace.layers * trace.heads
    return np.stack(_collected(each_head(model, trace, score, how=how), heads, progress))


@typed
def sweep_layers(
    model: VisionTransformer, trace: Trace, score: Measured, *, how: str = "zero", progress: Progress | None = None
) -> np.ndarray:
    """The effect of switching off attention or MLP of each layer alone; see `sweep_heads`.

    Returns:
        Score without it less score with it, float32 [layer, 2]: attention, MLP.
    """
    parts = trace.layers * len(SUBLAYERS)
    return np.stack(_collected(each_layer(model, trace, score, how=how), parts, progress))


@typed
def sweep_patches(
    model: VisionTransformer, trace: Trace, score: Measured, *, how: str = "keys", progress: Progress | None = None
) -> np.ndarray:
    """The effect of switching off each patch alone, as `KeyMask` or `PatchAblation`; see `sweep_heads`.

    Returns:
        Score without it less score with it, float32 [row, column].

    Raises:
        EditError: as `sweep_heads`, or if the trace has only one patch, which would leave none.
    """
    patches = trace.token_count - trace.prefix
    found = _collected(each_patch(model, trace, score, how=how), patches, progress)
    return np.concatenate(found).reshape(trace.grid)


@typed
def each_head(
    model: VisionTransformer,
    trace: Trace,
    score: Measured,
    *,
    how: str = "zero",
    begin: int = 0,
    at_once: int | None = None,
) -> Iterator[np.ndarray]:
    """The rows of `sweep_heads`, one layer after the other, beginning at any.

    With `at_once`, each row comes in parts of so many heads.
    """
    one_of(how, How)
    _check(model, trace)
    score = measured(score, trace)
    some = at_least(trace.heads if at_once is None else at_once, 1, "at_once")
    parts = torch.eye(trace.heads, dtype=torch.bool)[..., None, None].split(some)  # batch head 1 1: which head is off

    def ablate(z: Tensor, off: Tensor) -> Tensor:
        return torch.where(off, ablated(z, how), z)

    for layer, x in _entering(trace, begin):
        for off in parts:
            change = {f"blocks.{layer}.attn.z": partial(ablate, off=off)}
            with plain_arithmetic(), without_hooks(), torch.no_grad(), edit(change):
                outputs = model.forward_from(x.expand(len(off), -1, -1), trace.grid, layer)
            yield _effects(trace, score, outputs)


@typed
def each_layer(
    model: VisionTransformer, trace: Trace, score: Measured, *, how: str = "zero", begin: int = 0
) -> Iterator[np.ndarray]:
    """The rows of `sweep_layers`, one layer after the other, beginning at any."""

    def ablate(sample: int) -> Callable[[Tensor], Tensor]:
        off = torch.arange(len(SUBLAYERS))[:, None, None] == sample
        return lambda added: torch.where(off, ablated(added, how), added)

    one_of(how, How)
    _check(model, trace)
    score = measured(score, trace)
    for layer, x in _entering(trace, begin):
        changes = {f"blocks.{layer}.attn.out": ablate(0), f"blocks.{layer}.mlp.out": ablate(1)}
        with plain_arithmetic(), without_hooks(), torch.no_grad(), edit(changes):
            outputs = model.forward_from(x.expand(len(SUBLAYERS), -1, -1), trace.grid, layer)
        yield _effects(trace, score, outputs)


@typed
def each_patch(
    model: VisionTransformer,
    trace: Trace,
    score: Measured,
    *,
    how: str = "keys",
    begin: int = 0,
    at_once: int = AT_ONCE,
) -> Iterator[np.ndarray]:
    """The results of `sweep_patches`, `at_once` patches after the other, beginning at any batch."""
    one_of(how, PatchMethod)
    _check(model, trace)
    score = measured(score, trace)
    patches = trace.token_count - trace.prefix
    if patches == 1:
        raise EditError("The only patch cannot be switched off: a softmax over nothing has no weights.")
    pixels = torch.tensor(trace.pixels())[None]
    for some in torch.arange(patches).split(at_least(at_once, 1, "at_once"))[at_least(begin, 0, "The first batch") :]:
        off = some[:, None] == torch.arange(patches)  # batch patch
        changes = _hidden(model, trace, off) if how == "keys" else _averaged(off)
        with plain_arithmetic(), without_hooks(), torch.no_grad(), edit(changes):
            outputs = model(pixels.expand(len(some), -1, -1, -1))
        yield _effects(trace, score, outputs)


def _hidden(model: VisionTransformer, trace: Trace, off: Tensor) -> dict[str, Callable[[Tensor], Tensor]]:
    """As `Applied.hooks` has it, with other patches [batch, patch] for each sample."""
    config = model.config
    hidden = torch.cat([torch.zeros(len(off), trace.prefix, dtype=torch.bool), off], dim=1)
    read = hidden[:, 0 if config.pool_include_prefix else config.num_prefix_tokens :]

    def hide(scores: Tensor, hidden: Tensor = hidden) -> Tensor:
        return scores.masked_fill(hidden.view(len(hidden), *[1] * (scores.ndim - 2), -1), -torch.inf)

    changes: dict[str, Callable[[Tensor], Tensor]] = {"blocks.*.attn.scores": hide}
    if config.pooling == "attention":
        changes[f"{POOL}.scores"] = lambda scores: hide(scores, read)
    elif "mean" in config.pooling:
        changes["norm"] = lambda x: exclude_from_mean(x, hidden, config)
    return changes


def _averaged(off: Tensor) -> dict[str, Callable[[Tensor], Tensor]]:
    return {"embed.patches": lambda x: torch.where(off[..., None], x.mean(dim=1, keepdim=True), x)}


@typed
def entering(trace: Trace, begin: int = 0) -> tuple[str, ...]:
    """The hook points that sweeps of heads and layers begin at; a trace that has recorded them spares them a pass."""
    begin = at_least(begin, 0, "The first layer")
    return block_input_names(trace.layers, begin)


def _entering(trace: Trace, begin: int) -> Iterator[tuple[int, Tensor]]:
    """What enters each layer, [1, token, D]; from one pass, if it was not recorded."""
    names = entering(trace, begin)
    found = trace.activations(*names)
    for layer, name in enumerate(names, begin):
        yield layer, torch.tensor(found[name])[None]


def _check(model: VisionTransformer, trace: Trace) -> None:
    check_same_model(trace, model, EditError)
    if trace.edits or trace.edited:
        raise EditError("Effects are measured from a pass without edits; trace the image again without them.")


def _effects(trace: Trace, score: Score, outputs: Tensor) -> np.ndarray:
    before = score.of(torch.tensor(trace.output)[None])
    return (score.of(outputs) - before).numpy()


def _collected(results: Iterator[np.ndarray], count: int, progress: Progress | None) -> list[np.ndarray]:
    """Results of all batches; progress is counted in parts of the model."""
    found, done, report = [], 0, progress or silent
    for result in results:
        found.append(result)
        done += len(result)
        report(done, count)
    return found
