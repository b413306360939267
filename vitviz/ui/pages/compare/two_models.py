"""One image in two models: attention at the same place, heads that resemble each other, CKA of the layers, outputs."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....analysis.ranking import largest
from ...app import models, state
from ...widgets import drawing
from ...widgets.charts import draw_chart
from ..lesson.sections import section
from . import alternatives, comparisons, outputs, settings, views

LISTED = 8  # heads in the table


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
        alike = comparisons.resemblance(choice, other, view.layer, view.head)
        layer, head = _second_head(choice, alike)
    views.same_place(
        (f"A: {models.title(choice.model)}", choice, view.layer, view.head),
        (f"B: {models.title(name)}", other, layer, head),
        view.patch,
    )
    _heads(view, alike)
    _layers(choice, other)
    outputs.draw(choice, other)


def _second_head(choice: state.Choice, alike: np.ndarray) -> tuple[int, int]:
    """Draw the box of the second model's head, the most alike first, and return its layer and head."""
    places = largest(alike)
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


def _heads(view: views.Compared, alike: np.ndarray) -> None:
    section(
        "Heads that resemble this head",
        f"Cosine similarity between the attention of layer {view.layer + 1}, head {view.head + 1} and of every head of "
        "the second model, over all queries of this image. Attention among patches is compared place by place; prefix "
        "tokens are left out.",
    )
    left, right = st.columns((0.62, 0.38), gap="large")
    with left:
        chart = views.heat_map(np.maximum(alike, 0), "layer", "head", "cosine")
        draw_chart(chart, "compare_heads", "Cosine similarity of every head of the second model to the chosen head")
    with right:
        rows = [
            [f"layer {layer + 1}, head {head + 1}", f"{alike[layer, head]:.3f}"]
            for layer, head in largest(alike, LISTED)
        ]
        st.html(drawing.table(("second model", "cosine"), rows))


def _layers(choice: state.Choice, other: state.Choice) -> None:
    section(
        "Layers that represent the same",
        "Linear centred kernel alignment (CKA) of every layer of the first model with every layer of the second: 1 if "
        "both find the same patches similar, about 0 if they have nothing in common "
        "([Kornblith et al. 2019](https://arxiv.org/abs/1905.00414)).",
    )
    found = comparisons.cka(choice, other)
    if found is None:
        return
    values = np.clip(found.values, 0, 1)  # the unbiased estimator may be slightly negative
    with st.container(width=640):
        chart = views.heat_map(values, "layer of A", "layer of B", "CKA")
        draw_chart(chart, "compare_cka_chart", "Linear CKA of all layers of both models")
    st.caption(
        f"Samples: {found.samples:,} patches of {found.images} images, one minibatch for each image, with the unbiased "
        f"estimator of HSIC."
    )
