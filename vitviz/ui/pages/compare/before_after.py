"""A model before and after training: what changed in its attention, tokens, weights and output on this image."""

from __future__ import annotations

import numpy as np
import streamlit as st

from .... import zoo
from ....analysis.comparison import Comparison
from ....viz.colour import ATTENTION, KEY, QUERY
from ....viz.layer_lines import Line, over_layers
from ...app import models
from ...app.messages import escape_markdown
from ...widgets import drawing
from ...widgets.charts import draw_chart
from ..lesson.sections import section
from . import alternatives, comparisons, outputs, settings, views
from .cells import draw_cells, heat_map

LISTED = 8  # heads in the table


def draw(view: views.Compared) -> None:
    """Draw the mode: the chosen model is the one after training."""
    choice = view.choice
    options = alternatives.of_one_architecture(choice)
    if not options:
        st.info(
            "This model has no other checkpoint of its architecture on this server. Choose a model with a training "
            "run, such as the digits, or offer two checkpoints with VITVIZ_CHECKPOINT_DIR."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        views.boxes(view)
        name = settings.CHECKPOINT.draw(
            st.selectbox,
            "Before",
            options,
            context=choice,
            index=None,
            required=True,
            placeholder="Choose a checkpoint",
            format_func=lambda name: zoo.step_name(name) if name in zoo.run_names(choice.model) else models.title(name),
            width=320,
        )
    if name is None:
        st.info("Choose the checkpoint from before training; it must have the architecture of the model.")
        return
    before = alternatives.other_choice(choice, name)
    found = comparisons.change(before, choice)
    section(
        "What changed", f"From {escape_markdown(models.title(name))} to {escape_markdown(models.title(choice.model))}."
    )
    with st.container(key="compare_sentences"):
        st.markdown("\n".join(f"- {escape_markdown(sentence)}" for sentence in found.sentences()))
    views.same_place(
        (f"A, before: {models.title(name)}", before, view.layer, view.head),
        (f"B, after: {models.title(choice.model)}", choice, view.layer, view.head),
        view.patch,
    )
    if found.attention is not None:
        _attention(found, view)
    _layers(found, view.layer)
    outputs.draw(before, choice)


def _attention(found: Comparison, view: views.Compared) -> None:
    section(
        "Change of attention",
        "Jensen-Shannon divergence of each head's attention before and after, averaged over all queries: 0 bits for "
        "equal attention, 1 bit if no token is attended to in both. Click a cell to see the head above.",
    )
    left, right = st.columns((0.62, 0.38), gap="large")
    with left:
        chart = heat_map(found.attention, "layer", "head", "bits", (view.layer, view.head))
        alt = "Jensen-Shannon divergence of the attention of every head"
        draw_cells(chart, "compare_change", alt, found.attention.shape, views.choose_head)
    with right:
        rows = [
            [f"layer {one.layer + 1}, head {one.head + 1}", f"{one.value:.3f}"]
            for one in found.largest("attention", LISTED)
        ]
        st.html(drawing.table(("head", "bits"), rows))


def _layers(found: Comparison, layer: int) -> None:
    section(
        "Change of the layers",
        "Tokens: 1 − cosine similarity of each token before and after, mean over the tokens. Structure: 1 − linear CKA "
        "of the patches, which ignores rotations of all tokens together. Weights: norm of the change of a layer's "
        "parameters, relative to their norm before.",
    )
    lines = [
        Line(name, np.asarray(found.quantities[quantity]), colour)
        for name, quantity, colour in (
            ("tokens", "tokens", ATTENTION),
            ("structure", "structure", QUERY),
            ("weights", "weights", KEY),
        )
        if quantity in found.quantities
    ]
    chart = over_layers(lines, "change", first=1, shown=layer + 1)
    draw_chart(chart, "compare_layers", "Change of tokens, structure and weights over the layers")
