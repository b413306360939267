"""Mean attribution map of each class, which shows whether the head relies on the background."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from .... import zoo
from ....analysis.attribution import METHODS, explain
from ....analysis.classifier import Fitted
from ....analysis.classifier.fitting import head_of
from ....analysis.classifier.shortcuts import BORDER
from ....images import as_picture
from ....notation.marks import percent
from ....viz.colour import overlay, tone
from ....viz.explorer.payload import as_jpeg
from ....viz.inline import data_url
from ....zoo.heads import attached
from ...app import cache
from ...app.jobs import background
from ...app.jobs.queue import Job
from . import image_features
from .fitting import TaughtSet

METHOD = "gradient_attention"  # one pass with gradients for each image
MOST = 6  # images of a class
SIDE = 224  # pixels of the longer side of a picture


@dataclass(frozen=True, eq=False)
class ClassRelevance:
    """Means over images of one class.

    Attributes:
        map: mean attribution map of the class's logit, float32 [rows, columns].
        pixels: mean of the model inputs, uint8 [height, width, channel].
        count: number of images.
    """

    map: np.ndarray
    pixels: np.ndarray
    count: int

    @property
    def border(self) -> tuple[float, float]:
        """Share of the relevance in the patches at the border, and share of these patches in the area."""
        rows, columns = self.map.shape
        down, across = max(1, round(BORDER * rows)), max(1, round(BORDER * columns))
        is_border = np.ones(self.map.shape, bool)
        is_border[down : rows - down, across : columns - across] = False
        size = np.abs(self.map)
        return float(size[is_border].sum() / max(size.sum(), np.finfo(np.float32).tiny)), float(is_border.mean())


def known(taught: TaughtSet) -> tuple[ClassRelevance, ...] | None:
    """Return the means of all classes if they are known."""
    return cache.results.get(_key(taught))


def step(taught: TaughtSet, fitted: Fitted) -> background.Step:
    """Return the step that computes the means."""
    return background.Step(
        _key(taught), partial(_run, taught, fitted), describe=lambda job: f"Maps: {job.done} of {job.total}"
    )


def draw(taught: TaughtSet, found: tuple[ClassRelevance, ...]) -> None:
    """Draw the mean image and the mean map of each class."""
    st.markdown(
        f"**Relevance**  \nMean image and mean map ({METHODS[METHOD].title}) of each class. Much relevance at the "
        "border means that the background counts."
    )
    figures = []
    for name, mean in zip(taught.names, found, strict=True):
        picture = as_picture(mean.pixels)
        picture.thumbnail((SIDE, SIDE))
        over = overlay(picture, tone(mean.map, "relative", 1), "relative")
        share, area = mean.border
        title = html.escape(name, quote=True)
        figures.append(
            f'<figure data-class="{title}" data-border="{share:.6f}"><span><img alt="Mean image: {title}" '
            f'src="{data_url(as_jpeg(picture))}"><img alt="Mean map: {title}, 0 to {mean.map.max():.3g}" '
            f'src="{data_url(as_jpeg(over))}"></span>{title}<br><small>mean of {mean.count}, 0 to '
            f"{mean.map.max():.3g} · border: {percent(share)} of the relevance, {percent(area)} of the area</small>"
            "</figure>"
        )
    st.html(f'<div class="vv-relevance" data-testid="relevance">{"".join(figures)}</div>')


def _run(taught: TaughtSet, fitted: Fitted, job: Job) -> tuple[ClassRelevance, ...]:
    """Compute the means; may run in any thread."""
    setup, ranks = taught.setup, list(map(str, taught.ranks))
    model = zoo.shared(setup.model)
    head = head_of(model, fitted, ranks, name="taught", pooling=setup.pooling, size=setup.size, fit=setup.fit)
    network, found = attached(model, head), []
    chosen = [_spread(taught, rank) for rank in range(len(taught.names))]
    done, total = 0, sum(map(len, chosen))
    for rank, places in enumerate(chosen):
        inputs = [image_features.prepared(setup, taught.images[place].picked) for place in places]
        maps = []
        for image in inputs:
            maps.append(explain(network, image, method=METHOD, target=rank).map)
            done += 1
            job(done, total)
        pixels = np.mean([image.pixels for image in inputs], axis=0).round().astype(np.uint8)
        found.append(ClassRelevance(np.mean(maps, axis=0, dtype=np.float32), pixels, len(maps)))
    return tuple(found)


def _spread(taught: TaughtSet, rank: int) -> list[int]:
    """Return the indices of at most `MOST` images of a class, evenly spread over all of its images."""
    places = [place for place, one in enumerate(taught.ranks) if one == rank]
    return [places[at] for at in np.linspace(0, len(places) - 1, min(MOST, len(places))).round().astype(int)]


def _key(taught: TaughtSet) -> tuple:
    return "class maps", *taught.key
