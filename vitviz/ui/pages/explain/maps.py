"""Maps: what each is an answer to, those that are there already, and those that have to be computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ....analysis.attribution import METHODS, Attribution, explain
from ....errors.progress import Progress
from ...app import cache, state
from ...app.jobs import durations
from ...app.jobs.asking import Step
from ...app.jobs.queue import Task
from .targets import TargetSpec, target_of

PLACE = "explain"  # where slow work is waited for


@dataclass(frozen=True)
class MapRequest:
    """What one map is the answer to.

    Attributes:
        choice: image and model.
        method: one of `METHODS`.
        parameters: name and value of each of its parameters.
        target: what is explained; None for methods that explain no target.
    """

    choice: state.Choice
    method: str
    parameters: tuple[tuple[str, Any], ...]
    target: TargetSpec | None

    @property
    def key(self) -> tuple:
        """What identifies the map among all visitors."""
        return "map", self.choice.key, self.method, self.parameters, self.target and self.target.key


def map_request(choice: state.Choice, method: str, parameters: dict[str, Any], target: TargetSpec) -> MapRequest:
    """The question that a method answers about an target, if it requests about any."""
    return MapRequest(choice, method, tuple(parameters.items()), target if METHODS[method].targeted else None)


def known(request: MapRequest) -> Attribution | None:
    """The map, if it was computed for anybody."""
    return cache.results.get(request.key)


def compute(request: MapRequest) -> Attribution:
    """Compute a quick map, and keep it for all.

    Raises:
        VitvizError: if the method or the target does not fit the model.
    """
    work = task(request)
    with state.one_at_a_time:  # gradients of all layers at 518 px take half a gigabyte
        return cache.results.made(request.key, partial(work, None))


def coarse(request: MapRequest) -> Attribution | None:
    """The finest map of those that are computed on the way to the one that was asked for."""
    found = (known(other) for other in reversed(_before(request)))
    return next((one for one in found if one is not None), None)


def steps(request: MapRequest) -> list[Step]:
    """Remaining steps of a slow map: coarse ones, each only if it is not there, and then the map itself."""
    every = [*_before(request), request]
    there = max((place for place, other in enumerate(every) if known(other) is not None), default=-1)
    return [_step(other, request) for other in every[there + 1 :]]


def _before(request: MapRequest) -> list[MapRequest]:
    """The coarse maps on the way to a slow one, the quickest first."""
    given = dict(request.parameters)
    others = METHODS[request.method].coarser(given, state.trace(request.choice))
    return [replace(request, parameters=tuple({**given, **other}.items())) for other in others]


def _step(request: MapRequest, final: MapRequest) -> Step:
    trace, parameters = state.trace(request.choice), dict(request.parameters)
    told = METHODS[request.method]
    words = told.title if request == final else f"{told.title}, coarse ({told.coarse_words(parameters)})"
    count, weight = told.passes(parameters, trace)
    return Step(
        request.key,
        task(request),
        durations.expected(request.choice, trace, request.method, count, weight),
        words,
        durations.pace_key(request.choice, trace, request.method),
    )


def task(request: MapRequest) -> Task:
    """Task that computes a map. It may run in any thread: it requests nothing of the page."""
    trace = state.trace(request.choice)
    target = None if request.target is None else target_of(request.target, request.choice)

    def run(progress: Progress | None) -> Attribution:
        given = {"target": target, "progress": progress, **dict(request.parameters)}
        return explain(trace.model, trace, method=request.method, **given)

    return run
