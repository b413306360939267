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
from ...app.jobs import asking
from ...app.settings import bound
from ...app.words import literally
from . import map_figure
from .map_figure import three_digits
from .maps import PLACE, MapRequest, coarse, compute, known, map_request, steps
from .settings import ENLARGED, MARKS, ONE_SCALE, PARAMETERS, set_parameter
from .targets import TargetSpec, target_of


def requests(choice: state.Choice, trace: Trace, target: TargetSpec) -> list[MapRequest]:
    """What is asked about an target: one map of each method."""
    parameters = PARAMETERS.get(choice)
    return [
        map_request(choice, name, method.fitted(parameters[name], trace), target) for name, method in METHODS.items()
    ]


def board(choice: state.Choice, trace: Trace, targets: Sequence[TargetSpec]) -> list[asking.Asked]:
    """Draw all maps. Quick ones are computed on the way; what was asked for and takes longer is returned."""
    pending, together = [], one_scale(targets)
    rows = [requests(choice, trace, target) for target in targets]
    for place, target in enumerate(targets):
        with st.container(key=f"explain_row_{place}"):
            heading(place, choice, trace, target)
            for at, (request, column) in enumerate(zip(rows[place], st.columns(len(METHODS)), strict=True)):
                with column:
                    about(request.method, trace, place)
                    if place and request.target is None:
                        st.caption("As above: it explains no target.")
                        continue
                    pending += cell(request, place, largest([row[at] for row in rows]) if together else None)
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


def one_scale(targets: Sequence[TargetSpec]) -> bool:
    """Whether maps of two targets have the same scale; they can, where their targets have the same unit."""
    if len(targets) < 2 or len({target.unit for target in targets}) > 1:
        return False
    return ONE_SCALE.draw(st.toggle, "One scale for both targets")


def largest(asked: Sequence[MapRequest]) -> float:
    """The largest number of the maps that are there, or are there at once; 0 if there is none."""
    found = []
    for request in asked:
        try:
            found.append(known(request) or (None if METHODS[request.method].slow else compute(request)))
        except VitvizError:  # which is said where the map would stand
            found.append(None)
    return max((float(np.abs(one.map).max()) for one in found if one is not None), default=0.0)


def heading(place: int, choice: state.Choice, trace: Trace, spec: TargetSpec) -> None:
    """Which target the row is about, and what it is for this image."""
    target = target_of(spec, choice)
    value = three_digits(value_of(target, trace))
    st.markdown(f"**Target {place + 1}: {literally(target.words)}** · {spec.unit}, for this image: {value}")


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


def cell(request: MapRequest, place: int, largest: float | None) -> list[asking.Asked]:
    """One map; or a button that requests for it; or how far it is, and then the work that is left.

    Args:
        request: which map.
        place: in which row it stands.
        largest: where its colours end; at its own largest number if None.
    """
    found, name, pending = known(request), f"{request.method}_{place}", []
    if METHODS[request.method].slow:
        left = steps(request) if found is None else []
        button = f"explain_compute_{name}"
        work = asking.Work(request.key, PLACE, button, "Compute", left, width="stretch", keeps_parts=True)
        pending = asking.ask(work)
        rough = coarse(request) if left else None
        if rough is not None:
            st.html(map_figure.figure(rough, coarse=True, mark=MARKS.get().marks))
    elif found is None:
        found = _computed(request)
    if found is not None:
        st.html(map_figure.figure(found, largest, mark=MARKS.get().marks))
        st.button(
            "Enlarge",
            icon=":material/zoom_in:",
            type="tertiary",
            key=f"explain_enlarge_{name}",
            on_click=lambda: ENLARGED.set((place, request.method), request.choice),
        )
    return pending


def _computed(request: MapRequest) -> Attribution | None:
    """A quick map; why there is none, if the method does not fit the model."""
    try:
        with st.spinner("Explaining …"):
            return compute(request)
    except VitvizError as error:
        st.caption(literally(str(error)))
        return None
