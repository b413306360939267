"""Which patches are like the one under the pointer."""

from __future__ import annotations

import streamlit as st

from ....analysis.tokens import directions
from ...components.similarity import similarity_picker
from ..lesson import following
from ..lesson.sections import section
from . import cached, look
from .settings import CENTRED


def alike(seen: look.Look) -> None:
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
        seen.picture(),
        seen.name,
        seen.trace.grid,
        seen.patch,
        directions(cached.layer_tokens(seen.choice, seen.layer), centred),
        seen.trace.config.prefix_names,
        f"Cosine similarity {seen.where}{mean}",
        on_choose=following.choose_patch,
        key="similarity",
    )
