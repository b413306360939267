"""What a visitor wants explained, and how: all that the page keeps of a session, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from ...app import state
from .methods import all_defaults
from .targets import Aim, Alike, first_aim

KEY = "explain"


@dataclass(frozen=True)
class Wanted:
    """One visitor's choices.

    Attributes:
        model: for whose classes, or whose features, the aims were chosen.
        aims: what is explained; None for the first stands for what `first_aim` finds, None for the second for nothing.
        parameters: of each method, by its name.
        baseline: what removed patches become when the methods are compared; None for the one of which least is left.
        patch: row and column, from 0, of the patch whose value is looked at in a large map; None if there is none.
        enlarged: the map that is shown large: which aim, and which method; None if none is.
    """

    model: str
    aims: tuple[Aim | None, Aim | None] = (None, None)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=all_defaults)
    baseline: str | None = None
    patch: tuple[int, int] | None = None
    enlarged: tuple[int, str] | None = None


def current(choice: state.Choice) -> Wanted:
    """What this visitor wants, see `address.begin`; a class of one model means nothing for another."""
    wanted = st.session_state[KEY]
    if wanted.model != choice.model:
        wanted = Wanted(choice.model, parameters=wanted.parameters, baseline=wanted.baseline)
        st.session_state[KEY] = wanted
    return wanted


def change(**changes: Any) -> None:
    """Want something else from here on."""
    st.session_state[KEY] = replace(st.session_state[KEY], **changes)


def set_aim(place: int, aim: Aim | None) -> None:
    """Explain something else in the first or the second row."""
    aims = list(st.session_state[KEY].aims)
    aims[place] = aim
    change(aims=tuple(aims), enlarged=None)


def set_parameter(method: str, name: str, value: Any) -> None:
    """Let a method work in another way."""
    parameters = st.session_state[KEY].parameters
    change(parameters={**parameters, method: {**parameters[method], name: value}})


def aims(choice: state.Choice) -> list[Aim]:
    """The one or two things to explain, as far as they make sense for the image."""
    first, second = (_for_this_image(aim, choice) for aim in current(choice).aims)
    return [first or first_aim(choice), *([second] if second else [])]


def _for_this_image(aim: Aim | None, choice: state.Choice) -> Aim | None:
    """An image is as similar to itself as can be, and nothing about it explains that."""
    if not isinstance(aim, Alike):
        return aim
    others = tuple(picked for picked in aim.images if picked.digest != choice.picked.digest)
    return Alike(others) if others else None
