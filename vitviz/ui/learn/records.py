"""What the page "Image to sequence" computes once for all visitors who look at the same thing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import streamlit as st
from PIL import Image

from ... import sequence
from ...checks import Check
from ...model import VisionTransformer
from ...trace import Trace
from .. import state
from ..matrix import Drawn, drawn
from .pictures import filter_picture, position_mosaic, sheet

COMPONENTS = 28  # of the filters, as in figure 7 of the ViT paper


def embedded_trace(choice: state.Choice) -> Trace:
    """The choice's forward pass, with all that the sequence is made of."""
    found = state.trace(choice)
    return found.with_recorded(_embedding(choice.key, found))


@st.cache_resource(max_entries=4, show_spinner="Listening to the embedding …")  # arrays only: no model is kept
def _embedding(key: tuple, _trace: Trace) -> dict[str, np.ndarray]:
    return _trace.activations("embed.patches", "embed.tokens", "blocks.0.resid_pre")


class Whole(NamedTuple):
    """The sequence X: by hand beside the model's, and as a picture."""

    check: Check
    drawn: Drawn


def whole_sequence(choice: state.Choice) -> Whole:
    """All rows of the sequence."""
    return _whole_sequence(choice.key, embedded_trace(choice))


@st.cache_resource(max_entries=4, show_spinner=False)
def _whole_sequence(key: tuple, _trace: Trace) -> Whole:
    check = sequence.sequence(_trace)
    return Whole(check, drawn(np.asarray(check.by_hand)))


def filter_sheet(choice: state.Choice) -> Image.Image:
    """All filters of the projection as small pictures."""
    return _filter_sheet(choice.key[1:3], state.model(choice.model))


@st.cache_resource(max_entries=4, show_spinner=False)
def _filter_sheet(key: tuple, _model: VisionTransformer) -> Image.Image:
    filters = sequence.filters(_model)
    return sheet(filter_picture(filters), per_row=32, side=16)


def component_sheet(choice: state.Choice) -> tuple[Image.Image, np.ndarray]:
    """The principal components of the filters, and the share of the variance of each."""
    return _component_sheet(choice.key[1:3], state.model(choice.model))


@st.cache_resource(max_entries=4, show_spinner=False)
def _component_sheet(key: tuple, _model: VisionTransformer) -> tuple[Image.Image, np.ndarray]:
    components, shares = sequence.principal_filters(_model, COMPONENTS)
    return sheet(filter_picture(components), per_row=14, side=36), shares


def all_positions(choice: state.Choice) -> Image.Image:
    """How alike all learned positions are."""
    return _all_positions(choice.key, embedded_trace(choice))


@st.cache_resource(max_entries=4, show_spinner=False)
def _all_positions(key: tuple, _trace: Trace) -> Image.Image:
    return position_mosaic(sequence.all_position_similarities(_trace.model, _trace.grid))


def shuffled(choice: state.Choice, seed: int) -> sequence.Shuffled:
    """Real forward passes of the image with its patches shuffled."""
    return _shuffled(choice.key, seed, embedded_trace(choice), _still(choice.key, embedded_trace(choice)))


@st.cache_resource(max_entries=8, show_spinner="Running the model on the shuffled patches …")
def _shuffled(key: tuple, seed: int, _trace: Trace, _still: sequence.Features) -> sequence.Shuffled:
    return sequence.shuffled(_trace, seed, _still)


@st.cache_resource(max_entries=8, show_spinner=False)
def _still(key: tuple, _trace: Trace) -> sequence.Features:
    return sequence.features(_trace)
