"""Maps: what each is an answer to, those that are there already, and those that have to be computed."""

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
from .targets import Aim, target_of

PLACE = "explain"  # where slow work is waited for


@dataclass(frozen=True)
class Ask:
    """What one map is the answer to.

    Attributes:
        choice: image and model.
        method: one of `METHODS`.
        parameters: name and value of each of its parameters.
        aim: what is explained; None for methods that explain no target.
    """

    choice: state.Choice
    method: str
    parameters: tuple[tuple[str, Any], ...]
    aim: Aim | None

    @property
    def key(self) -> tuple:
        """What identifies the map among all visitors."""
        return "map", self.choice.key, self.method, self.parameters, self.aim and self.aim.key


def ask_for(choice: state.Choice, method: str, parameters: dict[str, Any], aim: Aim) -> Ask:
    """The question that a method answers about an aim, if it asks about any."""
    return Ask(choice, method, tuple(parameters.items()), aim if METHODS[method].targeted else None)


def known(ask: Ask) -> Attribution | None:
    """The map, if it was computed for anybody."""
    return cache.results.get(ask.key)


def compute(ask: Ask) -> Attribution:
    """Compute a quick map, and keep it for all.

    Raises:
        VitvizError: if the method or the target does not fit the model.
    """
    work = task(ask)
    with state.one_at_a_time:  # gradients of all layers at 518 px take half a gigabyte
        return cache.results.get_or_compute(ask.key, partial(work, None))


def coarse(ask: Ask) -> Attribution | None:
    """The finest map of those that are computed on the way to the one that was asked for."""
    found = (known(other) for other in reversed(_before(ask)))
    return next((one for one in found if one is not None), None)


def steps(ask: Ask) -> list[Step]:
    """Remaining steps of a slow map: coarse ones, each only if it is not there, and then the map itself."""
    every = [*_before(ask), ask]
    there = max((place for place, other in enumerate(every) if known(other) is not None), default=-1)
    return [_step(other, ask) for other in every[there + 1 :]]


def _before(ask: Ask) -> list[Ask]:
    """The coarse maps on the way to a slow one, the quickest first."""
    given = dict(ask.parameters)
    others = METHODS[ask.method].coarser(given, state.trace(ask.choice))
    return [replace(ask, parameters=tuple({**given, **other}.items())) for other in others]


def _step(ask: Ask, final: Ask) -> Step:
    trace, parameters = state.trace(ask.choice), dict(ask.parameters)
    told = METHODS[ask.method]
    words = told.title if ask == final else f"{told.title}, coarse ({told.coarse_words(parameters)})"
    count, weight = told.passes(parameters, trace)
    return Step(
        ask.key,
        task(ask),
        durations.expected(ask.choice, trace, ask.method, count, weight),
        words,
        durations.pace_key(ask.choice, trace, ask.method),
    )


def task(ask: Ask) -> Task:
    """Task that computes a map. It may run in any thread: it asks nothing of the page."""
    trace = state.trace(ask.choice)
    target = None if ask.aim is None else target_of(ask.aim, ask.choice)

    def run(progress: Progress | None) -> Attribution:
        given = {"target": target, "progress": progress, **dict(ask.parameters)}
        return explain(trace.model, trace, method=ask.method, **given)

    return run
