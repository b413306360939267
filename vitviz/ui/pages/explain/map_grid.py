"""Grid of maps: one row per target, one column per attribution method."""

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
from . import map_figure
from .map_figure import three_digits
from .maps import PLACE, MapRequest, coarse, compute, known, map_request, steps
from .settings import ENLARGED, MARKS, ONE_SCALE, PARAMETERS, set_parameter
from .targets import TargetSpec, target_of


def requests(choice: state.Choice, trace: Trace, target: TargetSpec) -> list[MapRequest]:
    """Return the requests for a target: one map per method."""
    parameters = PARAMETERS.get(choice)
    return [
        map_request(choice, name, method.valid_parameters(parameters[name], trace), target)
        for name, method in METHODS.items()
    ]


def map_grid(choice: state.Choice, trace: Trace, specs: Sequence[TargetSpec]) -> list[background.Request]:
    """Draw all maps. Compute the quick ones now; return the slow ones that the user requested."""
    pending, shared = [], one_scale(specs)
    rows = [requests(choice, trace, target) for target in specs]
    for place, target in enumerate(specs):
        with st.container(key=f"explain_row_{place}"):
            heading(place, choice, trace, target)
            for at, (request, column) in enumerate(zip(rows[place], st.columns(len(METHODS)), strict=True)):
                with column:
                    about(request.method, trace, place)
                    if place and request.target is None:
                        with st.container(key=f"explain_same_{request.method}_{place}"):
                            st.caption("Same as above: this method explains no target.")
                        continue
                    pending += cell(request, place, largest([row[at] for row in rows]) if shared else None)
    return pending


def mark_box() -> None:
    """Checkbox for a frame around the strongest patch of each map; shared with the page "Explore"."""
    style = MARKS.get()
    bound(
        st.checkbox,
        "Mark the strongest patch",
        key="explain_marks",
        value=style.marks,
        take=lambda marks: MARKS.set(replace(style, marks=marks)),
    )


def one_scale(specs: Sequence[TargetSpec]) -> bool:
    """Return whether the maps of two targets share a scale, which needs targets of the same unit."""
    if len(specs) < 2 or len({spec.unit for spec in specs}) > 1:
        return False
    return ONE_SCALE.draw(st.toggle, "Same scale for both targets")


def largest(row: Sequence[MapRequest]) -> float:
    """Return the largest absolute value of the maps that are available or quick to compute; 0 without any."""
    maps = []
    for request in row:
        try:
            maps.append(known(request) or (None if METHODS[request.method].slow else compute(request)))
        except VitvizError:  # shown in place of the map
            maps.append(None)
    return max((float(np.abs(one.map).max()) for one in maps if one is not None), default=0.0)


def heading(place: int, choice: state.Choice, trace: Trace, spec: TargetSpec) -> None:
    """Heading of a row: the target, its unit and its value for this image."""
    target = target_of(spec, choice)
    value = three_digits(value_of(target, trace))
    st.markdown(f"**Target {place + 1}: {escape_markdown(target.label)}** · {spec.unit}, for this image: {value}")


def about(method: str, trace: Trace, place: int) -> None:
    """Popover of a method: its description, paper and parameters."""
    info = METHODS[method]
    with st.popover(info.title, type="tertiary", width="stretch", key=f"explain_about_{method}_{place}"):
        st.markdown(f"{info.summary(trace.config)}  \n[{info.paper}]({info.url})")
        if place == 0:  # parameters are shared by all targets
            parameters = info.valid_parameters(PARAMETERS.get()[method], trace)
            for parameter in info.parameters:
                _choose(method, parameter, parameters, trace)


def _choose(method: str, parameter: Parameter, chosen: dict[str, Any], trace: Trace) -> None:
    bound(
        st.selectbox,
        parameter.label,
        parameter.options(trace, chosen),
        key=f"explain_{method}_{parameter.name}",
        value=chosen[parameter.name],
        take=partial(set_parameter, method, parameter.name),
        format_func=parameter.format,
    )


def cell(request: MapRequest, place: int, largest: float | None) -> list[background.Request]:
    """Draw one map, or a button to compute it, or its progress. Return the remaining work.

    Args:
        request: the map to draw.
        place: index of the row.
        largest: end of the colour scale; the map's own largest value if None.
    """
    result, name, pending = known(request), f"{request.method}_{place}", []
    if METHODS[request.method].slow:
        remaining = steps(request) if result is None else []
        button = f"explain_compute_{name}"
        work = background.Work(request.key, PLACE, button, "Compute", remaining, width="stretch", keeps_parts=True)
        pending = background.start_button(work)
        rough = coarse(request) if remaining else None
        if rough is not None:
            st.html(map_figure.figure(rough, coarse=True, mark=MARKS.get().marks))
    elif result is None:
        result = _computed(request)
    if result is not None:
        st.html(map_figure.figure(result, largest, mark=MARKS.get().marks))
        st.button(
            "Enlarge",
            icon=":material/zoom_in:",
            type="tertiary",
            key=f"explain_enlarge_{name}",
            on_click=lambda: ENLARGED.set((place, request.method), request.choice),
        )
    return pending


def _computed(request: MapRequest) -> Attribution | None:
    """Compute a quick map; if the method does not fit the model, show the reason and return None."""
    try:
        with st.spinner("Explaining …"):
            return compute(request)
    except VitvizError as error:
        st.caption(escape_markdown(str(error)))
        return None
