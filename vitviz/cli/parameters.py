"""Parameters of attribution methods on the command line: parsing, validation and parts of file names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ..analysis.attribution import METHODS
from ..analysis.attribution.baselines import BASELINES
from ..analysis.attribution.integrated_gradients import MOST_STEPS
from ..analysis.attribution.rollout import FUSIONS
from ..errors import VitvizError
from ..errors.arguments import one_of, share, whole
from ..model.config import ViTConfig
from ..notation.marks import head_in_name, layer_in_name
from .parse import parse_head, parse_layer


def check_names(method: str, parameters: Mapping[str, Any]) -> None:
    """Check that the method has the parameters that are set.

    Raises:
        VitvizError: if it lacks one; the message lists the method's options.
    """
    own = METHODS[method].defaults()
    for name, value in parameters.items():
        if value is not None and name not in own:
            raise VitvizError(f"{method} has no {_option(name)}; it has {_options(own)}.")


def parse_parameters(method: str, parameters: Mapping[str, Any], config: ViTConfig) -> dict[str, Any]:
    """Convert typed parameters to parameters of the library; default values are omitted.

    Raises:
        VitvizError: if a value is invalid for every image.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    if "layer" in given or "head" in given:
        last = config.depth if config.pooling == "attention" else config.depth - 1
        layer = parse_layer(given["layer"], config) if "layer" in given else last
        given["layer"] = -1 if layer == last else layer  # -1, the default, is the last layer
        given["head"] = parse_head(given.get("head", "mean"), layer, config)
    checks = {
        "head_fusion": lambda value: one_of(value, tuple(FUSIONS), "head fusion"),
        "discard_ratio": lambda value: share(value, "The discard ratio"),
        "steps": lambda value: whole(value, 1, MOST_STEPS, "The number of steps"),
        "completeness": lambda value: share(value, "Completeness"),
        "baseline": lambda value: one_of(value, BASELINES, "baseline"),
    }
    given = {name: _number(value) if name not in checks else value for name, value in given.items()}
    checked = {name: checks[name](value) if name in checks else value for name, value in given.items()}
    defaults = METHODS[method].defaults()
    return {name: value for name, value in checked.items() if value != defaults[name]}


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Parse parameters written as `NAME=VALUE`.

    Raises:
        VitvizError: if one has another form.
    """
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise VitvizError(f"--parameter {pair!r} has no name or value; write it as NAME=VALUE.")
        parsed[name.replace("-", "_")] = value
    return parsed


def _number(value: Any) -> Any:
    """Convert text to a number where possible."""
    for kind in (int, float) if isinstance(value, str) else ():
        with suppress(ValueError):
            return kind(value)
    return value


def marks_of(given: Mapping[str, Any]) -> list[str]:
    """Return short labels of parameters from `parse_parameters`: `["L3", "H2"]`, `["head fusion max"]`."""
    return [_mark(name, value) for name, value in sorted(given.items(), reverse=True)]  # layer before head


def _mark(name: str, value: Any) -> str:
    if name in ("layer", "head"):
        return (layer_in_name if name == "layer" else head_in_name)(str(value + 1))
    return f"{name.replace('_', ' ')} {value}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _options(names: Iterable[str]) -> str:
    return " and ".join(map(_option, names)) or "no parameters"
