"""Passes before and after, which the page shares between visitors. None of them keeps a model in memory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ....analysis.ablation.sweep import entering
from ....model.edits import ActivationCopy, Edit, with_activations_from
from ....notation.edits import to_text
from ....trace.trace import Trace
from ...app import state
from ...app.activations import activations, with_activations
from ...app.cache import cached
from ...app.cached_trace import cached_trace

AT_ONCE = 16_000_000  # bytes of all layers' tokens; 4.7 million for the shipped model at 224 px


def before(choice: state.Choice, layer: int) -> Trace:
    """The pass without edits, with the tokens of at least this layer at hand."""
    return with_activations(choice, *_names(state.trace(choice), layer))


def for_sweeps(choice: state.Choice, begin: int = 0) -> Trace:
    """The pass without edits, with what enters each layer from `begin` on at hand."""
    return with_activations(choice, *entering(state.trace(choice), begin))


def after(choice: state.Choice, edits: tuple[Edit, ...], second: state.Choice, layer: int) -> Trace:
    """The pass under edits, with the tokens of at least this layer at hand.

    Args:
        choice: image and model.
        edits: what is changed.
        second: the same with the image that `ActivationCopy` edits copy from.
        layer: which layer.
    """
    plain = before(choice, layer)
    if not edits:
        return plain
    copied = second.key if any(isinstance(edit, ActivationCopy) for edit in edits) else None
    key = (choice.key, copied, to_text(edits, plain.config, plain.grid))
    kept = partial(_after, key, _names(plain, layer), plain, edits, second)
    kept()
    return cached_trace(kept, plain.model, choice.model)


@cached()
def _after(key: tuple, names: tuple[str, ...], _plain: Trace, _edits: tuple[Edit, ...], _second: state.Choice) -> Trace:
    hooks = tuple(dict.fromkeys(edit.hook for edit in _edits if isinstance(edit, ActivationCopy)))
    other = activations(_second, *hooks) if hooks else {}
    with state.one_at_a_time:
        found = _plain.rerun(edits=with_activations_from(_edits, other), record=names)
    return replace(found, model=None)  # whoever asks has it


def _names(trace: Trace, layer: int) -> tuple[str, ...]:
    """The hook points of the tokens: of all layers where they fit, so that another one is shown at once."""
    fit = 4 * trace.layers * trace.token_count * trace.config.embed_dim <= AT_ONCE
    return tuple(f"blocks.{i}.resid_post" for i in (range(trace.layers) if fit else [layer]))
