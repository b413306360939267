"""Selection of the target: a class or, for a model without classes, an image to compare with."""

from __future__ import annotations

import streamlit as st

from ....analysis.predictions import class_name, predictions
from ....errors import ImageError
from ...app import state
from ...app.messages import escape_markdown
from ...app.sidebar import FORMATS, OWN_LABEL
from ...app.uploads import drop_zone
from ..teach.offer import offer_classes, offer_return
from .settings import EACH, MINE, OWN, PREDICTED, TARGET, UPLOAD, UPLOADED, is_classifier, options

PROBLEM = "lens_upload_problem"  # session key: error of the last upload


def choose(choice: state.Choice) -> None:
    """Draw the box that chooses the target; `settings.target_of` returns it."""
    if is_classifier(choice):
        choose_class(choice)
        offer_return()
    else:
        choose_image(choice)
        offer_classes(choice)


def choose_class(choice: state.Choice) -> None:
    """Draw the box of the model's classes; the default is the predicted one."""
    trace = state.trace(choice)
    model, best = trace.model, predictions(trace, 1)[0]
    labels = {index: class_name(model, index) for index in options(choice) if index != PREDICTED}
    labels[PREDICTED] = f"{best.label} (predicted)"
    TARGET.draw(
        st.selectbox,
        "Target class",
        options(choice),
        context=choice,
        format_func=labels.get,
        width=340,
    )


def choose_image(choice: state.Choice) -> None:
    """Draw the box of the reference: the final output of each patch, or the output of an image."""
    mine = state.own_beside(choice)
    labels = {
        EACH: "each patch after the last layer",
        OWN: "this image",
        MINE: OWN_LABEL,
        UPLOAD: "another image of your own …" if mine else "an image of your own …",
    }
    chosen = TARGET.draw(
        st.selectbox,
        "Compare with the output of",
        options(choice),
        context=choice,
        format_func=lambda name: labels.get(name) or name,
        width=340,
    )
    if chosen == UPLOAD:
        _upload()


def _upload() -> None:
    """Draw the drop zone for an image; until one is uploaded, the reference is this image."""
    with st.container(width=340):
        drop_zone("Image to compare with", _take_upload, key="lens_upload", help=FORMATS)
        problem, picked = st.session_state.pop(PROBLEM, None), UPLOADED.get()
        if problem:
            st.error(escape_markdown(problem))
        elif picked:
            st.caption(escape_markdown(f"Compared with {picked.name}, which the server keeps in memory only."))
        else:
            st.caption("Compared with this image until you upload another.")


def _take_upload(name: str, data: bytes) -> None:
    """Compare with an uploaded image. Report an image that cannot be used and change nothing."""
    picked = state.Picked(name, data, sample=False)
    try:
        state.check_own(picked)
    except ImageError as error:
        st.session_state[PROBLEM] = str(error)
    else:
        UPLOADED.set(picked)
