"""View of the page "Tokens": a layer, and the patch that all pages follow."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from ....trace.trace import Trace
from ...app import state
from ...app.settings import bound
from ...app.views import VIEW
from ..attention.settings import with_one_head
from ..lesson.followed_token import followed_patch
from ..lesson.sections import Patch, patch_number

PICTURE = 720  # pixels of the longer side of the image


@dataclass(frozen=True, eq=False)
class TokensView:
    """Image, model, layer and patch that the sections show.

    Attributes:
        choice: image and model.
        trace: the forward pass.
        layer: layer index, from 0; the tokens are those after this layer.
        patch: row and column of the followed patch, from 0.
    """

    choice: state.Choice
    trace: Trace
    layer: int
    patch: Patch

    @property
    def token(self) -> int:
        """Token index of the chosen patch."""
        return self.trace.prefix + patch_number(self.trace, self.patch)

    @property
    def name(self) -> str:
        """Name of the image."""
        return self.choice.picked.name

    @property
    def layer_label(self) -> str:
        """Label of the layer, such as `"after layer 12"`."""
        return f"after layer {self.layer + 1}"

    def picture(self) -> bytes:
        """Return the image as encoded bytes."""
        return state.picture(self.choice, PICTURE)


def current(choice: state.Choice) -> TokensView:
    """Return the user's current view."""
    trace = state.trace(choice)
    return TokensView(choice, trace, with_one_head(VIEW.of(trace), trace).layer, followed_patch(trace))


def choose_layer(layer: int) -> None:
    """Show the tokens after another layer."""
    VIEW.change(layer=layer)


def layer_box(view: TokensView) -> None:
    """Draw the box that chooses the layer, from 1."""
    count = view.trace.layers
    bound(
        st.selectbox,
        "Tokens after layer",
        range(count),
        key="tokens_layer",
        value=view.layer,
        take=choose_layer,
        format_func=lambda layer: f"{layer + 1} of {count}",
        width=200,
    )
