"""What the page "Tokens" looks at: one layer, and the patch that all pages follow."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from ....trace.trace import Trace
from ...app import state
from ...app.settings import bound
from ...app.views import VIEW
from ..attention import head_view
from ..lesson.sections import Patch, patch_number

PICTURE = 720  # pixels of the longer side of the photo that the sections send


@dataclass(frozen=True, eq=False)
class TokensView:
    """One look: whose tokens the sections show.

    Attributes:
        choice: image and model.
        trace: their forward pass.
        place: layer and patch; counted from 0.
    """

    choice: state.Choice
    trace: Trace
    place: head_view.Place

    @property
    def layer(self) -> int:
        """After which layer the tokens are looked at, from 0."""
        return self.place.layer

    @property
    def patch(self) -> Patch:
        """The visitor's patch, row and column from 0."""
        return self.place.patch

    @property
    def token(self) -> int:
        """Its token."""
        return self.trace.prefix + patch_number(self.trace, self.patch)

    @property
    def name(self) -> str:
        """What the picture shows."""
        return self.choice.picked.name

    @property
    def where(self) -> str:
        """Such as `"after layer 12"`."""
        return f"after layer {self.layer + 1}"

    def picture(self) -> bytes:
        """The photo."""
        return state.picture(self.choice, PICTURE)


def current(choice: state.Choice) -> TokensView:
    """What this visitor looks at."""
    found = state.trace(choice)
    return TokensView(choice, found, head_view.place(found))


def choose_layer(layer: int) -> None:
    """TokensView at the tokens after another layer."""
    VIEW.change(layer=layer)


def layer_box(view: TokensView) -> None:
    """The box that chooses the layer, from 1."""
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
