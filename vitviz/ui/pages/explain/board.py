"""The maps of all methods on one layout: a row for each target, a column for each method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from ....analysis.attribution import METHODS, Attribution, Parameter
from ....analysis.attribution.targets import value_of
from ....errors import VitvizError
from ....trace.trace import Trace
from ...app import state
from ...app.jobs import background
from ...app.messages import escape_markdown
from ...app.settings import bound
from . import picture
from .maps import PLACE, Ask, ask_for, coarse, compute, known, steps
from .methods import three_digits
from .settings import ENLARGED, MARKS, ONE_SCALE, PARAMETERS, set_parameter
from .targets import Aim, target_of


def asks(choice: state.Choice, trace: Trace, aim: Aim) -> list[Ask]:
    """What is asked about an aim: one map of each method."""
    parameters = PARAMETERS.get(choice)
    return [ask_for(choice, name, method.fitted(parameters[name], trace), aim) for name, method in METHODS.items()]


def board(choice: state.Choice, trace: Trace, aims: Sequence[Aim]) -> list[background.Request]:
    """Draw all maps. Quick ones are computed on the way; what was asked for and takes longer is returned."""
    pending, together = [], one_scale(aims)
    rows = [asks(choice, trace, aim) for aim in aims]
    for place, aim in enumerate(aims):
        with st.container(key=f"explain_row_{place}"):
            heading(place, choice, trace, aim)
            for at, (ask, column) in enumerate(zip(rows[place], st.columns(len(METHODS)), strict=True)):
                with column:
                    about(ask.method, trace, place)
                    if place and ask.aim is None:
                        st.caption("As above: it explains no target.")
                        continue
                    pending += cell(ask, place, largest([row[at] for row in rows]) if together else None)
    return pending


def mark_box() -> None:
    """The box that has the strongest patch of each map framed; Explore's is the same choice."""
    style = MARKS.get()
    bound(
        st.checkbox,
        "Mark the strongest patch",
        key="explain_marks",
        value=style.marks,
        take=lambda marks: MARKS.set(replace(style, marks=marks)),
    )


def one_scale(aims: Sequence[Aim]) -> bool:
    """Whether maps of two targets have the same scale; they can, where their targets have the same unit."""
    if len(aims) < 2 or len({aim.unit for aim in aims}) > 1:
        return False
    return ONE_SCALE.draw(st.toggle, "One scale for both targets")


def largest(asked: Sequence[Ask]) -> float:
    """The largest number of the maps that are there, or are there at once; 0 if there is none."""
    found = []
    for ask in asked:
        try:
            found.append(known(ask) or (None if METHODS[ask.method].slow else compute(ask)))
        except VitvizError:  # which is said where the map would stand
            found.append(None)
    return max((float(np.abs(one.map).max()) for one in found if one is not None), default=0.0)


def heading(place: int, choice: state.Choice, trace: Trace, aim: Aim) -> None:
    """Which target the row is about, and what it is for this image."""
    target = target_of(aim, choice)
    value = three_digits(value_of(target, trace))
    st.markdown(f"**Target {place + 1}: {escape_markdown(target.words)}** · {aim.unit}, for this image: {value}")


def about(method: str, trace: Trace, place: int) -> None:
    """The method's name, behind which is what it computes and what can be chosen about it."""
    told = METHODS[method]
    with st.popover(told.title, type="tertiary", width="stretch", key=f"explain_about_{method}_{place}"):
        st.markdown(f"{told.summary(trace.config)}  \n[{told.paper}]({told.url})")
        if place == 0:  # the same for all targets
            parameters = told.fitted(PARAMETERS.get()[method], trace)
            for parameter in told.parameters:
                _choose(method, parameter, parameters, trace)


def _choose(method: str, parameter: Parameter, chosen: dict[str, Any], trace: Trace) -> None:
    bound(
        st.selectbox,
        parameter.label,
        parameter.options(trace, chosen),
        key=f"explain_{method}_{parameter.name}",
        value=chosen[parameter.name],
        take=partial(set_parameter, method, parameter.name),
        format_func=parameter.words,
    )


def cell(ask: Ask, place: int, largest: float | None) -> list[background.Request]:
    """One map; or a button that asks for it; or how far it is, and then the work that is left.

    Args:
        ask: which map.
        place: in which row it stands.
        largest: where its colours end; at its own largest number if None.
    """
    found, name, pending = known(ask), f"{ask.method}_{place}", []
    if METHODS[ask.method].slow:
        left = steps(ask) if found is None else []
        button = f"explain_compute_{name}"
        work = background.Work(ask.key, PLACE, button, "Compute", left, width="stretch", keeps_parts=True)
        pending = background.start_button(work)
        rough = coarse(ask) if left else None
        if rough is not None:
            st.html(picture.figure(rough, coarse=True, mark=MARKS.get().marks))
    elif found is None:
        found = _computed(ask)
    if found is not None:
        st.html(picture.figure(found, largest, mark=MARKS.get().marks))
        st.button(
            "Enlarge",
            icon=":material/zoom_in:",
            type="tertiary",
            key=f"explain_enlarge_{name}",
            on_click=lambda: ENLARGED.set((place, ask.method), ask.choice),
        )
    return pending


def _computed(ask: Ask) -> Attribution | None:
    """A quick map; why there is none, if the method does not fit the model."""
    try:
        with st.spinner("Explaining …"):
            return compute(ask)
    except VitvizError as error:
        st.caption(escape_markdown(str(error)))
        return None
