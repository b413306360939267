"""Cached forward passes without and with edits, shared by all users. No result keeps a model in memory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ....analysis.ablation.sweep import entering
from ....model.edits import ActivationCopy, Edit, with_activations_from
from ....notation.edits import format_edits
from ....trace.trace import Trace
from ...app import state
from ...app.activations import activations, with_activations
from ...app.cache import cached
from ...app.cached_trace import cached_trace

AT_ONCE = 16_000_000  # bytes of tokens recorded together at most; 4.7 million for the shipped model at 224 px


def before(choice: state.Choice, layer: int) -> Trace:
    """Return the pass without edits, with the tokens after at least this layer recorded."""
    return with_activations(choice, *_names(state.trace(choice), layer))


def for_sweeps(choice: state.Choice, begin: int = 0) -> Trace:
    """Return the pass without edits, with the input of each layer from `begin` on recorded."""
    return with_activations(choice, *entering(state.trace(choice), begin))


def after(choice: state.Choice, edits: tuple[Edit, ...], second: state.Choice, layer: int) -> Trace:
    """Return the pass with edits, with the tokens after at least this layer recorded.

    Args:
        choice: image and model.
        edits: the edits.
        second: choice of the second image, the source of `ActivationCopy` edits.
        layer: layer index, from 0.
    """
    plain = before(choice, layer)
    if not edits:
        return plain
    copied = second.key if any(isinstance(edit, ActivationCopy) for edit in edits) else None
    key = (choice.key, copied, format_edits(edits, plain.config, plain.grid))
    kept = partial(_after, key, _names(plain, layer), plain, edits, second)
    kept()
    return cached_trace(kept, plain.model, choice.model)


@cached()
def _after(key: tuple, names: tuple[str, ...], _plain: Trace, _edits: tuple[Edit, ...], _second: state.Choice) -> Trace:
    hooks = tuple(dict.fromkeys(edit.hook for edit in _edits if isinstance(edit, ActivationCopy)))
    other = activations(_second, *hooks) if hooks else {}
    with state.one_at_a_time:
        edited = _plain.rerun(edits=with_activations_from(_edits, other), record=names)
    return replace(edited, model=None)  # callers have the model


def _names(trace: Trace, layer: int) -> tuple[str, ...]:
    """Return the hook points of the tokens: of all layers if they fit, so that switching layers is immediate."""
    fit = 4 * trace.layers * trace.token_count * trace.config.embed_dim <= AT_ONCE
    return tuple(f"blocks.{i}.resid_post" for i in (range(trace.layers) if fit else [layer]))
