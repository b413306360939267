"""Time slider: the same image, head and query at each checkpoint of a training run."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from .... import zoo
from ....errors import ModelError
from ...app import models, notices, state
from ...app.settings import Setting, bound
from ...app.views import VIEW

PERIOD = 1.0  # seconds between two checkpoints
_PLAYS, _DUE = "training_plays", "training_due"  # keys: whether the run is played, and the time of the next checkpoint

SHOWN = Setting("training_shown", lambda choice: choice.model != zoo.run_names(choice.model)[-1])


def is_shown(choice: state.Choice) -> bool:
    """Return True if the model belongs to a run, and the user looks at the run."""
    return bool(zoo.run_names(choice.model)) and SHOWN.get(choice)


def draw(choice: state.Choice) -> None:
    """Draw a switch for models that belong to a run; if it is on, the slider and the button that plays the run.

    The switch is in the sidebar, so that choosing another model does not move the page.
    """
    names = zoo.run_names(choice.model)
    with st.sidebar:
        shown = bool(names) and SHOWN.draw(st.toggle, "Training", context=choice, help=_help(names))
    with st.container(key="training"):
        if not shown:
            st.session_state[_PLAYS] = False
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            bound(
                st.select_slider,
                "Checkpoint",
                names,
                key="training_step",
                value=choice.model,
                take=go_to,
                format_func=zoo.step_name,
                width=420,
            )
            _play_button(names, choice.model)


def go_to(name: str) -> None:
    """Show another checkpoint of the run; image, input size, fit and view are kept.

    A checkpoint that cannot be loaded, or has another configuration, changes nothing except for a notice.
    """
    before = state.MODEL.get()
    try:
        info = models.describe(name)
        if info.config != models.describe(before).config:
            raise ModelError(f"{name!r} and {before!r} have different configurations; move one to another folder.")
    except ModelError as error:
        notices.add([models.advice(str(error), name)])
        return
    VIEW.keep()
    SHOWN.set(True)
    state.MODEL.reset()
    state.MODEL.set(name)


def is_due() -> bool:
    """Return True if the next checkpoint is to be shown."""
    return time.monotonic() >= st.session_state[_DUE]


def _help(names: Sequence[str]) -> str:
    return f"{len(names)} checkpoints of its training run, with the same image, head and query."


def _play_button(names: tuple[str, ...], model: str) -> None:
    plays = st.session_state.get(_PLAYS, False)
    st.button(
        "Pause" if plays else "Play",
        icon=":material/pause:" if plays else ":material/play_arrow:",
        key="training_play",
        on_click=_toggle,
        args=(names, model),
    )
    if plays:
        st.session_state[_DUE] = time.monotonic() + PERIOD / 2  # runs of the fragment below start with this run
        _advance(names, model)


def _toggle(names: tuple[str, ...], model: str) -> None:
    """Start or stop. At the end of the run, start again from the first checkpoint."""
    st.session_state[_PLAYS] = plays = not st.session_state.get(_PLAYS, False)
    if plays and model == names[-1]:
        go_to(names[0])


@st.fragment(run_every=PERIOD)
def _advance(names: tuple[str, ...], model: str) -> None:
    """Show the next checkpoint when it is due; stop at the last one, or if a checkpoint cannot be shown."""
    if not is_due():
        return
    following = names[min(names.index(model) + 1, len(names) - 1)]
    go_to(following)
    st.session_state[_PLAYS] = following != names[-1] and state.MODEL.get() == following
    st.rerun()
