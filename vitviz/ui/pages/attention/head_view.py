"""View of the page "Attention": a layer, a head, a query patch and a key patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import streamlit as st

from ....notation.view import strongest_patch, token_label
from ....trace.trace import Trace
from ....walkthrough.steps import BlockSteps, HeadSteps, block_steps
from ...app import state
from ...app.settings import bound
from ...app.views import VIEW
from ...components.patches import Overlay, patch_picker
from ..lesson import followed_token, sections
from . import layer_activations
from .settings import KEY_PATCH, with_one_head


@dataclass(frozen=True, eq=False)
class HeadView:
    """Image, model, head and patches that the sections show.

    Attributes:
        choice: image and model.
        trace: the forward pass.
        layer, head: indices, from 0.
        patch, key_patch: query and key patch, row and column from 0.
        block: all steps of the layer for the query patch, computed by hand.
    """

    choice: state.Choice
    trace: Trace
    layer: int
    head: int
    patch: sections.Patch
    key_patch: sections.Patch
    block: BlockSteps

    @property
    def steps(self) -> HeadSteps:
        """Steps of the head for the query patch, computed by hand."""
        return self.block.head

    @property
    def query(self) -> int:
        """Query token index."""
        return self.trace.prefix + sections.patch_number(self.trace, self.patch)

    @property
    def key(self) -> int:
        """Key token index."""
        return self.trace.prefix + sections.patch_number(self.trace, self.key_patch)

    @property
    def signed(self) -> bool:
        """True if attention weights may be negative."""
        return self.trace.config.differential

    @property
    def head_label(self) -> str:
        """Label of the head, such as `"layer 12, head 4"`, from 1."""
        return f"layer {self.layer + 1}, head {self.head + 1}"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the model input, pixels."""
        rows, columns = self.trace.grid
        return columns * self.trace.config.patch_size, rows * self.trace.config.patch_size

    @property
    def values(self) -> dict[str, int]:
        """Values of the symbols for this model and image."""
        return sections.values_of(self.trace)

    def name(self, token: int) -> str:
        """Return the name of a token."""
        return token_label(self.trace, token)

    def draw_text(self, text: str) -> None:
        """Draw text with the symbols of this view."""
        sections.draw_text(text, self.values)

    def section(self, title: str, text: str) -> None:
        """Draw the heading and text of a section with the symbols of this view."""
        sections.section(title, text, self.values)


class Place(NamedTuple):
    """Layer, head, query patch and key patch, from 0."""

    layer: int
    head: int
    patch: sections.Patch
    key_patch: sections.Patch


def current(choice: state.Choice) -> HeadView:
    """Return the user's current view with its computed steps."""
    return at(choice, place(state.trace(choice)))


def place(trace: Trace) -> Place:
    """Return the user's place: layer and head of the explorer, and the patch that all lesson pages follow."""
    view = with_one_head(VIEW.of(trace), trace)
    patch, layer, head = followed_token.followed_patch(trace), view.layer, view.head
    key_patch = KEY_PATCH.get()
    if key_patch is None or not (key_patch[0] < trace.grid[0] and key_patch[1] < trace.grid[1]):
        query = trace.prefix + sections.patch_number(trace, patch)
        strongest = strongest_patch(trace, trace.attention(layer, head, query)) - trace.prefix
        key_patch = divmod(strongest, trace.grid[1])
    return Place(layer, head, patch, key_patch)


def at(choice: state.Choice, place: Place) -> HeadView:
    """Return the view of a place; does not access the session."""
    trace = state.trace(choice)
    query, key = (trace.prefix + sections.patch_number(trace, patch) for patch in (place.patch, place.key_patch))
    block = block_steps(layer_activations.recording(choice, place.layer), place.head, query, key)
    return HeadView(choice, trace, *place, block)


def choose(view: HeadView) -> None:
    """Draw the boxes that choose layer and head, from 1."""
    with st.container(horizontal=True):
        for name, count, chosen in (("layer", view.trace.layers, view.layer), ("head", view.trace.heads, view.head)):
            bound(
                st.selectbox,
                name.capitalize(),
                range(count),
                key=f"attention_{name}",
                value=chosen,
                take=lambda place, name=name: VIEW.change(**{name: place}),
                format_func=lambda place, count=count: f"{place + 1} of {count}",
            )


def answer(row: int, column: int) -> None:
    """Choose another key patch."""
    KEY_PATCH.set((row, column))


def picker(view: HeadView, overlay: Overlay, key: str, choosing: str = "query") -> None:
    """Draw the image with query and key patch framed; a click chooses one of the two."""
    patch_picker(
        state.picture(view.choice),
        view.choice.picked.name,
        view.trace.grid,
        view.patch,
        on_choose=followed_token.follow_patch,
        second=view.key_patch,
        choosing=choosing,
        on_key=answer,
        overlay=overlay,
        key=key,
    )
