"""Download of the user's results as one page to print, made on click."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from ....notation.marks import format_head, format_token, head_in_name, layer_in_name
from ....viz.export import safe_name
from ...app import link, models, state
from ..attention import head_view, layer_activations
from ..attention.settings import PLACE
from ..sequence.sequence_data import embedded_trace
from .handout import Run, handout


def take_home(choice: state.Choice) -> None:
    """Draw the last section of both pages, with the same download."""
    place = head_view.place(choice)
    address = urlencode(link.choice_parameters(choice) | PLACE.to_link(choice)) if choice.picked.sample else ""

    def document() -> str:  # holds no trace, because the click may come much later
        return handout(_run(choice, place, address))

    st.header("Take it home", anchor=False)
    st.markdown(
        "This image, this patch and these numbers on one page, with room for a name: to print, or to keep. "
        "One HTML file that needs nothing else."
    )
    st.download_button(
        "Summary (HTML, one page)", document, file_name(choice, place), "text/html", on_click="ignore", key="summary"
    )


def file_name(choice: state.Choice, place: head_view.Place) -> str:
    """Return a file name such as `"vitviz-cat-dinov2-small-L12-H4-9-9.html"`; numbers count from 1."""
    image = choice.picked.name if choice.picked.sample else choice.picked.name.rpartition(".")[0] or choice.picked.name
    at = (
        layer_in_name(str(place.layer + 1)),
        head_in_name(format_head(place.head)),
        format_token(place.query, state.trace(choice)),
    )
    return f"{'-'.join(['vitviz', safe_name(image), safe_name(choice.model, 'model'), *at])}.html"


def _run(choice: state.Choice, place: head_view.Place, address: str) -> Run:
    return Run(
        image=choice.picked.name,
        model=models.title(choice.model),
        fit=choice.fit,
        address=address,
        picture=state.picture(choice),
        trace=embedded_trace(choice),
        block=head_view.at(choice, place).block,
        output=layer_activations.readout(choice).checks["output"],
    )
