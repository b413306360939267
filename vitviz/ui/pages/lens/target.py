"""Choosing what the lens is asked about: a class; or, of a model without classes, an image to compare with."""

from __future__ import annotations

import streamlit as st

from ....analysis.predictions import class_name, predictions
from ....errors import ImageError
from ...app import state
from ...app.messages import escape_markdown
from ...app.sidebar import FORMATS, OWN_LABEL
from ...app.uploads import drop_zone
from .settings import EACH, MINE, OWN, PREDICTED, TARGET, UPLOAD, UPLOADED, is_classifier, options

PROBLEM = "lens_upload_problem"  # in the session: why the image that was dropped last was not taken


def choose(choice: state.Choice) -> None:
    """The box that chooses the target; `settings.goal_of` says what it is."""
    if is_classifier(choice):
        choose_class(choice)
    else:
        choose_image(choice)


def choose_class(choice: state.Choice) -> None:
    """One of the model's classes; the predicted one unless the user asks for another."""
    trace = state.trace(choice)
    model, best = trace.model, predictions(trace, 1)[0]
    names = {index: class_name(model, index) for index in options(choice) if index != PREDICTED}
    names[PREDICTED] = f"{best.label} (predicted)"
    TARGET.draw(
        st.selectbox,
        "Class that is followed",
        options(choice),
        context=choice,
        format_func=names.get,
        width=340,
    )


def choose_image(choice: state.Choice) -> None:
    """Reference of the comparison: the output's own end, or the output of this image, a sample, or an own one."""
    mine = state.own_beside(choice)
    words = {
        EACH: "each patch itself",
        OWN: "this image as a whole",
        MINE: OWN_LABEL,
        UPLOAD: "another image of your own …" if mine else "an image of your own …",
    }
    chosen = TARGET.draw(
        st.selectbox,
        "Compared with what the model makes of",
        options(choice),
        context=choice,
        format_func=lambda name: words.get(name) or name,
        width=340,
    )
    if chosen == UPLOAD:
        _upload()


def _upload() -> None:
    """Where an image is dropped; until there is one, it is compared with this image."""
    with st.container(width=340):
        drop_zone("Image to compare with", _take_upload, key="lens_upload", help=FORMATS)
        problem, picked = st.session_state.pop(PROBLEM, None), UPLOADED.get()
        if problem:
            st.error(escape_markdown(problem))
        elif picked:
            st.caption(escape_markdown(f"Compared with {picked.name}, which is kept in the server's memory only."))
        else:
            st.caption("Until there is one, it is compared with this image as a whole.")


def _take_upload(name: str, data: bytes) -> None:
    """Compare with an image of the visitor's own. One that cannot be used is said, and changes nothing."""
    picked = state.Picked(name, data, sample=False)
    try:
        state.check_own(picked)
    except ImageError as error:
        st.session_state[PROBLEM] = str(error)
    else:
        UPLOADED.set(picked)
