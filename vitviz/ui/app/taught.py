"""Classes that the user of this session has taught a model: a linear head, which lives as long as the session.

The session keeps the head, and its choice of a model contains only a name, see `vitviz.zoo.heads.held_heads`. To all
pages, a model with a head is like any other classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import streamlit as st

from ... import zoo
from ...errors import ModelError
from ...errors.arguments import shown
from . import models, sessions, state

MOST_BYTES = 16_000_000  # of the weights of a head
MOST_TRIED = 4  # checkpoints that are loaded in search of the one that a head was fitted on

_BEFORE = "taught_before"  # key in the session: model, input size and fit before a head was used
_TAUGHT = "taught"  # key in the session


@dataclass(frozen=True)
class Taught:
    """Head of this session.

    Attributes:
        name: name of the model with the head.
        head: the head. While it is kept here, the name is valid.
    """

    name: str
    head: zoo.LinearHead


def read(data: bytes, name: str) -> zoo.LinearHead:
    """Read a head from the content of a file, which may come from anybody.

    Args:
        data: content of the file.
        name: name of the file.

    Raises:
        ModelError: if the content is damaged, is not that of a head, or is too large for the app.
    """
    head = zoo.read_head(data, name)
    _check_size(head)
    return head


def use_head(head: zoo.LinearHead) -> None:
    """Use a head in place of the one of this session, and choose its model.

    Input size and fit become those that the head was fitted with, unless the head replaces one that was fitted with the
    same: then the user's choice stays.

    Raises:
        ModelError: if this server does not have the model that the head was fitted on, or has other weights of it, or
            the head is too large for the app; nothing is changed.
    """
    _check_size(head)
    before, chosen = _taught(), state.choice()
    if not is_used():
        st.session_state[_BEFORE] = chosen.model, chosen.size, chosen.fit
    name, head = zoo.hold(_base_of(head), head)
    state.use_model(name)
    sessions.add_model(name)
    st.session_state[_TAUGHT] = Taught(name, head)
    if before is not None and before.name != name:
        sessions.drop_model(before.name)
    if before is None or chosen.model != before.name:
        return
    if zoo.base_of(before.name) == zoo.base_of(name) and before.head.preprocessing == head.preprocessing:
        state.SIZE.set(chosen.size)
        state.FIT.set(chosen.fit)


def head() -> zoo.LinearHead | None:
    """Return the head of this session, also when another model is chosen; None if there is none."""
    taught = _taught()
    return None if taught is None else taught.head


def name() -> str | None:
    """Return the name of the model with the head of this session; None if there is none."""
    taught = _taught()
    return None if taught is None else taught.name


def is_used() -> bool:
    """Return True if the chosen model is the one with the head of this session."""
    return name() == state.MODEL.get()


def base() -> str:
    """Return the name of the chosen model without a head, on which heads are fitted."""
    return zoo.base_of(state.MODEL.get())


def check() -> None:
    """Replace a chosen model whose head is not that of this session by its base model.

    This happens if a click chose the head that another click has replaced, or if a message was tampered with.
    """
    if base() != state.MODEL.get() and not is_used():
        state.try_model(base())


def leave_head() -> None:
    """Choose the base model, if the head is in use, with the size and fit from before. The session keeps the head."""
    if is_used():
        model, size, fit = st.session_state.get(_BEFORE, ("", None, ""))
        name = base()
        state.try_model(name)
        if model == name:
            state.SIZE.set(size)
            state.FIT.set(fit)


def forget_head() -> None:
    """Delete the head of this session. If it is in use, choose the base model."""
    leave_head()
    taught = st.session_state.pop(_TAUGHT, None)
    if taught is not None:
        sessions.drop_model(taught.name)


def _taught() -> Taught | None:
    return st.session_state.get(_TAUGHT)


def _check_size(head: zoo.LinearHead) -> None:
    """Check that the memory that a session needs for a head is bounded.

    Raises:
        ModelError: if it is too large.
    """
    if head.weight.nbytes + head.bias.nbytes > MOST_BYTES:
        raise ModelError(
            f"The head {shown(head.name)} has {len(head.labels):,} classes, which are too many for the app; use it in "
            "Python."
        )


def _base_of(head: zoo.LinearHead) -> str:
    """Return the name of the model that a head was fitted on, as it is called on this server.

    Raises:
        ModelError: if this server does not have it.
    """
    for name in _candidates(head):
        try:
            zoo.check_head(head, zoo.shared(name))
        except ModelError:  # another model of this name, or one that cannot be loaded
            continue
        return name
    if models.is_ready(head.model):
        zoo.check_head(head, zoo.shared(head.model))
    raise ModelError(
        f"The head {shown(head.name)} was fitted on {shown(head.model)}, which this server does not have; choose that "
        "model first, or fit a new head."
    )


def _candidates(head: zoo.LinearHead) -> list[str]:
    """Return the names of models that the head may have been fitted on, most likely first.

    The chosen model comes first, because the name of a checkpoint in its file need not be that of the server.
    """
    alike = [name for name in zoo.checkpoints() if _may_be_called(PurePosixPath(name), head.model)]
    offered = [name for name in (base(), head.model, *alike[:MOST_TRIED]) if models.is_ready(name)]
    return list(dict.fromkeys(offered))


def _may_be_called(checkpoint: PurePosixPath, model: str) -> bool:
    """Return whether a checkpoint can have a name as a model: that of its file without suffix, or of its folder."""
    return model in (checkpoint.stem, checkpoint.parent.name)
