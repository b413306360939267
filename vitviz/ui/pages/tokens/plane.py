"""The tokens as points on a plane."""

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
from ..lesson import following
from ..lesson.sections import section
from . import cached, look
from .settings import METHOD

WEIGHT = 10.0  # what t-SNE costs against a forward pass, until it is measured
WORDS = {"pca": "PCA", "tsne": "t-SNE"}


def plane(seen: look.Look) -> None:
    """The section."""
    section(
        "Tokens as points",
        "Each point is the token of a patch. Point at one to see its patch; draw a line around several and their "
        "patches light up on the picture.",
    )
    method = METHOD.draw(st.segmented_control, "Laid out by", tokens.METHODS, required=True, format_func=WORDS.get)
    points = projected(seen, method)
    if points is None:
        return
    scatter(
        seen.picture(),
        seen.name,
        seen.trace.grid,
        seen.patch,
        points,
        cached.pca(seen.choice, False, False, False).colours(seen.layer),
        f"Tokens of the patches {seen.where}: {how(seen, method)}. Borders have the colours of the components.",
        on_choose=following.choose_patch,
        key="scatter",
    )


def projected(seen: look.Look, method: Method) -> np.ndarray | None:
    """The patches as points on a plane, float32 [patch, 2]; None while nobody asks for those that take long."""
    if method == "pca":
        return cached.pca(seen.choice, together=False, foreground=False, swap=False).scores[seen.layer, :, :2]
    key = ("projection", method, seen.choice.key, seen.layer)
    work = background.Work(key, "plane", "plane_run", "Lay out", autostart=True)
    return background.result(work, partial(_step, seen, method, key))


def _step(seen: look.Look, method: Method, key: tuple) -> background.Step:
    choice, trace = seen.choice, seen.trace
    seconds, pace = durations.expected(choice, trace, method, 1, WEIGHT), durations.pace_key(choice, trace, method)

    def project(job: Job) -> np.ndarray:
        return tokens.project(cached.layer_tokens(choice, seen.layer)[trace.prefix :], method, job)

    return background.Step(key, project, seconds, pace=pace)


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
