"""What the page "Attention" looks at: one layer, one head, a patch that asks and one that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import streamlit as st

from ....notation.view import strongest_patch, token_words
from ....trace.trace import Trace
from ....walkthrough.steps import BlockSteps, HeadSteps, block_steps
from ...app import state
from ...app.settings import bound
from ...app.views import VIEW
from ...components.patches import Overlay, patch_picker
from ..lesson import followed_patch, sections
from . import layer_activations
from .settings import KEY_PATCH, with_one_head


@dataclass(frozen=True, eq=False)
class HeadView:
    """One look: whose numbers the sections show.

    Attributes:
        choice: image and model.
        trace: their forward pass.
        layer, head: which, from 0.
        patch: the one that asks, and
        key_patch: the one that answers; row and column, from 0.
        block: all that the layer does for the patch, by hand.
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
        """What the head does for the patch, by hand."""
        return self.block.head

    @property
    def query(self) -> int:
        """The token that asks."""
        return self.trace.prefix + sections.patch_number(self.trace, self.patch)

    @property
    def key(self) -> int:
        """The token that answers."""
        return self.trace.prefix + sections.patch_number(self.trace, self.key_patch)

    @property
    def signed(self) -> bool:
        """Whether weights may be negative."""
        return self.trace.config.differential

    @property
    def where(self) -> str:
        """Such as `"layer 12, head 4"`, from 1."""
        return f"layer {self.layer + 1}, head {self.head + 1}"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what the model sees, pixels."""
        rows, columns = self.trace.grid
        return columns * self.trace.config.patch_size, rows * self.trace.config.patch_size

    @property
    def values(self) -> dict[str, int]:
        """The letters of this model and image."""
        return sections.values_of(self.trace)

    def name(self, token: int) -> str:
        """What a token is called."""
        return token_words(self.trace, token)

    def say(self, text: str) -> None:
        """Text with this look's symbols."""
        sections.say(text, self.values)

    def section(self, title: str, text: str) -> None:
        """A step of the story with this look's symbols."""
        sections.section(title, text, self.values)


class Place(NamedTuple):
    """Where a visitor looks; counted from 0."""

    layer: int
    head: int
    patch: sections.Patch
    key_patch: sections.Patch


def current(choice: state.Choice) -> HeadView:
    """What this visitor looks at, with its numbers."""
    return at(choice, place(state.trace(choice)))


def place(trace: Trace) -> Place:
    """Where this visitor looks: layer and head as in the explorer, the patch as on all pages of explanations."""
    view = with_one_head(VIEW.of(trace), trace)
    patch, layer, head = followed_patch.chosen_patch(trace), view.layer, view.head
    key_patch = KEY_PATCH.get()
    if key_patch is None or not (key_patch[0] < trace.grid[0] and key_patch[1] < trace.grid[1]):
        query = trace.prefix + sections.patch_number(trace, patch)
        strongest = strongest_patch(trace, trace.attention(layer, head, query)) - trace.prefix
        key_patch = divmod(strongest, trace.grid[1])
    return Place(layer, head, patch, key_patch)


def at(choice: state.Choice, place: Place) -> HeadView:
    """The numbers of a place; asks nothing of the visitor's session."""
    trace = state.trace(choice)
    query, key = (trace.prefix + sections.patch_number(trace, patch) for patch in (place.patch, place.key_patch))
    block = block_steps(layer_activations.recording(choice, place.layer), place.head, query, key)
    return HeadView(choice, trace, *place, block)


def choose(view: HeadView) -> None:
    """The boxes that choose layer and head, from 1."""
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
    """HeadView at the key of another patch."""
    KEY_PATCH.set((row, column))


def picker(view: HeadView, overlay: Overlay, key: str, choosing: str = "query") -> None:
    """The picture with the query's and the key's patch in frames; a click chooses one of the two."""
    patch_picker(
        state.picture(view.choice),
        view.choice.picked.name,
        view.trace.grid,
        view.patch,
        on_choose=followed_patch.choose_patch,
        second=view.key_patch,
        choosing=choosing,
        on_key=answer,
        overlay=overlay,
        key=key,
    )
