"""The page "Explore": attention of every head of every layer from the patch under the pointer."""

from __future__ import annotations

import io

import streamlit as st
from PIL import Image

from ....analysis.predictions import predictions
from ....notation.view import View
from ....trace.trace import Trace
from ....viz import export
from ....viz.colour import Style
from ...app import models, shell, state
from ...app.folder_images import FolderImage
from ...app.views import STYLE
from ...components.explorer import explorer
from ...widgets import panels
from ...widgets.prediction import no_prediction, prediction_bars
from ..tokens import outlier_warning
from ..training import curves, time_slider
from . import explorer_file, head_habits, linked_views, second
from .settings import OPENED

HEADING = "Attention of each head"


def draw() -> None:
    """Draw the page."""
    second.open_if_asked()
    predict(state.choice())
    time_slider.draw(state.choice())
    attention(state.choice())


@shell.fragment
def attention(choice: state.Choice) -> None:
    """Draw the explorer and the panels of its view; pinning a patch reruns only this fragment."""
    if second.OPENS in st.session_state:
        st.rerun()
    with st.empty():  # placeholder for spinners, so that nothing below moves
        trace = state.trace(choice)
        view, style = OPENED.get(choice), STYLE.get()
        sent = state.explorer_vectors(choice, view)
        all_live = len(sent.layers) == trace.layers
        sums = None if all_live or view.direction == "from" else state.log_sums(choice)
        picture = state.picture(choice)
    place = curves.place()
    tokens = linked_views.of_view(choice, trace, view)
    send = explorer(
        trace,
        sent,
        view,
        style,
        sums=sums,
        picture=picture,
        image_name=choice.picked.name,
        is_public=choice.picked.sample or isinstance(choice.picked, FolderImage),
        token_source=tokens.source,
        tokens_key=tokens.key if style.linked else None,
        on_view=OPENED.choose,
        on_style=STYLE.set,
        key="explorer",
    )
    with st.empty():
        if style.linked:
            send(tokens.part())
    with st.container():
        outlier_warning.warning(choice, trace, view)
    downloads(choice, trace, view, style)
    with st.container():  # fixed position
        second.draw(choice, trace, view)
    panels.view_charts(trace, view)
    with st.empty():
        statistics = state.statistics(choice)
    with st.container():  # fixed position
        head_habits.draw(choice, statistics)
    panels.head_charts(trace, view, statistics)
    curves.draw(choice, place)


def downloads(choice: state.Choice, trace: Trace, view: View, style: Style) -> None:
    """Draw the download buttons of overlay, numbers and explorer; files are made on click."""
    about = export.metadata(trace, view, choice.picked.name, models.title(choice.model), choice.fit, style)
    name = export.file_stem(view, about)

    # the session keeps these callbacks: they must not hold a trace, which the cache may have dropped by then
    def png() -> bytes:
        return export.overlay_png(state.trace(choice), view, Image.open(io.BytesIO(state.picture(choice))), about)

    def npz() -> bytes:
        return export.arrays_npz(state.trace(choice), view, about)

    with st.container(horizontal=True):
        st.download_button("Image (PNG)", png, f"{name}.png", "image/png", on_click="ignore")
        st.download_button("Numbers (NPZ)", npz, f"{name}.npz", "application/octet-stream", on_click="ignore")
        explorer_file.draw(choice, trace, view, style, name)


def predict(choice: state.Choice) -> None:
    """Draw the prediction, or a note for models without classes."""
    with st.empty():
        trace = state.trace(choice)
    if trace.model.is_classifier:
        prediction_bars(predictions(trace), one_of_all=trace.model.output_kind == "classes", heading=HEADING)
    else:
        no_prediction(len(trace.output), HEADING)
