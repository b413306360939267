"""Neighbours of the chosen image by the cosine of the features, and the patches that make two images alike."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st
from PIL import Image

from .... import zoo
from ....analysis.alike import METHOD, Alike, alike
from ....analysis.attribution import METHODS
from ....analysis.scan.queries.neighbours import Neighbours, neighbours
from ....analysis.scan.queries.scan_run import ScanRun
from ....errors import ScanError
from ....images import prepare, read_image
from ....viz.colour import overlay, tone
from ....viz.inline import data_url
from ....viz.picture import sharp_picture
from ....zoo.heads import with_pooling
from ...app import models, scans
from ...app.jobs import background
from ...app.jobs.queue import Job
from ...components.explorer.payload import as_jpeg
from . import image_list
from .settings import OTHER

COUNT = 8
SIDE = 320  # pixels of the longer side of a picture
IMMEDIATE = 50_000  # images up to which neighbours are searched without a click
STYLE = """<style>
.vv-alike { display: flex; flex-wrap: wrap; gap: 1rem; }
.vv-alike figure { margin: 0; width: 20rem; max-width: 100%; font-size: 0.85rem; overflow-wrap: anywhere; }
.vv-alike img { display: block; width: 100%; border-radius: 4px; }
</style>"""


def draw(run: ScanRun, position: int) -> None:
    """Draw the nearest images of an image, and why the chosen one of them is alike."""
    st.markdown("**Nearest images**")
    key = ("scan neighbours", run.digest, position)
    work = background.Work(
        key,
        "collection_neighbours",
        "collection_neighbours",
        "Find the nearest images",
        autostart=(run.count or 0) <= IMMEDIATE,
    )
    found = background.result(work, lambda: background.Step(key, partial(_find, run, position), describe=_searched))
    if found is None:
        return
    st.caption(f"Cosine similarity of the features, among {found.of:,} other images. Click one to see why it is alike.")
    notes = [f"cosine {cosine:.3f}" for cosine in found.cosines.tolist()]
    positions = found.positions.tolist()
    other = OTHER.get(run.digest)
    other = other if other in positions else None
    image_list.gallery_of(
        run,
        positions,
        "collection_nearest",
        "Nearest images",
        notes,
        chosen=other,
        on_choose=lambda picked: OTHER.set(picked, run.digest),
    )
    if other is not None:
        _pair(run, position, other)


def _find(run: ScanRun, position: int, job: Job) -> Neighbours:
    return neighbours(run, position, COUNT, job)


def _searched(job: Job) -> str:
    return f"Comparing features: {job.done:,} of {job.total:,} images"


def _pair(run: ScanRun, position: int, other: int) -> None:
    """Draw the maps of two images."""
    key = ("alike", run.digest, position, other)
    work = background.Work(key, "collection_alike", "collection_alike", "Explain the similarity", autostart=True)
    found = background.result(
        work,
        lambda: background.Step(key, partial(_explain, run, position, other), describe=lambda job: "Running the model"),
    )
    if found is None:
        return
    result, pictures = found
    st.html(STYLE + _figures(result, pictures, (position, other)))
    if result.kind == "sum":
        st.caption(
            f"Cosine {result.cosine:.3f}, the sum of one term for each token, because the feature is a mean of the "
            "tokens. Red patches make the images alike, blue ones make them differ; full colour is the largest term."
        )
    else:
        st.caption(
            f"Cosine {result.cosine:.3f}. Attribution of the similarity to the other image with "
            f"{METHODS[METHOD].title.lower()}, because the feature is no mean of the patches. Red patches make the "
            "images alike, blue ones make them differ; full colour is the largest value."
        )
    st.button(
        f"Choose image {other:,}", key="collection_go", on_click=partial(image_list.choose, other), width="content"
    )


def _figures(result: Alike, pictures: tuple[bytes, bytes], positions: tuple[int, int]) -> str:
    figures = []
    for at, (values, picture) in enumerate(zip(result.maps, pictures, strict=True)):
        rest = ""
        if result.rests is not None:
            rest = f": patches {values.sum():.3f}, other tokens {result.rests[at]:.3f}"
        figures.append(
            f'<figure data-testid="alike" data-sum="{float(values.sum()):.6f}"><img alt="Image {positions[at]}, map of '
            f'the similarity" src="{data_url(picture)}">Image {positions[at]:,}{rest}</figure>'
        )
    return f'<div class="vv-alike">{"".join(figures)}</div>'


def _explain(run: ScanRun, position: int, other: int, job: Job) -> tuple[Alike, tuple[bytes, bytes]]:
    """Compute the maps and their pictures; may run in any thread."""
    if not models.is_ready(run.model) and not models.is_checkpoint(run.model):
        raise ScanError("The model of the scan is not on this server, so the similarity cannot be explained here.")
    network = with_pooling(zoo.shared(run.model))
    size = run.size[0] if run.size[0] == run.size[1] else run.size
    traces, pictures = [], []
    for place in (position, other):
        image = read_image(scans.image(run.name, place).data)
        input_ = prepare(image, size, network.config.patch_size, run.fit, network.preprocessing)
        traces.append(network.trace(input_))
        pictures.append(sharp_picture(image, input_, SIDE))
    result = alike(*traces, job)
    limit = max(float(np.abs(values).max()) for values in result.maps) or 1.0
    return result, tuple(_over(picture, values, limit) for picture, values in zip(pictures, result.maps, strict=True))


def _over(picture: Image.Image, values: np.ndarray, limit: float) -> bytes:
    tones = tone(values, "relative", values.size, limit, signed=True)
    return as_jpeg(overlay(picture, tones, "relative", signed=True))
