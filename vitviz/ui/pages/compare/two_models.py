"""One image in two models: attention at the same place, heads that resemble each other, CKA of the layers, outputs."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from ....analysis.comparison import MEASURES, by_resemblance
from ....analysis.comparison.resemblance import Measure
from ...app import models, state
from ...widgets import drawing
from ..lesson.sections import section
from . import alternatives, comparisons, outputs, settings, views
from .cells import Cell, draw_cells, heat_map

LISTED = 8  # heads in the table
MEASURE_NAMES = {"cosine": "Cosine similarity", "jensen_shannon": "Jensen-Shannon divergence"}
UNITS = {"cosine": "cosine", "jensen_shannon": "bits"}
WHAT = {
    "cosine": "Cosine similarity between the attention of layer {layer}, head {head} and of every head of the second "
    "model, over all queries of this image.",
    "jensen_shannon": "Jensen-Shannon divergence between the attention of layer {layer}, head {head} and of every head "
    "of the second model, averaged over all queries of this image: 0 bits for equal attention, 1 bit if no patch is "
    "attended to in both.",
}


def draw(view: views.Compared) -> None:
    """Draw the mode."""
    choice = view.choice
    options = alternatives.of_any_kind(choice)
    if not options:
        st.info("There is no second model on this server. Download one under “More models …” in the sidebar.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        views.boxes(view)
        name = settings.MODEL.draw(
            st.selectbox, "Second model", options, context=choice, format_func=models.title, width=320
        )
        other = alternatives.other_choice(choice, name)
        measure = _measure(choice, other)
        alike = comparisons.resemblance(choice, other, view.layer, view.head, measure)
        layer, head = _second_head(choice, alike, measure)
    views.same_place(
        (f"A: {models.title(choice.model)}", choice, view.layer, view.head),
        (f"B: {models.title(name)}", other, layer, head),
        view.patch,
    )
    _heads(view, alike, measure, (layer, head))
    _layers(view, other, measure)
    outputs.draw(choice, other)


def _measure(choice: state.Choice, other: state.Choice) -> Measure:
    """Draw the box of the measure and return it. Without a divergence there is nothing to choose."""
    if any(state.trace(one).config.differential for one in (choice, other)):
        return MEASURES[0]
    return settings.MEASURE.draw(
        st.selectbox, "Resemblance", MEASURES, context=choice, format_func=MEASURE_NAMES.get, width=270
    )


def _second_head(choice: state.Choice, alike: np.ndarray, measure: Measure) -> Cell:
    """Draw the box of the second model's head, the most alike first, and return its layer and head."""
    places = by_resemblance(alike, measure)
    if settings.HEAD.get(choice) not in ((), *places):  # a head that this model does not have
        settings.HEAD.reset(choice)
    return (
        settings.HEAD.draw(
            st.selectbox,
            "Its head",
            [(), *places],
            context=choice,
            format_func=lambda place: (
                f"layer {place[0] + 1}, head {place[1] + 1} ({alike[place]:.3f})" if place else "the most alike"
            ),
            width=220,
            help="Heads of the second model in order of their resemblance to the chosen head of the first.",
        )
        or places[0]
    )


def _heads(view: views.Compared, alike: np.ndarray, measure: Measure, chosen: Cell) -> None:
    name, unit, what = MEASURE_NAMES[measure], UNITS[measure], WHAT[measure]
    section(
        "Heads that resemble this head",
        f"{what.format(layer=view.layer + 1, head=view.head + 1)} Attention among patches is compared place by place; "
        "prefix tokens are left out. Click a cell to see the head above.",
    )
    left, right = st.columns((0.62, 0.38), gap="large")
    with left:
        chart = heat_map(np.maximum(alike, 0), "layer", "head", unit, chosen)
        alt = f"{name} of every head of the second model and the chosen head"
        draw_cells(chart, "compare_heads", alt, alike.shape, lambda layer, head: settings.HEAD.set((layer, head)))
    with right:
        rows = [
            [f"layer {layer + 1}, head {head + 1}", f"{alike[layer, head]:.3f}"]
            for layer, head in by_resemblance(alike, measure, LISTED)
        ]
        st.html(drawing.table(("second model", unit), rows))


def _layers(view: views.Compared, other: state.Choice, measure: Measure) -> None:
    choice = view.choice
    section(
        "Layers that represent the same",
        "Linear centred kernel alignment (CKA) of every layer of the first model with every layer of the second: 1 if "
        "both find the same patches similar, about 0 if they have nothing in common "
        "([Kornblith et al. 2019](https://arxiv.org/abs/1905.00414)). Click a cell to see both layers above, with the "
        "most alike head of the second model.",
    )
    found = comparisons.cka(choice, other)
    if found is None:
        return
    values = np.clip(found.values, 0, 1)  # the unbiased estimator may be slightly negative
    with st.container(width=640):
        chart = heat_map(values, "layer of A", "layer of B", "CKA")
        alt = "Linear CKA of all layers of both models"
        choose = partial(_choose_layers, choice, other, view.head, measure)
        draw_cells(chart, "compare_cka_chart", alt, values.shape, choose)
    st.caption(
        f"Samples: {found.samples:,} patches of {found.images} images, one minibatch for each image, with the unbiased "
        f"estimator of HSIC."
    )


def _choose_layers(
    choice: state.Choice, other: state.Choice, head: int, measure: Measure, layer: int, second_layer: int
) -> None:
    """Choose a layer of both models, and of the second model the head that resembles the first model's head most."""
    alike = comparisons.resemblance(choice, other, layer, head, measure)[second_layer : second_layer + 1]
    views.choose_head(layer, head)
    settings.HEAD.set((second_layer, by_resemblance(alike, measure)[0][1]))
