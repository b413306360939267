"""Settings of the page "Explain": targets, method parameters and display."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ....analysis.attribution import METHODS
from ....analysis.attribution.faithfulness import BASELINES
from ....notation.marks import one_of, parse_class
from ....viz.colour import OPACITY
from ...app import models, state
from ...app.settings import Setting
from ...app.views import STYLE
from .targets import MOST_IMAGES, ClassSpec, ImageSpec, TargetSpec, default_spec

Parameters = Mapping[str, Mapping[str, Any]]  # by method name, then parameter name


def all_defaults() -> dict[str, dict[str, Any]]:
    """Return the default parameters of all methods."""
    return {name: {one.name: one.default for one in method.parameters} for name, method in METHODS.items()}


# ---------------------------------------------------------------- in links


def _target_of(text: str, choice: state.Choice) -> TargetSpec:
    """Parse a target of a link: `"3"`, `"3-8"` for 3 minus 8; without classes, names of samples."""
    trace = state.trace(choice)
    return _class_of(text, len(trace.output)) if trace.model.is_classifier else _images_of(text, choice)


def _class_of(text: str, count: int) -> ClassSpec:
    try:
        classes = [parse_class(part, count) for part in text.split("-")]
    except ValueError:
        classes = []
    if not 1 <= len(classes) <= 2 or len(set(classes)) < len(classes):
        raise ValueError(f"a class from 0 to {count - 1}, or a difference of two such as 1-0")
    return ClassSpec(*classes)


def _images_of(text: str, choice: state.Choice) -> ImageSpec:
    samples, names = state.samples_for(choice.model), list(dict.fromkeys(text.split(",")))
    if not set(names) <= set(samples) or len(names) > MOST_IMAGES:
        raise ValueError(
            f"1 to {MOST_IMAGES} samples such as {','.join(list(samples)[:2])}; your own images are never in links"
        )
    return ImageSpec(tuple(state.Picked(name, samples[name], sample=True) for name in names))


def _target_mark(target: TargetSpec | None, choice: state.Choice) -> str:
    """Write a target as `_target_of` reads it; a user's own images are never in links."""
    if target is None:
        return ""
    if isinstance(target, ImageSpec):
        return ",".join(picked.name if picked.sample else state.OWN for picked in target.images)
    return f"{target.index}" if target.minus is None else f"{target.index}-{target.minus}"


def _parameters_of(text: str, choice: state.Choice) -> Parameters:
    """Parse the parameters of a link, such as `"rollout.head_fusion.max,occlusion.window.2"`."""
    trace, parameters = state.trace(choice), all_defaults()
    for part in text.split(","):
        method, name, mark = [*part.split(".", 2), "", ""][:3]
        for one in METHODS[method].parameters if method in METHODS else ():
            options = {one.format_link(option): option for option in one.options(trace, parameters[method])}
            if one.name == name and mark in options:
                parameters[method][name] = options[mark]
                break
        else:
            raise ValueError("parameters and values of this page, such as rollout.head_fusion.max,occlusion.window.2")
    return parameters


def _parameter_marks(parameters: Parameters, choice: state.Choice) -> str:
    """Write the parameters that differ from the default, as `_parameters_of` reads them."""
    return ",".join(
        f"{method}.{one.name}.{one.format_link(parameters[method][one.name])}"
        for method, info in METHODS.items()
        for one in info.parameters
        if parameters[method][one.name] != one.default
    )


def _of_model(choice: state.Choice) -> str:
    return models.outputs_of(choice.model)  # class indices differ between models


TARGETS = tuple(
    Setting(f"explain_{name}", None, name, read=_target_of, write=_target_mark, per=_of_model, of_classes=True)
    for name in ("target", "target2")
)  # None: `default_spec` for the first target, no second target
PARAMETERS = Setting(
    "explain_parameters", lambda _: all_defaults(), "methods", read=_parameters_of, write=_parameter_marks
)
BASELINE = Setting(
    "explain_baseline",
    None,
    "baseline",
    read=lambda text, _: one_of(BASELINES)(text),
    valid=lambda baseline, _: baseline in BASELINES,
)  # None: the baseline with the lowest target value
MARKS = replace(STYLE, only=("marks",))  # the only part of the style that this page uses
SETTINGS = (*TARGETS, PARAMETERS, BASELINE, MARKS)

# ---------------------------------------------------------------- in the session alone

ENLARGED = Setting("explain_enlarged", per=_of_model)  # enlarged map: index of the target, and method
PATCH = Setting(
    "explain_patch", valid=lambda patch, grid: all(at < count for at, count in zip(patch, grid, strict=True))
)  # row and column, from 0, of the patch selected in the enlarged map
ONE_SCALE = Setting("explain_one_scale", True)
OVERLAY_OPACITY = Setting("explain_opacity", round(100 * OPACITY))  # percent
UPLOADS = Setting("explain_uploads", ())  # the user's own images to compare with


def set_target(choice: state.Choice, place: int, target: TargetSpec | None) -> None:
    """Set the target of the first or the second row."""
    TARGETS[place].set(target, choice)
    ENLARGED.reset(choice)


def set_parameter(method: str, name: str, value: Any) -> None:
    """Set a parameter of a method."""
    parameters = PARAMETERS.get()
    PARAMETERS.set({**parameters, method: {**parameters[method], name: value}})


def target_specs(choice: state.Choice) -> list[TargetSpec]:
    """Return the one or two targets that apply to the image."""
    first, second = (_for_this_image(target.get(choice), choice) for target in TARGETS)
    return [first or default_spec(choice), *([second] if second else [])]


def _for_this_image(target: TargetSpec | None, choice: state.Choice) -> TargetSpec | None:
    """Drop the image itself from the images to compare with: its similarity to itself is always 1."""
    if not isinstance(target, ImageSpec):
        return target
    others = tuple(picked for picked in target.images if picked.digest != choice.picked.digest)
    return ImageSpec(others) if others else None
