"""The tokens as points on a plane."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from ....analysis import tokens
from ....analysis.tokens.projection import Method, perplexity
from ....notation.marks import percent
from ...app.jobs import asking, durations
from ...app.jobs.queue import Job
from ...components.scatter import scatter
from ..lesson import followed_patch
from ..lesson.sections import section
from . import token_analyses
from .settings import METHOD
from .tokens_view import TokensView

WEIGHT = 10.0  # what t-SNE costs against a forward pass, until it is measured
WORDS = {"pca": "PCA", "tsne": "t-SNE"}


def draw(view: TokensView) -> None:
    """The section."""
    section(
        "Tokens as points",
        "Each point is the token of a patch. Point at one to see its patch; draw a line around several and their "
        "patches light up on the picture.",
    )
    method = METHOD.draw(st.segmented_control, "Laid out by", tokens.METHODS, required=True, format_func=WORDS.get)
    points = projected(view, method)
    if points is None:
        return
    scatter(
        view.picture(),
        view.name,
        view.trace.grid,
        view.patch,
        points,
        token_analyses.pca(view.choice, False, False, False).colours(view.layer),
        f"Tokens of the patches {view.where}: {how(view, method)}. Borders have the colours of the components.",
        on_choose=followed_patch.choose_patch,
        key="scatter",
    )


def projected(view: TokensView, method: Method) -> np.ndarray | None:
    """The patches as points on a plane, float32 [patch, 2]; None while nobody asks for those that take long."""
    if method == "pca":
        return token_analyses.pca(view.choice, together=False, foreground=False, swap=False).scores[view.layer, :, :2]
    key = ("projection", method, view.choice.key, view.layer)
    work = asking.Work(key, "plane", "plane_run", "Lay out", begins_itself=True)
    return asking.result(work, partial(_step, view, method, key))


def _step(view: TokensView, method: Method, key: tuple) -> asking.Step:
    choice, trace = view.choice, view.trace
    seconds, pace = durations.expected(choice, trace, method, 1, WEIGHT), durations.pace_key(choice, trace, method)

    def project(job: Job) -> np.ndarray:
        return tokens.project(token_analyses.layer_tokens(choice, view.layer)[trace.prefix :], method, job)

    return asking.Step(key, project, seconds, pace=pace)


def how(view: TokensView, method: Method) -> str:
    """What the plane shows, in words."""
    if method == "pca":
        shares = token_analyses.pca(view.choice, False, False, False).explained[view.layer]
        first, second = (percent(float(share)) for share in shares[:2])
        return (
            f"across, the first principal component ({first} of the variance), and up, the second ({second}), each "
            "stretched to the room there is"
        )
    rows, columns = view.trace.grid
    return (
        f"t-SNE of scikit-learn, perplexity {perplexity(rows * columns):g}, started from the components; neighbours "
        "stay together, distances between groups mean little"
    )
