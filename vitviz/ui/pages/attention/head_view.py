"""View of the page "Attention": a layer, a head, a query token and a key token."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ....notation.marks import capital
from ....notation.view import strongest_patch, token_label, token_phrase
from ....trace.trace import Trace
from ....walkthrough.steps import BlockSteps, HeadSteps, Recording, block_steps
from ....walkthrough.steps.clear_head import ClearHead
from ...app import state
from ...app.settings import bound
from ...components.patches import Overlay, patch_picker
from ...widgets.view_boxes import layer_and_head
from ..lesson import followed_token, sections
from ..lesson.opening import opened
from . import layer_activations
from .settings import KEY, PLACE, with_one_head

PATCH = -1  # choice of a patch instead of a prefix token


@dataclass(frozen=True, eq=False)
class HeadView:
    """Image, model, head and tokens that the sections show.

    Attributes:
        choice: image and model.
        trace: the forward pass.
        layer, head: indices, from 0.
        query, key: indices of the query token and the key token, prefix tokens first.
        recording: activations of the layer.
        opened: the rule's result if the lesson has opened on this head by itself, see `lesson.opening`; else None.
    """

    choice: state.Choice
    trace: Trace
    layer: int
    head: int
    query: int
    key: int
    recording: Recording
    opened: ClearHead | None = None

    @cached_property
    def block(self) -> BlockSteps:
        """All steps of the layer for the query token, computed by hand."""
        return block_steps(self.recording, self.head, self.query, self.key)

    @property
    def steps(self) -> HeadSteps:
        """Steps of the head for the query token, computed by hand."""
        return self.block.head

    @property
    def patch(self) -> sections.Patch | None:
        """Row and column of the query patch, from 0; None if the query is a prefix token."""
        return self.patch_of(self.query)

    @property
    def key_patch(self) -> sections.Patch | None:
        """Row and column of the key patch, from 0; None if the key is a prefix token."""
        return self.patch_of(self.key)

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

    def patch_of(self, token: int) -> sections.Patch | None:
        """Return row and column of a patch token, from 0; None for a prefix token."""
        return None if token < self.trace.prefix else divmod(token - self.trace.prefix, self.trace.grid[1])

    def name(self, token: int) -> str:
        """Return the name of a token."""
        return token_label(self.trace, token)

    def the(self, token: int) -> str:
        """Return the name of a token for use in a sentence: `"the class token"`, `"patch (7, 9)"`."""
        return token_phrase(self.trace, token)

    def first(self, token: int) -> str:
        """Return the name of a token for the beginning of a sentence: `"The class token"`, `"Patch (7, 9)"`."""
        return capital(self.the(token))

    def draw_text(self, text: str) -> None:
        """Draw text with the symbols of this view."""
        sections.draw_text(text, self.values)

    def section(self, title: str, text: str) -> None:
        """Draw the heading and text of a section with the symbols of this view."""
        sections.section(title, text, self.values)


class Place(NamedTuple):
    """Layer, head, query token and key token, from 0; and the rule's result if it has chosen the head."""

    layer: int
    head: int
    query: int
    key: int
    opened: ClearHead | None = None


def current(choice: state.Choice) -> HeadView:
    """Return the user's current view with its computed steps."""
    return at(choice, place(choice))


def place(choice: state.Choice) -> Place:
    """Return the user's place: layer and head of the explorer, and the token that all lesson pages follow."""
    trace = state.trace(choice)
    view = with_one_head(PLACE.get(choice), trace)
    query = followed_token.followed_token(trace)
    key = key_token(choice, view.layer, view.head, query)
    return Place(view.layer, view.head, query, key, opened(choice))


def key_token(choice: state.Choice, layer: int, head: int, query: int) -> int:
    """Return the user's key token if this model and image have it, else the patch with the largest weight."""
    trace, key = state.trace(choice), KEY.get(choice)
    if key is None:
        return strongest_patch(trace, trace.attention(layer, head, query))
    return key if isinstance(key, int) else trace.prefix + sections.patch_number(trace, key)


def at(choice: state.Choice, place: Place) -> HeadView:
    """Return the view of a place; does not access the session."""
    trace, (layer, head, query, key, chosen) = state.trace(choice), place
    return HeadView(choice, trace, layer, head, query, key, layer_activations.recording(choice, layer), chosen)


def why(key: str, question: str) -> DeltaGenerator:
    """Return a closed expander for the answer to a question."""
    return st.container(key=f"why_{key}").expander(question)


def choose(view: HeadView) -> None:
    """Draw the widgets that choose layer and head, from 1, and a prefix token as query."""
    with st.container(horizontal=True):
        layer_and_head(view.trace, view.layer, view.head, "attention")
    patch = followed_token.followed_patch(view.trace)
    _choose_token(
        view, "Query", "query_token", view.query, patch, followed_token.follow_prefix_token, followed_token.follow_patch
    )


def choose_key(view: HeadView) -> None:
    """Draw the widget that chooses a prefix token, or the patch with the largest weight, as key."""
    patch = view.key_patch or view.patch_of(strongest_patch(view.trace, view.steps.weights))
    _choose_token(view, "Key", "key_token", view.key, patch, KEY.set, answer)


def _choose_token(view: HeadView, label, key, token, patch, take_prefix, take_patch) -> None:
    """Draw the prefix tokens and one patch as options; nothing for a model without prefix tokens."""
    if not view.trace.prefix:
        return
    names = (*view.trace.config.prefix_token_names, "patch ({}, {})".format(*(at + 1 for at in patch)))
    bound(
        st.pills,
        label,
        (*range(view.trace.prefix), PATCH),
        key=key,
        value=token if token < view.trace.prefix else PATCH,
        take=lambda chosen: take_patch(*patch) if chosen == PATCH else take_prefix(chosen),
        format_func=lambda index: names[index],
        required=True,
    )


def answer(row: int, column: int) -> None:
    """Choose another key patch."""
    KEY.set((row, column))


def picker(view: HeadView, overlay: Overlay | None, key: str, choosing: str = "query", shows_key: bool = True) -> None:
    """Draw the image with query and key patch framed; a click chooses one of the two.

    Args:
        view: the view.
        overlay: map over the image.
        key: identity of the picker.
        choosing: the patch that a click chooses, `"query"` or `"key"`.
        shows_key: whether the key patch is framed.
    """
    patch_picker(
        state.picture(view.choice),
        view.choice.picked.name,
        view.trace.grid,
        view.patch,
        on_choose=followed_token.follow_patch,
        second=view.key_patch if shows_key else None,
        choosing=choosing,
        on_key=answer,
        overlay=overlay,
        key=key,
    )
