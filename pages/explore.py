"""Explore: point at a patch and see where every head of every layer looks."""

import io

import numpy as np
import streamlit as st
from PIL import Image

from vitviz import export, figures, zoo
from vitviz.trace import Trace
from vitviz.ui import shell, state
from vitviz.ui.explorer import explorer
from vitviz.view import View, token_words

KEY = "explorer"


@st.fragment
def look(choice: state.Choice) -> None:
    """The explorer and what belongs to its view; a pin runs only this again."""
    trace = state.trace(choice)
    view = shell.first_view(trace)
    if KEY not in st.session_state:  # the explorer appears: until the visitor chooses, it shows this
        st.session_state.appears = view
    sent = state.explorer_vectors(choice, view)
    first = st.session_state.appears if len(sent.layers) == trace.layers else view
    view = explorer(trace, sent, first, picture=state.picture(choice), image_name=choice.picked.name, key=KEY)
    shell.remember_view(view, trace)
    downloads(choice, trace, view)
    panels(choice, trace, view)


def downloads(choice: state.Choice, trace: Trace, view: View) -> None:
    """The overlay and the numbers, made when they are asked for."""
    about = export.metadata(trace, view, choice.picked.name, zoo.SHIPPED[choice.model].title, choice.fit)
    name = export.file_stem(view, about)

    def png() -> bytes:
        return export.overlay_png(trace, view, Image.open(io.BytesIO(state.picture(choice))), about)

    with st.container(horizontal=True):
        st.download_button("Picture (PNG)", png, f"{name}.png", "image/png", on_click="ignore")
        st.download_button(
            "Numbers (NPZ)", lambda: export.arrays_npz(trace, view, about), f"{name}.npz", on_click="ignore"
        )


def panels(choice: state.Choice, trace: Trace, view: View) -> None:
    """The numbers behind the picture, and those of the whole model."""
    left, right = st.columns(2, gap="large")
    with left:
        weights = view.weights(trace)
        names = [token_words(trace, token) for token in range(trace.token_count)]
        panel("Weights, sorted", f"{view.words(trace)}: {figures.half_of(weights)}")
        st.plotly_chart(figures.sorted_weights(weights, names, trace.prefix), key="sorted", alt="Weights, sorted")
    with right:
        panel("The whole matrix of this head", "Each row sums to 100 %. The blue frame is what the map above shows.")
        drawn = figures.matrix(view.matrix(trace), trace.prefix, view.token(trace), view.direction == "to")
        st.plotly_chart(drawn, key="matrix", alt="Attention weights of this head, every query and key")

    statistics = state.statistics(choice)
    rows, columns = trace.grid
    across = trace.config.patch * float(np.hypot(rows - 1, columns - 1))
    with left:
        panel(
            "How far heads look", "Early layers mix heads that look near and far; where dots are high, they see widely."
        )
        drawn = figures.by_layer(
            statistics.distance, "mean distance, px", view.layer, view.head, across, "corner to corner"
        )
        st.plotly_chart(drawn, key="distance", alt="Mean attention distance of every head by layer")
    with right:
        panel("How widely heads spread", "0 bit: all on one token. At the dotted line: evenly over all tokens.")
        even = float(np.log2(trace.token_count))
        drawn = figures.by_layer(statistics.entropy, "entropy, bit", view.layer, view.head, even, "even")
        st.plotly_chart(drawn, key="entropy", alt="Entropy of every head by layer")


def panel(title: str, reading: str) -> None:
    """A chart's title and how to read it."""
    st.markdown(f"**{title}**  \n{reading}")


shell.enter("pages/explore.py")
look(state.choice())
