"""Settings of the page "Explain": what is explained, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ....analysis.attribution import METHODS
from ....analysis.attribution.faithfulness import BASELINES
from ....notation.marks import one_of, parse_class
from ....viz.colour import OPACITY
from ...app import state
from ...app.settings import Setting
from ...app.views import STYLE
from .targets import MOST_IMAGES, ClassSpec, ImageSpec, TargetSpec, default_spec

Parameters = Mapping[str, Mapping[str, Any]]  # of each method, by its name


def all_defaults() -> dict[str, dict[str, Any]]:
    """The parameters of all methods until somebody chooses others."""
    return {name: {one.name: one.default for one in method.parameters} for name, method in METHODS.items()}


# ---------------------------------------------------------------- in links


def _target_of(text: str, choice: state.Choice) -> TargetSpec:
    """A target in a link: `"3"`, `"3-8"` for 3 minus 8; without classes, names of samples."""
    trace = state.trace(choice)
    return _class_of(text, len(trace.output)) if trace.model.is_classifier else _images_of(text, choice)


def _class_of(text: str, count: int) -> ClassSpec:
    try:
        classes = [parse_class(part, count) for part in text.split("-")]
    except ValueError:
        classes = []
    if not 1 <= len(classes) <= 2 or len(set(classes)) < len(classes):
        raise ValueError(f"a class from 0 to {count - 1}, or one minus another such as 1-0")
    return ClassSpec(*classes)


def _images_of(text: str, choice: state.Choice) -> ImageSpec:
    samples, names = state.samples_for(choice.model), list(dict.fromkeys(text.split(",")))
    if not set(names) <= set(samples) or len(names) > MOST_IMAGES:
        raise ValueError(f"1 to {MOST_IMAGES} samples such as {','.join(list(samples)[:2])}; own photos stay private")
    return ImageSpec(tuple(state.Picked(name, samples[name], sample=True) for name in names))


def _target_mark(target: TargetSpec | None, choice: state.Choice) -> str:
    """Description of the texts that `_target_of` understands; a user's own images have none."""
    if target is None:
        return ""
    if isinstance(target, ImageSpec):
        return ",".join(picked.name if picked.sample else state.OWN for picked in target.images)
    return f"{target.index}" if target.minus is None else f"{target.index}-{target.minus}"


def _parameters_of(text: str, choice: state.Choice) -> Parameters:
    """Parameters in a link, such as `"rollout.head_fusion.max,occlusion.window.2"`."""
    trace, found = state.trace(choice), all_defaults()
    for part in text.split(","):
        method, name, mark = [*part.split(".", 2), "", ""][:3]
        for one in METHODS[method].parameters if method in METHODS else ():
            options = {one.mark(option): option for option in one.options(trace, found[method])}
            if one.name == name and mark in options:
                found[method][name] = options[mark]
                break
        else:
            raise ValueError("such as rollout.head_fusion.max,occlusion.window.2, in words that this page has")
    return found


def _parameter_marks(parameters: Parameters, choice: state.Choice) -> str:
    """Parameters that are not the default, as `_parameters_of` understands them."""
    return ",".join(
        f"{method}.{one.name}.{one.mark(parameters[method][one.name])}"
        for method, told in METHODS.items()
        for one in told.parameters
        if parameters[method][one.name] != one.default
    )


def _of_model(choice: state.Choice) -> str:
    return choice.model  # a class of one model means nothing for another


TARGETS = tuple(
    Setting(f"explain_{name}", None, name, read=_target_of, write=_target_mark, per=_of_model)
    for name in ("target", "target2")
)  # None for the first stands for what `default_spec` finds, None for the second for nothing
PARAMETERS = Setting(
    "explain_parameters", lambda _: all_defaults(), "methods", read=_parameters_of, write=_parameter_marks
)
BASELINE = Setting(
    "explain_baseline",
    None,
    "baseline",
    read=lambda text, _: one_of(BASELINES)(text),
    valid=lambda baseline, _: baseline in BASELINES,
)  # None stands for the one of which least is left
MARKS = replace(STYLE, only=("marks",))  # all of the style that counts here
SETTINGS = (*TARGETS, PARAMETERS, BASELINE, MARKS)

# ---------------------------------------------------------------- in the session alone

ASKED = Setting("explain_asked", frozenset())  # the slow work that was asked for, by the keys of its results
ENLARGED = Setting("explain_enlarged", per=_of_model)  # the map that is shown large: which target, and which method
PATCH = Setting(
    "explain_patch", valid=lambda patch, grid: all(at < count for at, count in zip(patch, grid, strict=True))
)  # row and column, from 0, whose value is looked at in a large map
ONE_SCALE = Setting("explain_one_scale", True)
BENEATH = Setting("explain_photo", round(100 * (1 - OPACITY)))  # how much of the photo is seen, in percent
UPLOADS = Setting("explain_uploads", ())  # images of the user's own to compare with


def set_target(choice: state.Choice, place: int, target: TargetSpec | None) -> None:
    """Explain something else in the first or the second row."""
    TARGETS[place].set(target, choice)
    ENLARGED.reset(choice)


def set_parameter(method: str, name: str, value: Any) -> None:
    """Let a method work in another way."""
    parameters = PARAMETERS.get()
    PARAMETERS.set({**parameters, method: {**parameters[method], name: value}})


def ask(key: tuple) -> None:
    """MapRequest for slow work."""
    ASKED.set(ASKED.get() | {key})


def targets(choice: state.Choice) -> list[TargetSpec]:
    """The one or two things to explain, as far as they make sense for the image."""
    first, second = (_for_this_image(target.get(choice), choice) for target in TARGETS)
    return [first or default_spec(choice), *([second] if second else [])]


def _for_this_image(target: TargetSpec | None, choice: state.Choice) -> TargetSpec | None:
    """An image is as similar to itself as can be, and nothing about it explains that."""
    if not isinstance(target, ImageSpec):
        return target
    others = tuple(picked for picked in target.images if picked.digest != choice.picked.digest)
    return ImageSpec(others) if others else None
