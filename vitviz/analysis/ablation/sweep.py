"""Ablation sweeps: change of a score when each head, sublayer or patch is ablated alone.

Forward passes with different ablations run as one batch, which starts at the layer of the ablated part: lower layers
are the same for all and come from one recorded pass. Each sweep is also available as a generator of batch results, to
show progress, or to stop and resume; no edit is active between its results.
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
from ...model.edits import SUBLAYERS, How, one_of
from ...model.hooks import block_input_names, edit, without_hooks
from ...model.precision import as_result, plain_arithmetic
from ...trace.model_stub import check_same_model
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from .edit_tools import PatchMethod
from .effects import Score, ScoreLike, as_score

AT_ONCE = 8  # patches per batch, each ablated in one sample


@typed
def sweep_heads(
    model: VisionTransformer, trace: Trace, score: ScoreLike, *, how: str = "zero", progress: Progress | None = None
) -> np.ndarray:
    """Ablate each head alone and return the change of a score.

    Args:
        model: the model.
        trace: trace of the image by this model, without edits.
        score: score to measure: a result of `class_score` or `distance`, a class index or name (measured as
            probability), or a target of `vitviz.analysis.attribution`.
        how: replacement of the head's z: `"zero"` or `"mean"`, its mean over tokens.
        progress: function called with the number of heads done and in total. An exception that it raises stops the
            sweep.

    Returns:
        Score without the head minus score with it, float32 [layer, head].

    Raises:
        EditError: if the trace was made under edits or by another model, or `how` is unknown.
        ModelError: if the model does not have the class or target.
        IndexError: if the class index is out of range.
    """
    heads = trace.layers * trace.heads
    return np.stack(_collected(each_head(model, trace, score, how=how), heads, progress))


@typed
def sweep_layers(
    model: VisionTransformer, trace: Trace, score: ScoreLike, *, how: str = "zero", progress: Progress | None = None
) -> np.ndarray:
    """Ablate attention and MLP of each layer alone and return the change of a score; see `sweep_heads`.

    Returns:
        Score without the sublayer minus score with it, float32 [layer, 2]: attention, MLP.
    """
    parts = trace.layers * len(SUBLAYERS)
    return np.stack(_collected(each_layer(model, trace, score, how=how), parts, progress))


@typed
def sweep_patches(
    model: VisionTransformer, trace: Trace, score: ScoreLike, *, how: str = "keys", progress: Progress | None = None
) -> np.ndarray:
    """Ablate each patch alone, as `KeyMask` or `PatchAblation`, and return the change of a score; see `sweep_heads`.

    Returns:
        Score without the patch minus score with it, float32 [row, column].

    Raises:
        EditError: as `sweep_heads`, or if the trace has only one patch.
    """
    patches = trace.token_count - trace.prefix
    found = _collected(each_patch(model, trace, score, how=how), patches, progress)
    return np.concatenate(found).reshape(trace.grid)


@typed
def each_head(
    model: VisionTransformer,
    trace: Trace,
    score: ScoreLike,
    *,
    how: str = "zero",
    begin: int = 0,
    at_once: int | None = None,
) -> Iterator[np.ndarray]:
    """Yield the rows of `sweep_heads`, starting at layer `begin`.

    With `at_once`, each row is yielded in parts of at most `at_once` heads.
    """
    one_of(how, How)
    _check(model, trace)
    score = as_score(score, trace)
    some = at_least(trace.heads if at_once is None else at_once, 1, "at_once")
    parts = torch.eye(trace.heads, dtype=torch.bool)[..., None, None].split(some)  # batch head 1 1: ablated head

    def ablate(z: Tensor, off: Tensor) -> Tensor:
        return torch.where(off.to(z.device), ablated(z, how), z)

    for layer, x in _entering(trace, begin):
        for off in parts:
            change = {f"blocks.{layer}.attn.z": partial(ablate, off=off)}
            with plain_arithmetic(), without_hooks(), torch.no_grad(), edit(change):
                outputs = as_result(model.forward_from(x.expand(len(off), -1, -1), trace.grid, layer))
            yield _effects(trace, score, outputs)


@typed
def each_layer(
    model: VisionTransformer, trace: Trace, score: ScoreLike, *, how: str = "zero", begin: int = 0
) -> Iterator[np.ndarray]:
    """Yield the rows of `sweep_layers`, starting at layer `begin`."""

    def ablate(sample: int) -> Callable[[Tensor], Tensor]:
        off = torch.arange(len(SUBLAYERS))[:, None, None] == sample
        return lambda added: torch.where(off.to(added.device), ablated(added, how), added)

    one_of(how, How)
    _check(model, trace)
    score = as_score(score, trace)
    for layer, x in _entering(trace, begin):
        changes = {f"blocks.{layer}.attn.out": ablate(0), f"blocks.{layer}.mlp.out": ablate(1)}
        with plain_arithmetic(), without_hooks(), torch.no_grad(), edit(changes):
            outputs = as_result(model.forward_from(x.expand(len(SUBLAYERS), -1, -1), trace.grid, layer))
        yield _effects(trace, score, outputs)


@typed
def each_patch(
    model: VisionTransformer,
    trace: Trace,
    score: ScoreLike,
    *,
    how: str = "keys",
    begin: int = 0,
    at_once: int = AT_ONCE,
) -> Iterator[np.ndarray]:
    """Yield the results of `sweep_patches` in batches of `at_once` patches, starting at batch `begin`."""
    one_of(how, PatchMethod)
    _check(model, trace)
    score = as_score(score, trace)
    patches = trace.token_count - trace.prefix
    if patches == 1:
        raise EditError("The only patch cannot be ablated, because attention needs at least one; use a larger image.")
    pixels = torch.tensor(trace.pixels())[None]
    for some in torch.arange(patches).split(at_least(at_once, 1, "at_once"))[at_least(begin, 0, "The first batch") :]:
        off = some[:, None] == torch.arange(patches)  # batch patch
        changes = _hidden(model, trace, off) if how == "keys" else _averaged(off)
        with plain_arithmetic(), without_hooks(), torch.no_grad(), edit(changes):
            outputs = as_result(model(pixels.expand(len(some), -1, -1, -1)))
        yield _effects(trace, score, outputs)


def _hidden(model: VisionTransformer, trace: Trace, off: Tensor) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return edits like those of `Applied.hooks`, with different masked patches [batch, patch] in each sample."""
    config = model.config
    hidden = torch.cat([torch.zeros(len(off), trace.prefix, dtype=torch.bool), off], dim=1)
    read = hidden[:, 0 if config.pool_include_prefix else config.num_prefix_tokens :]

    def hide(scores: Tensor, hidden: Tensor = hidden) -> Tensor:
        return scores.masked_fill(hidden.to(scores.device).view(len(hidden), *[1] * (scores.ndim - 2), -1), -torch.inf)

    changes: dict[str, Callable[[Tensor], Tensor]] = {"blocks.*.attn.scores": hide}
    if config.pooling == "attention":
        changes[f"{POOL}.scores"] = lambda scores: hide(scores, read)
    elif "mean" in config.pooling:
        changes["norm"] = lambda x: exclude_from_mean(x, hidden.to(x.device), config)
    return changes


def _averaged(off: Tensor) -> dict[str, Callable[[Tensor], Tensor]]:
    return {"embed.patches": lambda x: torch.where(off[..., None].to(x.device), x.mean(dim=1, keepdim=True), x)}


@typed
def entering(trace: Trace, begin: int = 0) -> tuple[str, ...]:
    """Return the hook points where sweeps of heads and layers start; recording them in the trace saves a pass."""
    begin = at_least(begin, 0, "The first layer")
    return block_input_names(trace.layers, begin)


def _entering(trace: Trace, begin: int) -> Iterator[tuple[int, Tensor]]:
    """Yield each layer with its input, [1, token, D]; takes one forward pass, unless recorded."""
    names = entering(trace, begin)
    activations = trace.activations(*names)
    for layer, name in enumerate(names, begin):
        yield layer, torch.tensor(activations[name])[None]


def _check(model: VisionTransformer, trace: Trace) -> None:
    check_same_model(trace, model, EditError)
    if trace.edits or trace.edited:
        raise EditError("Sweeps need a trace without edits; trace the image again without them.")


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
