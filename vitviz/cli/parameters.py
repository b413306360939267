"""The parameters of the methods of `vitviz explain`: whose they are, what may be typed, and how files are named."""

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
from .asked import head_of, layer_of


def check_owner(method: str, parameters: Mapping[str, Any]) -> None:
    """Refuse what was typed and does not belong to the method.

    Raises:
        VitvizError: which names the method's own options.
    """
    own = METHODS[method].defaults()
    for name, value in parameters.items():
        if value is not None and name not in own:
            raise VitvizError(f"{method} has no {_option(name)}; it has {_options(own)}.")


def understood(method: str, parameters: Mapping[str, Any], config: ViTConfig) -> dict[str, Any]:
    """What was typed, as the library counts and names it; what is the default anyway is left out.

    Raises:
        VitvizError: if it is not possible, whatever the image.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    if "layer" in given or "head" in given:
        last = config.depth if config.pooling == "attention" else config.depth - 1
        layer = layer_of(given["layer"], config) if "layer" in given else last
        given["layer"] = -1 if layer == last else layer  # -1 is the default, and the last one
        given["head"] = head_of(given.get("head", "mean"), layer, config)
    checks = {
        "head_fusion": lambda value: one_of(value, tuple(FUSIONS), "head fusion"),
        "discard_ratio": lambda value: share(value, "The discard ratio"),
        "steps": lambda value: whole(value, 1, MOST_STEPS, "The number of steps"),
        "completeness": lambda value: share(value, "Completeness"),
        "baseline": lambda value: one_of(value, BASELINES, "baseline"),
    }
    given = {name: _number(value) if name not in checks else value for name, value in given.items()}
    checked = {name: checks[name](value) if name in checks else value for name, value in given.items()}
    usual = METHODS[method].defaults()
    return {name: value for name, value in checked.items() if value != usual[name]}


def typed(pairs: Iterable[str]) -> dict[str, str]:
    """Parameters that were typed as `NAME=VALUE`.

    Raises:
        VitvizError: if one is not.
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise VitvizError(f"--parameter takes NAME=VALUE, and {pair!r} is not that.")
        found[name.replace("-", "_")] = value
    return found


def _number(value: Any) -> Any:
    """A number, if a text is one."""
    for kind in (int, float) if isinstance(value, str) else ():
        with suppress(ValueError):
            return kind(value)
    return value


def marks_of(given: Mapping[str, Any]) -> list[str]:
    """Parameters, as `understood` returns them, in few words: `["L3", "H2"]`, `["head fusion max"]`."""
    return [_mark(name, value) for name, value in sorted(given.items(), reverse=True)]  # the layer before the head


def _mark(name: str, value: Any) -> str:
    if name in ("layer", "head"):
        return (layer_in_name if name == "layer" else head_in_name)(str(value + 1))
    return f"{name.replace('_', ' ')} {value}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _options(names: Iterable[str]) -> str:
    return " and ".join(map(_option, names)) or "no parameters"
