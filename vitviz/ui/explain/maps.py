"""Maps: what each is an answer to, those that are there already, and those that have to be computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...attribution import Attribution, explain
from ...attribution.progress import Progress
from .. import state
from . import store
from .aims import Aim, target_of
from .methods import METHODS


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
    return store.shared().get(ask.key)


def compute(ask: Ask) -> Attribution:
    """Compute a quick map, and keep it for all.

    Raises:
        VitvizError: if the method or the target does not fit the model.
    """
    return task(ask)(None)


def task(ask: Ask) -> Callable[[Progress | None], Attribution]:
    """What computes a map, and keeps it for all. It may run in any thread: it asks nothing of the page.

    No lock is held meanwhile, as there is during the forward pass of a trace: others would wait for it up to a minute.
    """
    trace = state.trace(ask.choice)
    target = None if ask.aim is None else target_of(ask.aim, ask.choice)
    kept = store.shared()

    def run(progress: Progress | None) -> Attribution:
        found = explain(trace.model, trace, method=ask.method, target=target, progress=progress, **dict(ask.parameters))
        kept.put(ask.key, found)
        return found

    return run
