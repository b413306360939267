"""View of the page "Tokens": a layer, and the patch that all pages follow."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from ....trace.trace import Trace
from ...app import state
from ...app.settings import bound
from ...app.views import VIEW
from ..attention import head_view
from ..lesson.sections import Patch, patch_number

PICTURE = 720  # pixels of the longer side of the image


@dataclass(frozen=True, eq=False)
class TokensView:
    """Image, model, layer and patch that the sections show.

    Attributes:
        choice: image and model.
        trace: the forward pass.
        place: layer and patch, from 0.
    """

    choice: state.Choice
    trace: Trace
    place: head_view.Place

    @property
    def layer(self) -> int:
        """Layer index, from 0; the tokens are those after this layer."""
        return self.place.layer

    @property
    def patch(self) -> Patch:
        """Chosen patch: row and column, from 0."""
        return self.place.patch

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
    return TokensView(choice, trace, head_view.place(trace))


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
