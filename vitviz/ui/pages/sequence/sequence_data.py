"""Cached data of the page "Image to sequence", shared by all users."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from ....images import as_picture
from ....notation.marks import percent
from ....trace.trace import Trace
from ....trace.vision_transformer import VisionTransformer
from ....viz.inline import png
from ....viz.picture import original_with_crop
from ....walkthrough import sequence
from ....walkthrough.checks import Check
from ...app import state
from ...app.activations import with_activations
from ...app.cache import cached
from ...components.matrix import Drawn, drawn
from ...widgets.pictures import filter_picture, gallery_html, position_mosaic

COMPONENTS = 28  # of the filters, as in figure 7 of the ViT paper


def embedded_trace(choice: state.Choice) -> Trace:
    """Return the forward pass with the embeddings recorded."""
    return with_activations(choice, "embed.patches", "embed.tokens", "blocks.0.resid_pre")


class Whole(NamedTuple):
    """Sequence X: computed by hand and by the model, and as a picture."""

    check: Check
    drawn: Drawn


def whole_sequence(choice: state.Choice) -> Whole:
    """Return all rows of the sequence."""
    return _whole_sequence(choice.key, embedded_trace(choice))


@cached()
def _whole_sequence(key: tuple, _trace: Trace) -> Whole:
    with state.one_at_a_time:
        check = sequence.sequence(_trace)
    return Whole(check, drawn(np.asarray(check.computed)))


def filter_gallery(choice: state.Choice) -> str:
    """Return all filters of the projection as small pictures, HTML."""
    return _filter_gallery(choice.key[1:3], state.model(choice.model))


@cached()
def _filter_gallery(key: tuple, _model: VisionTransformer) -> str:
    pictures = filter_picture(sequence.filters(_model))
    names = [f"filter {i + 1}" for i in range(len(pictures))]
    return gallery_html(pictures, names, "all filters", side="2.4rem")


class ComponentGallery(NamedTuple):
    """Gallery of the first principal components of the filters.

    Attributes:
        html: pictures, with the share of the variance that each explains.
        count: number of components.
        share: total share of the variance, from 0 to 1.
    """

    html: str
    count: int
    share: float


def component_gallery(choice: state.Choice) -> ComponentGallery:
    """Return the principal components of the filters."""
    return _component_gallery(choice.key[1:3], state.model(choice.model))


@cached()
def _component_gallery(key: tuple, _model: VisionTransformer) -> ComponentGallery:
    with state.one_at_a_time:
        components, shares = sequence.principal_filters(_model, COMPONENTS)
    names = [f"component {i + 1}" for i in range(len(components))]
    captions = [percent(float(share)) for share in shares]
    html = gallery_html(filter_picture(components), names, "principal components", captions=captions, side="5rem")
    return ComponentGallery(html, len(components), float(shares.sum()))


def image_with_crop(choice: state.Choice) -> Image.Image:
    """Return the whole image, with the parts removed by the fit in grey."""
    return _image_with_crop(choice.key, choice)


@cached()
def _image_with_crop(key: tuple, _choice: state.Choice) -> Image.Image:
    return original_with_crop(state.original_image(_choice), state.prepared(_choice))


def model_input(choice: state.Choice) -> bytes:
    """Return the pixels that the model receives, before their normalisation, as PNG."""
    return _model_input(choice.key, state.trace(choice))


@cached()
def _model_input(key: tuple, _trace: Trace) -> bytes:
    return png(as_picture(_trace.image.pixels))


def all_positions(choice: state.Choice) -> Image.Image:
    """Return a mosaic of the similarities of all position embeddings."""
    return _all_positions(choice.key, embedded_trace(choice))


@cached()
def _all_positions(key: tuple, _trace: Trace) -> Image.Image:
    with state.one_at_a_time:
        similarities = sequence.all_position_similarities(_trace.model, _trace.grid)
    return position_mosaic(similarities)


def shuffled(choice: state.Choice, seed: int) -> sequence.Shuffled:
    """Return the results of forward passes with shuffled patches."""
    return _shuffled(choice.key, seed, embedded_trace(choice), _still(choice.key, embedded_trace(choice)))


@cached("Running the model on the shuffled patches …")
def _shuffled(key: tuple, seed: int, _trace: Trace, _still: sequence.Features) -> sequence.Shuffled:
    with state.one_at_a_time:
        return sequence.shuffled(_trace, seed, _still)


@cached()
def _still(key: tuple, _trace: Trace) -> sequence.Features:
    with state.one_at_a_time:
        return sequence.features(_trace)
