"""The tokens as points on a plane."""

from __future__ import annotations

import streamlit as st

from ....analysis.tokens import METHODS
from ....analysis.tokens.projection import Method, perplexity
from ....notation.marks import percent
from ...components.scatter import scatter
from ..lesson import following
from ..lesson.sections import section
from . import cached, look
from .settings import METHOD

WORDS = {"pca": "PCA", "tsne": "t-SNE"}


def plane(seen: look.Look) -> None:
    """The section."""
    section(
        "Tokens as points",
        "Each point is the token of a patch. Point at one to see its patch; draw a line around several and their "
        "patches light up on the picture.",
    )
    method = METHOD.draw(st.segmented_control, "Laid out by", METHODS, required=True, format_func=WORDS.get)
    scatter(
        seen.picture(),
        seen.name,
        seen.trace.grid,
        seen.patch,
        cached.plane(seen.choice, seen.layer, method),
        cached.pca(seen.choice, False, False, False).colours(seen.layer),
        f"Tokens of the patches {seen.where}: {how(seen, method)}. Borders have the colours of the components.",
        on_choose=following.choose_patch,
        key="scatter",
    )


def how(seen: look.Look, method: Method) -> str:
    """What the plane shows, in words."""
    if method == "pca":
        shares = cached.pca(seen.choice, False, False, False).explained[seen.layer]
        first, second = (percent(float(share)) for share in shares[:2])
        return (
            f"across, the first principal component ({first} of the variance), and up, the second ({second}), each "
            "stretched to the room there is"
        )
    rows, columns = seen.trace.grid
    return (
        f"t-SNE of scikit-learn, perplexity {perplexity(rows * columns):g}, started from the components; neighbours "
        "stay together, distances between groups mean little"
    )
