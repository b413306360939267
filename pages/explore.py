"""Explore: point at a patch and see where every head of every layer looks."""

import io

import numpy as np
import streamlit as st
from PIL import Image

from vitviz import export, figures
from vitviz.attention import HeadStatistics, patch_distances
from vitviz.colour import percent
from vitviz.predictions import predictions
from vitviz.trace import Trace
from vitviz.ui import link, models, shell, state
from vitviz.ui.explorer import explorer
from vitviz.ui.prediction import prediction_bars
from vitviz.view import View, token_words

KEY = "explorer"
CHART = {"displayModeBar": False}  # its buttons would cover the legend


@st.fragment
@shell.plain_errors()
def look(choice: state.Choice) -> None:
    """The explorer and what belongs to its view; a pin runs only this again."""
    with st.empty():  # spinners come and go here, and move nothing below
        trace = state.trace(choice)
        view = shell.current_view(trace)
        sent = state.explorer_vectors(choice, view)
        all_live = len(sent.layers) == trace.layers
        sums = None if all_live or view.direction == "from" else state.log_sums(choice)
        picture = state.picture(choice)
    shell.write_address(link.view_parameters(view, trace))
    appeared = view_at_first(view)
    explorer(
        trace,
        sent,
        appeared.fitted(trace) if all_live else view,
        sums=sums,
        picture=picture,
        image_name=choice.picked.name,
        on_view=shell.remember_view,
        key=KEY,
    )
    downloads(choice, trace, view, picture)
    panels_of_view(trace, view)
    with st.empty():
        statistics = state.statistics(choice)
    panels_of_model(trace, view, statistics)


def view_at_first(view: View) -> View:
    """The view with which the explorer appeared: it keeps the visitor's own, and is sent again only if this changes."""
    if KEY not in st.session_state:
        st.session_state.appeared = view
    return st.session_state.appeared


def downloads(choice: state.Choice, trace: Trace, view: View, picture: bytes) -> None:
    """The overlay and the numbers, made when they are asked for."""
    about = export.metadata(trace, view, choice.picked.name, models.title(choice.model), choice.fit)
    name = export.file_stem(view, about)

    def png() -> bytes:
        return export.overlay_png(trace, view, Image.open(io.BytesIO(picture)), about)

    def npz() -> bytes:
        return export.arrays_npz(trace, view, about)

    with st.container(horizontal=True):
        st.download_button("Picture (PNG)", png, f"{name}.png", "image/png", on_click="ignore")
        st.download_button("Numbers (NPZ)", npz, f"{name}.npz", "application/octet-stream", on_click="ignore")


def panels_of_view(trace: Trace, view: View) -> None:
    """The numbers behind the picture."""
    weights, matrix = view.weights(trace), view.matrix(trace)
    brightest = figures.brightest(matrix)
    left, right = st.columns(2, gap="large")
    with left:
        names = [token_words(trace, token) for token in range(trace.token_count)]
        reading = figures.half_of(weights, names, view.direction)
        panel("Weights, sorted", f"{view.words(trace)}, {view.question()}: {reading}")
        st.plotly_chart(
            figures.sorted_weights(weights, names, trace.prefix), config=CHART, key="sorted", alt="Weights, sorted"
        )
    with right:
        panel(
            f"The whole matrix: {view.head_words()}",
            "Row: who looks; column: who is looked at; each row sums to 100 %. Above and left of the red lines are the "
            f"tokens before the patches. Brightest: {percent(brightest)} and more (0.5 % of all weights).",
        )
        figure = figures.matrix(matrix, trace.prefix, brightest)
        st.plotly_chart(figure, config=CHART, key="matrix", alt="Attention weights of this head, every query and key")


def panels_of_model(trace: Trace, view: View, statistics: HeadStatistics) -> None:
    """Two numbers for every head of the model."""
    even_distance = float(patch_distances(trace.grid, trace.config.patch).mean())
    even_entropy = float(np.log2(trace.token_count))
    left, right = st.columns(2, gap="large")
    with left:
        panel(
            "How far heads look",
            "Each dot is a head: low ones look nearby, high ones far. In the first ViTs the early layers had both and "
            "the late ones looked far (Dosovitskiy et al. 2021, figure 11). Dotted: looking at all patches alike.",
        )
        figure = figures.by_layer(
            statistics.distance, "mean distance, px", view.layer, view.head, even_distance, "all alike"
        )
        st.plotly_chart(figure, config=CHART, key="distance", alt="Mean attention distance of every head by layer")
    with right:
        panel(
            "How widely heads spread",
            "Mean entropy of a head's rows. At 0 bit every patch looks at one token only; at the dotted line "
            "at all of them alike.",
        )
        figure = figures.by_layer(statistics.entropy, "entropy, bit", view.layer, view.head, even_entropy, "all alike")
        st.plotly_chart(figure, config=CHART, key="entropy", alt="Entropy of every head by layer")


def panel(title: str, reading: str) -> None:
    """A chart's title and how to read it."""
    st.markdown(f"**{title}**  \n{reading}")


def predict(choice: state.Choice) -> None:
    """What the model says of the image, if it has classes."""
    with st.empty():
        trace = state.trace(choice)
    if trace.model.tells_classes:
        prediction_bars(predictions(trace))


shell.enter("pages/explore.py")
predict(state.choice())
look(state.choice())
