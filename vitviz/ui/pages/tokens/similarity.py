"""Cosine similarity of the patch under the pointer to all tokens."""

from __future__ import annotations

import streamlit as st

from ....analysis.tokens import directions
from ...components.similarity import similarity_picker
from ..lesson import followed_token
from ..lesson.sections import section
from . import token_analyses
from .settings import CENTRED
from .tokens_view import TokensView


def draw(view: TokensView) -> None:
    """Draw the section."""
    section(
        "Similar patches",
        "Point at a patch: the colours show the cosine similarity of its token to every other token, from −1 (opposite "
        "directions) through 0 (orthogonal) to 1 (same direction).",
    )
    centred = CENTRED.draw(
        st.toggle,
        "Subtract the mean token",
        help="All tokens of a layer share a direction, so all of them are similar. After subtracting their mean, "
        "similarity compares how tokens differ from it.",
    )
    mean = ", mean of all tokens subtracted" if centred else ""
    similarity_picker(
        view.picture(),
        view.name,
        view.trace.grid,
        view.patch,
        directions(token_analyses.layer_tokens(view.choice, view.layer), centred),
        view.trace.config.prefix_token_names,
        f"Cosine similarity {view.layer_label}{mean}",
        on_choose=followed_token.follow_patch,
        key="similarity",
    )
