"""Offer of classes, on pages that have more to say about a model with classes.

One click gives the model the classes of the ready-made example, and another one takes them away.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from .... import zoo
from ....errors import ModelError
from ....zoo.heads import LinearHead
from ...app import notices, state, taught
from ...app.jobs import background
from ...app.messages import escape_markdown
from . import example, image_features
from .example import Example

LABEL, KEY = "Example classes", "offer_example"  # of the button


def offer_classes(choice: state.Choice, place: str = "") -> list[background.Request]:
    """Draw the buttons that give classes to a model that has none, and the link to the page "Teach".

    Args:
        choice: image and model.
        place: place in the app where the page waits for slow work; empty in a fragment, which does not wait.

    Returns:
        The remaining work, if the page waits for it.
    """
    setup, pending = image_features.setup_of(choice), []
    found, title = example.known(setup), example.title()
    about = f"{title}: each photograph is a class of a linear head, fitted on this model’s features."
    key = example.fitted_key(setup)
    work = background.Work(key, place or KEY, KEY, LABEL, detail=title[:1].lower() + title[1:], help=about)
    with st.container(key="offer", gap="small"):
        _offer_own(choice, found)
        step = partial(example.step, choice, setup)
        if place:
            pending = background.start_button(replace(work, steps=[] if found else [step()]))
        else:
            found = background.result(work, step)
        if found is not None:
            if background.is_requested(work):
                background.forget(key)
                _use(found.head)
                st.rerun()
            st.button(LABEL, key=KEY, help=about, on_click=_use, args=(found.head,))
        st.page_link("pages/teach.py", label="Teach this model classes", icon=":material/school:")
    return pending


def offer_return() -> None:
    """Draw the button that takes the classes away, if they are those of this session."""
    if taught.is_used():
        icon = ":material/undo:"
        st.button("Stop using these classes", key="offer_leave", icon=icon, type="tertiary", on_click=taught.leave_head)


def _offer_own(choice: state.Choice, found: Example | None) -> None:
    """Draw the button that brings back the head of this session, if it is of this model and not the example."""
    head = taught.head()
    if head is None or zoo.base_of(taught.name()) != choice.model or (found and found.head.digest == head.digest):
        return
    st.button(f"Use “{escape_markdown(head.name)}” again", key="offer_own", on_click=_use_own)


def _use_own() -> None:
    head = taught.head()
    if head is not None:
        _use(head)


def _use(head: LinearHead) -> None:
    try:
        taught.use_head(head)
    except ModelError as error:  # the weights of a checkpoint have changed meanwhile
        notices.add([str(error)])
