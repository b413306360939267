"""Which patches are like the one under the pointer."""

from __future__ import annotations

import streamlit as st

from ....analysis.tokens import directions
from ...components.similarity import similarity_picker
from ..lesson import followed_patch
from ..lesson.sections import section
from . import token_analyses
from .settings import CENTRED
from .tokens_view import TokensView


def draw(view: TokensView) -> None:
    """The section."""
    section(
        "Which patches are alike?",
        "Point at a patch: the colours are the cosine similarity of its token with every other, from −1 (opposite) "
        "over 0 (nothing in common) to 1 (the same direction).",
    )
    centred = CENTRED.draw(
        st.toggle,
        "Without the mean token",
        help="All tokens of a layer share a direction, which makes all of them alike. Without their mean, the "
        "similarity says in which way a token differs from the rest.",
    )
    mean = ", the mean of all tokens taken away first" if centred else ""
    similarity_picker(
        view.picture(),
        view.name,
        view.trace.grid,
        view.patch,
        directions(token_analyses.layer_tokens(view.choice, view.layer), centred),
        view.trace.config.prefix_token_names,
        f"Cosine similarity {view.where}{mean}",
        on_choose=followed_patch.choose_patch,
        key="similarity",
    )
