"""The page "Explain" as query parameters: targets, the methods' parameters, and what removed patches become."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import streamlit as st

from ....analysis.attribution import METHODS
from ....analysis.attribution.faithfulness import BASELINES
from ....notation.marks import one_of
from ....trace.trace import Trace
from ....viz.colour import Style
from ...app import link, shell, state
from . import wanted
from .methods import all_defaults
from .targets import MOST_IMAGES, Aim, Alike, OfClass
from .wanted import Wanted


def begin(choice: state.Choice, trace: Trace) -> None:
    """Want what the link asks for, on the first visit of this page."""
    if wanted.KEY in st.session_state:
        return
    read_aim = _class_reader(len(trace.output)) if trace.model.is_classifier else _images_reader(choice)
    understand = {link.METHODS: _parameter_reader(trace), link.BASELINE: one_of(BASELINES)}
    asked = shell.take_from_link({**dict.fromkeys(link.TARGETS, read_aim), **understand})
    st.session_state[wanted.KEY] = Wanted(
        choice.model,
        tuple(asked.get(name) for name in link.TARGETS),
        asked.get(link.METHODS, all_defaults()),
        asked.get(link.BASELINE),
    )


def parameters(choice: state.Choice) -> dict[str, str]:
    """The query parameters that reopen what this visitor wants; what nobody chose is not part of them."""
    wants = wanted.current(choice)
    found = {name: _aim_mark(aim) for name, aim in zip(link.TARGETS, wants.aims, strict=True) if aim is not None}
    changed = [
        f"{method}.{one.name}.{one.format_link(wants.parameters[method][one.name])}"
        for method, told in METHODS.items()
        for one in told.parameters
        if wants.parameters[method][one.name] != one.default
    ]
    if changed:
        found[link.METHODS] = ",".join(changed)
    if wants.baseline is not None:
        found[link.BASELINE] = wants.baseline
    return found | link.style_parameters(Style(marks=shell.current_style().marks))  # all of the style that counts here


def _aim_mark(aim: Aim) -> str:
    """`"3"`, `"3-8"` for 3 minus 8, or names of samples; a visitor's own images have none."""
    if isinstance(aim, Alike):
        return ",".join(picked.name if picked.sample else link.OWN for picked in aim.images)
    return f"{aim.index}" if aim.minus is None else f"{aim.index}-{aim.minus}"


def _class_reader(count: int) -> Callable[[str], OfClass]:
    def read(text: str) -> OfClass:
        classes = [int(part) for part in text.split("-")] if re.fullmatch(r"[0-9]{1,6}(-[0-9]{1,6})?", text) else []
        if not classes or max(classes) >= count or len(set(classes)) < len(classes):
            raise ValueError(f"a class from 0 to {count - 1}, or one minus another such as 1-0")
        return OfClass(*classes)

    return read


def _images_reader(choice: state.Choice) -> Callable[[str], Alike]:
    samples = state.samples_for(choice.model)

    def read(text: str) -> Alike:
        names = list(dict.fromkeys(text.split(",")))
        if not set(names) <= set(samples) or len(names) > MOST_IMAGES:
            raise ValueError(
                f"1 to {MOST_IMAGES} samples such as {','.join(list(samples)[:2])}; own photos stay private"
            )
        return Alike(tuple(state.Picked(name, samples[name], sample=True) for name in names))

    return read


def _parameter_reader(trace: Trace) -> Callable[[str], dict[str, dict[str, Any]]]:
    """What understands `"rollout.head_fusion.max,occlusion.window.2"`."""

    def read(text: str) -> dict[str, dict[str, Any]]:
        found = all_defaults()
        for part in text.split(","):
            method, name, mark = [*part.split(".", 2), "", ""][:3]
            for one in METHODS[method].parameters if method in METHODS else ():
                options = {one.format_link(option): option for option in one.options(trace, found[method])}
                if one.name == name and mark in options:
                    found[method][name] = options[mark]
                    break
            else:
                raise ValueError("such as rollout.head_fusion.max,occlusion.window.2, in words that this page has")
        return found

    return read
