"""Tokens for the linked views of the explorer: sent only while they are shown, and after the explorer itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from ....model.hooks import residual_stream_names
from ....notation.view import View
from ....trace.trace import Trace
from ....viz.explorer.linked import layer_of, layers_with_tokens, tokens_part
from ...app import state
from ...app.activations import activations
from ...app.cache import cached
from ...app.turns import one_at_a_time


class Tokens(NamedTuple):
    """Tokens of a layer, which may not be computed yet.

    Attributes:
        choice: image and model.
        prefix: number of prefix tokens.
        layer: index of the layer.
    """

    choice: state.Choice
    prefix: int
    layer: int

    @property
    def source(self) -> str:
        """Identity of the trace."""
        return hashlib.sha256(repr(self.choice.key).encode()).hexdigest()

    @property
    def key(self) -> str:
        """Identity of the part that is sent, which is known before its contents."""
        return f"tokens {self.source} {self.layer}"

    def part(self) -> bytes:
        """Return the part."""
        return _part(self.choice.key, self.layer, self)


def of_view(choice: state.Choice, trace: Trace, view: View) -> Tokens:
    """Return the tokens that belong to a view."""
    return Tokens(choice, trace.prefix, layer_of(trace, view))


def of_file(choice: state.Choice, trace: Trace, view: View, kept: Sequence[int]) -> list[bytes]:
    """Return the parts of a file that keeps these layers."""
    return [Tokens(choice, trace.prefix, layer).part() for layer in layers_with_tokens(trace, view, kept)]


@cached()
def _part(key: tuple, layer: int, _tokens: Tokens) -> bytes:
    name = residual_stream_names(layer + 1)[-1]
    values = activations(_tokens.choice, name)[name]
    with one_at_a_time:
        return tokens_part(values, _tokens.prefix, layer, _tokens.source, _tokens.key)
