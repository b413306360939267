"""Downloads of pages to print, made on click: the user's results, and worksheets with answers for a class."""

from __future__ import annotations

from urllib.parse import urlencode, urljoin

import streamlit as st

from ....notation.marks import format_head, format_token, head_in_name, layer_in_name
from ....viz.export import safe_name
from ....walkthrough import worksheet
from ...app import class_link, link, models, state
from ...app.folder_images import FolderImage
from ...app.settings import Setting
from ..attention import head_view, layer_activations
from ..attention.settings import KEY, PLACE
from ..sequence.sequence_data import embedded_trace
from . import followed_token
from .handout import ClassSet, Run, answers_html, handout, worksheets_html
from .sections import patch_number

PUPILS = Setting("pupils", 1, valid=lambda count, most: 1 <= count <= most)


def take_home(choice: state.Choice) -> None:
    """Draw the last section of both pages, with the same downloads."""
    place = head_view.place(choice)
    at = PLACE.to_link(choice)
    address = _address(choice, at | KEY.to_link(choice))

    def document() -> str:  # holds no trace, because the click may come much later
        return handout(_run(choice, place, address))

    st.header("Take it home", anchor=False)
    st.markdown(
        "This image, this token and these numbers on one page, ready to print, with a line for your name. "
        "The HTML file contains everything it needs."
    )
    st.download_button(
        "Summary (HTML, one page)", document, file_name(choice, place), "text/html", on_click="ignore", key="summary"
    )
    _worksheets(choice, place, {name: text for name, text in at.items() if name != "query"})


def _worksheets(choice: state.Choice, place: head_view.Place, at: dict[str, str]) -> None:
    """Draw the downloads of worksheets and answers."""
    trace = state.trace(choice)
    most = min(worksheet.MOST_PUPILS, trace.grid[0] * trace.grid[1])
    first = patch_number(trace, followed_token.followed_patch(trace))
    st.markdown("**For a class:** one sheet of tasks per pupil, each about a different patch, and the answers.")
    with st.container(horizontal=True, vertical_alignment="bottom", key="worksheets"):
        count = PUPILS.draw(st.number_input, "Pupils", 1, most, context=most, width=140)

        image, page = class_link.image_mark(choice), class_link.network_page()
        shown = link.choice_parameters(choice) | {"image": image} | at
        shown.pop(link.CLASSES, None)  # the tasks do not depend on the classes, and pupils do not have them
        address = urlencode(shown) if image else ""
        page = urljoin(page, "attention") if page else ""
        until = class_link.ends(choice)

        def made() -> ClassSet:  # as above
            return _class_set(choice, place, first, count, address, page, until)

        for name, label, write in (
            ("worksheet", "1 worksheet" if count == 1 else f"{count} worksheets", worksheets_html),
            ("answers", "Answer key", answers_html),
        ):
            st.download_button(
                f"{label} (HTML)",
                lambda write=write: write(made()),
                file_name(choice, place, name),
                "text/html",
                on_click="ignore",
                key=name,
            )


def file_name(choice: state.Choice, place: head_view.Place, kind: str = "") -> str:
    """Return a file name such as `"vitviz-cat-dinov2-small-L12-H4-9-9.html"`; numbers count from 1.

    Args:
        choice: image and model.
        place: layer, head and token.
        kind: kind of document at the end of the name.
    """
    image = choice.picked.name if choice.picked.sample else choice.picked.name.rpartition(".")[0] or choice.picked.name
    at = [
        layer_in_name(str(place.layer + 1)),
        head_in_name(format_head(place.head)),
        format_token(place.query, state.trace(choice)),
        *([kind] if kind else []),
    ]
    return f"{'-'.join(['vitviz', safe_name(image), safe_name(models.name_in_files(choice.model), 'model'), *at])}.html"


def _address(choice: state.Choice, place: dict[str, str]) -> str:
    """Return query parameters that reopen a view; empty for the image of a user."""
    is_here = choice.picked.sample or isinstance(choice.picked, FolderImage)
    return urlencode(link.choice_parameters(choice) | place) if is_here else ""


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


def _class_set(
    choice: state.Choice, place: head_view.Place, patch: int, count: int, address: str, page: str, until: str
) -> ClassSet:
    trace = state.trace(choice)
    means = state.statistics(choice).distance
    with state.one_at_a_time:
        sheets = worksheet.worksheets(trace, place.layer, place.head, patch, count, means)
    title = models.title(choice.model)
    return ClassSet(choice.picked.name, title, address, page, state.picture(choice), trace, sheets, until)
