"""Attribution methods: all that is to be said of one, and the registry that library, app, links and command line read.

A method is a class in a file of its own, derived from `Method`; `register` makes it known everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter as Argument
from inspect import signature
from types import MappingProxyType
from typing import Any

from torch import Tensor

from ...errors import VitvizError
from ...model.config import ViTConfig
from ...trace.trace import Trace

Chosen = Mapping[str, Any]  # parameters of a method by their names


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method that can be chosen in the app.

    Attributes:
        name: in the library.
        label: on screen.
        default: value until somebody chooses.
        options: possible values, for a trace and the other parameters.
        words: an option in words.
        mark: an option in a link.
    """

    name: str
    label: str
    default: Any
    options: Callable[[Trace, Chosen], Sequence]
    words: Callable[[Any], str] = str
    mark: Callable[[Any], str] = str


class Method:
    """An attribution method.

    Attributes:
        name: in the library, in links and on the command line.
        title: on screen.
        paper: authors, year and section.
        url: address of the paper.
        unit: of its numbers.
        explain: computes the map, float32 [rows, columns]; called with those of `trace`, `target`, `progress` and
            `graph` that it takes, and with its own parameters by keyword.
        targeted: whether it explains a target.
        slow: whether it takes so many passes that the app computes it only on request.
        runs_model: whether it runs the model again; else it reads the trace alone.
        by_layer: whether it takes gradients with respect to the weights of every layer, see `layerwise`.
        holds_weights: whether it holds the attention weights of all heads of a layer at once.
        parameters: those that can be chosen in the app.
    """

    name: str
    title: str
    paper: str
    url: str
    unit: str
    explain: Callable[..., Tensor]
    targeted = True
    slow = False
    runs_model = True
    by_layer = False
    holds_weights = False
    parameters: tuple[Parameter, ...] = ()

    def summary(self, config: ViTConfig) -> str:
        """Sentences in plain English on what it computes, for a model of this shape."""
        raise NotImplementedError

    def is_signed(self, config: ViTConfig) -> bool:
        """Return True if the map may be negative."""
        return False

    def format(self, value: float) -> str:
        """Write one of its numbers with three digits that matter: `"−0.0123"`."""
        return f"{value:.3g}".replace("-", "−")

    def passes(self, parameters: Chosen, trace: Trace) -> tuple[int, float]:
        """Approximate number of steps of a slow method, and the cost of each against a forward pass."""
        return 1, 1.0

    def coarser(self, parameters: Chosen, trace: Trace) -> list[dict[str, Any]]:
        """Changed parameters of a slow method for maps that are there sooner, the quickest first."""
        return []

    def coarse_words(self, parameters: Chosen) -> str:
        """Parameter that makes a map a coarse one, in words."""
        return self.words(parameters)

    def words(self, parameters: Chosen) -> str:
        """Parameters in words, such as `"mean of the heads, 0 % discarded"`."""
        return ", ".join(one.words(parameters[one.name]) for one in self.parameters)

    def defaults(self) -> dict[str, Any]:
        """All parameters of the library with their defaults, also those that cannot be chosen in the app."""
        own = signature(self.explain).parameters.values()
        return {one.name: one.default for one in own if one.kind is Argument.KEYWORD_ONLY}

    def in_force(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with what was given in place of their defaults.

        Raises:
            VitvizError: if it has no parameter of a name.
        """
        defaults = self.defaults()
        unknown = [name for name in given if name not in defaults]
        if unknown:
            has = f"has {', '.join(defaults)}" if defaults else "has none"
            raise VitvizError(f"{self.name} has no parameter {unknown[0]!r}; it {has}.")
        return defaults | dict(given)

    def fitted(self, chosen: Chosen, trace: Trace) -> dict[str, Any]:
        """The parameters as far as this model and image have them; defaults for the others."""
        found: dict[str, Any] = {}
        for one in self.parameters:
            options = one.options(trace, {**chosen, **found})
            found[one.name] = chosen[one.name] if chosen[one.name] in options else one.default
        return found


_registered: dict[str, Method] = {}
METHODS: Mapping[str, Method] = MappingProxyType(_registered)  # in the order of their registration


def register(method: Method) -> Method:
    """Make a method known to the library, the app and the command line.

    Raises:
        VitvizError: if there is one of this name.
    """
    if method.name in _registered:
        raise VitvizError(f"There is a method {method.name!r} already; give this one another name.")
    _registered[method.name] = method
    return method


def unregister(name: str) -> None:
    """Forget a method."""
    del _registered[name]
