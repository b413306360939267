"""Patch tokens as points in the plane."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from ....analysis import tokens
from ....analysis.tokens.projection import Method, perplexity
from ....notation.marks import percent
from ...app.jobs import background, durations
from ...app.jobs.queue import Job
from ...components.scatter import scatter
from ..lesson import followed_token
from ..lesson.sections import section
from . import token_analyses
from .settings import METHOD
from .tokens_view import TokensView

WEIGHT = 10.0  # cost of t-SNE in forward passes, until it is measured
LABELS = {"pca": "PCA", "tsne": "t-SNE"}


def draw(view: TokensView) -> None:
    """Draw the section."""
    section(
        "Tokens as points",
        "Each point is the token of a patch. Point at one to see its patch; draw a line around several to highlight "
        "their patches in the image.",
    )
    method = METHOD.draw(st.segmented_control, "Projection", tokens.METHODS, required=True, format_func=LABELS.get)
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
        f"Tokens of the patches {view.layer_label}: {method_text(view, method)}. Border colours: principal components.",
        on_choose=followed_token.follow_patch,
        key="scatter",
    )


def projected(view: TokensView, method: Method) -> np.ndarray | None:
    """Return the patches as points, float32 [patch, 2]; None while a slow projection has not been requested."""
    if method == "pca":
        return token_analyses.pca(view.choice, together=False, foreground=False, swap=False).scores[view.layer, :, :2]
    key = ("projection", method, view.choice.key, view.layer)
    work = background.Work(key, "plane", "plane_run", "Compute", autostart=True)
    return background.result(work, partial(_step, view, method, key))


def _step(view: TokensView, method: Method, key: tuple) -> background.Step:
    choice, trace = view.choice, view.trace
    seconds, pace = durations.expected(choice, trace, method, 1, WEIGHT), durations.pace_key(choice, trace, method)

    def project(job: Job) -> np.ndarray:
        return tokens.project(token_analyses.layer_tokens(choice, view.layer)[trace.prefix :], method, job)

    return background.Step(key, project, seconds, pace=pace)


def method_text(view: TokensView, method: Method) -> str:
    """Describe the axes of the plane."""
    if method == "pca":
        shares = token_analyses.pca(view.choice, False, False, False).explained[view.layer]
        first, second = (percent(float(share)) for share in shares[:2])
        return (
            f"first principal component on the x axis ({first} of the variance), second on the y axis ({second}), each "
            "scaled to fit"
        )
    rows, columns = view.trace.grid
    return (
        f"t-SNE (scikit-learn), perplexity {perplexity(rows * columns):g}, initialised with PCA; neighbours stay "
        "together, distances between groups are not meaningful"
    )
