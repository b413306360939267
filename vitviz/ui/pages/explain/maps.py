"""Requests for attribution maps, their cached results, and the computation of missing ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ....analysis.attribution import METHODS, Attribution, explain
from ....errors.progress import Progress
from ...app import cache, state
from ...app.jobs import durations
from ...app.jobs.background import Step
from ...app.jobs.queue import Task
from .targets import TargetSpec, target_of

PLACE = "explain"  # where the page waits for slow work


@dataclass(frozen=True)
class MapRequest:
    """Parameters that determine one map.

    Attributes:
        choice: image and model.
        method: one of `METHODS`.
        parameters: name and value of each parameter of the method.
        target: the explained target; None for methods that explain no target.
    """

    choice: state.Choice
    method: str
    parameters: tuple[tuple[str, Any], ...]
    target: TargetSpec | None

    @property
    def key(self) -> tuple:
        """Cache key of the map, the same for all users."""
        return "map", self.choice.key, self.method, self.parameters, self.target and self.target.key


def map_request(choice: state.Choice, method: str, parameters: dict[str, Any], target: TargetSpec) -> MapRequest:
    """Return the request for a method's map; its target is None if the method explains no target."""
    return MapRequest(choice, method, tuple(parameters.items()), target if METHODS[method].targeted else None)


def known(request: MapRequest) -> Attribution | None:
    """Return the map if it is cached, else None."""
    return cache.results.get(request.key)


def compute(request: MapRequest) -> Attribution:
    """Compute a quick map and cache it for all users.

    Raises:
        VitvizError: if the method or the target does not fit the model.
    """
    work = task(request)
    with state.one_at_a_time:  # gradients of all layers at 518 px take half a gigabyte
        return cache.results.get_or_compute(request.key, partial(work, None))


def coarse(request: MapRequest) -> Attribution | None:
    """Return the finest cached map of those computed before the requested one, or None."""
    results = (known(other) for other in reversed(_before(request)))
    return next((one for one in results if one is not None), None)


def steps(request: MapRequest) -> list[Step]:
    """Return the remaining steps of a slow map: missing coarse maps, then the map itself."""
    every = [*_before(request), request]
    last_known = max((place for place, other in enumerate(every) if known(other) is not None), default=-1)
    return [_step(other, request) for other in every[last_known + 1 :]]


def _before(request: MapRequest) -> list[MapRequest]:
    """Return the requests for the coarse maps before a slow one, quickest first."""
    given = dict(request.parameters)
    others = METHODS[request.method].coarse_parameters(given, state.trace(request.choice))
    return [replace(request, parameters=tuple({**given, **other}.items())) for other in others]


def _step(request: MapRequest, final: MapRequest) -> Step:
    trace, parameters = state.trace(request.choice), dict(request.parameters)
    method = METHODS[request.method]
    label = method.title if request == final else f"{method.title}, coarse ({method.coarse_label(parameters)})"
    count, weight = method.passes(parameters, trace)
    return Step(
        request.key,
        task(request),
        durations.expected(request.choice, trace, request.method, count, weight),
        label,
        durations.pace_key(request.choice, trace, request.method),
    )


def task(request: MapRequest) -> Task:
    """Return a task that computes a map. It may run in any thread because it does not access the session."""
    trace = state.trace(request.choice)
    target = None if request.target is None else target_of(request.target, request.choice)

    def run(progress: Progress | None) -> Attribution:
        given = {"target": target, "progress": progress, **dict(request.parameters)}
        return explain(trace.model, trace, method=request.method, **given)

    return run
