"""Base class of attribution methods, and the registry used by the library, the app, links and the command line.

To add a method, derive a class from `Method` in its own module and pass an instance to `register`.
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

ParameterValues = Mapping[str, Any]  # values of a method's parameters, by name


@dataclass(frozen=True)
class Parameter:
    """Parameter of a method that can be set in the app.

    Attributes:
        name: name in the library.
        label: name on screen.
        default: default value.
        options: function from a trace and the other parameters to the possible values.
        format: function that formats an option on screen.
        format_link: function that formats an option in a link.
    """

    name: str
    label: str
    default: Any
    options: Callable[[Trace, ParameterValues], Sequence]
    format: Callable[[Any], str] = str
    format_link: Callable[[Any], str] = str


class Method:
    """Attribution method.

    Attributes:
        name: name in the library, in links and on the command line.
        title: name on screen.
        paper: authors, year and section.
        url: address of the paper.
        unit: unit of the map's values.
        explain: function that computes the map, float32 [rows, columns]. It is called with those of `trace`, `target`,
            `progress` and `graph` that are in its signature, and with its parameters as keyword arguments.
        targeted: whether the map depends on a target.
        slow: whether the method takes so many forward passes that the app runs it only on request.
        runs_model: whether the method runs the model again, instead of only reading the trace.
        by_layer: whether the method needs gradients with respect to the attention weights of every layer, see
            `layerwise`.
        holds_weights: whether the method holds the attention weights of all heads of a layer in memory.
        parameters: parameters that can be set in the app.
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
        """Describe the method in plain English, for a model with this configuration."""
        raise NotImplementedError

    def is_signed(self, config: ViTConfig) -> bool:
        """Return True if the map may contain negative values."""
        return False

    def format(self, value: float) -> str:
        """Format a value of the map with three significant digits, such as `"−0.0123"`."""
        return f"{value:.3g}".replace("-", "−")

    def passes(self, parameters: ParameterValues, trace: Trace) -> tuple[int, float]:
        """Return the approximate number of steps of a slow method, and the cost of a step in forward passes."""
        return 1, 1.0

    def coarse_parameters(self, parameters: ParameterValues, trace: Trace) -> list[dict[str, Any]]:
        """Return changed parameters for quicker, coarser maps of a slow method, the quickest first."""
        return []

    def coarse_label(self, parameters: ParameterValues) -> str:
        """Return the label of the parameter that makes a map coarse."""
        return self.parameters_label(parameters)

    def parameters_label(self, parameters: ParameterValues) -> str:
        """Return a label of the parameter values, such as `"mean of the heads, 0 % discarded"`."""
        return ", ".join(one.format(parameters[one.name]) for one in self.parameters)

    def defaults(self) -> dict[str, Any]:
        """Return the default values of all parameters, including those that cannot be set in the app."""
        own = signature(self.explain).parameters.values()
        return {one.name: one.default for one in own if one.kind is Argument.KEYWORD_ONLY}

    def with_defaults(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameter values: the given ones, and defaults for the others.

        Raises:
            VitvizError: if a parameter is unknown.
        """
        defaults = self.defaults()
        unknown = [name for name in given if name not in defaults]
        if unknown:
            has = f"has {', '.join(defaults)}" if defaults else "has none"
            raise VitvizError(f"{self.name} has no parameter {unknown[0]!r}; it {has}.")
        return defaults | dict(given)

    def valid_parameters(self, chosen: ParameterValues, trace: Trace) -> dict[str, Any]:
        """Return the chosen values, with defaults in place of values that are no option for this model and image."""
        valid: dict[str, Any] = {}
        for one in self.parameters:
            options = one.options(trace, {**chosen, **valid})
            valid[one.name] = chosen[one.name] if chosen[one.name] in options else one.default
        return valid


_registered: dict[str, Method] = {}
METHODS: Mapping[str, Method] = MappingProxyType(_registered)  # in order of registration


def register(method: Method) -> Method:
    """Register a method with the library, the app and the command line.

    Raises:
        VitvizError: if the name is taken.
    """
    if method.name in _registered:
        raise VitvizError(f"A method named {method.name!r} is already registered; choose another name.")
    _registered[method.name] = method
    return method


def unregister(name: str) -> None:
    """Remove a method from the registry."""
    del _registered[name]
