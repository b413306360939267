"""Second image, which pages compare with the first: a sample, an image of the server, or one of the user's own.

All pages share it. An image that the user gives as the second one is kept in the session, the last one only; like all
images of the user, it has no address, is in no link, and is deleted when the session has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import streamlit as st

from ...errors import ImageError
from ...notation.marks import one_of
from . import decoded_images, folder_choice, folder_images, notices, sessions, state
from .folder_images import FolderImage
from .settings import Setting

UPLOAD = "own2"  # mark of the image that the user gave as the second one; links do not include the image itself
OWN_LABELS = {state.OWN: "Your image", UPLOAD: "Your second image"}
NOT_IN_LINK = (
    "This link was created with a second image of a user's own, which links do not include; choose a second image."
)
GONE = "The second image of this link is not on this server; choose another one."

_UPLOAD, _THUMBNAIL = "second_upload", "second_thumbnail"  # keys in the session


@dataclass(frozen=True)
class SecondImageSetting(Setting):
    """Setting for the second image, whose value is the mark of an image in galleries and links."""

    def image(self, context: state.Choice) -> state.Picked | FolderImage:
        """Return the second image.

        Raises:
            ImageError: if it is no longer on the server.
        """
        return _find(self.get(context))

    def from_link(self, texts: Mapping[str, str], context: state.Choice) -> tuple[Any, list[str]]:
        """Parse the mark of a link. Return it, or None and a notice if the image is not here."""
        mark = texts[self.name]
        if mark in OWN_LABELS:
            return (mark, []) if is_offered(mark, context) else (None, [NOT_IN_LINK])
        if _is_of_folder(mark):
            found, _ = folder_images.named(mark)
            return (mark, []) if found else (None, [GONE])
        return super().from_link(texts, context)


def is_offered(mark: str, choice: state.Choice) -> bool:
    """Return True if the mark names an image that can be the second one."""
    if mark == state.OWN:
        return state.own_beside(choice) is not None
    if mark == UPLOAD:
        return _own(mark) is not None
    if _is_of_folder(mark):
        return mark.removeprefix(folder_images.MARK) in folder_images.names()
    return mark in state.samples_for(choice.model)


def _another_sample(choice: state.Choice) -> str:
    """Return the first sample that is not the first image."""
    offered = state.samples_for(choice.model)
    first = choice.picked.name if choice.picked.sample else None
    return next((name for name in offered if name != first), next(iter(offered)))


SECOND = SecondImageSetting(
    "second_image",
    _another_sample,
    "with",
    read=lambda text, choice: one_of(state.samples_for(choice.model))(text),
    valid=is_offered,
)


def thumbnails(choice: state.Choice) -> dict[str, bytes]:
    """Return the images that can be the second one, by mark: samples, those of the server, the user's own."""
    found = state.samples_for(choice.model) | folder_images.thumbnails()
    small = {state.OWN: st.session_state.get("own_thumbnail"), UPLOAD: st.session_state.get(_THUMBNAIL)}
    return found | {mark: small[mark] for mark in OWN_LABELS if is_offered(mark, choice)}


def labels() -> dict[str, str]:
    """Return the titles of images by mark; those of samples are their names."""
    return OWN_LABELS | folder_choice.labels()


def choose(mark: str) -> None:
    """Choose the second image by its mark. If it cannot be read, the page says so, and nothing changes."""
    try:
        with decoded_images.preparing:
            image = _find(mark)
            decoded_images.decoded(image.digest, image.data)
    except ImageError as error:
        notices.set_image_problem(str(error))
        return
    _set(mark)


def take(name: str, data: bytes) -> None:
    """Choose an image of the user as the second one, in place of the last. If it is invalid, nothing changes."""
    picked = state.Picked(name, data, sample=False)
    try:
        with decoded_images.preparing:
            small = decoded_images.thumbnail(state.check_own(picked))
    except ImageError as error:
        notices.set_image_problem(str(error))
        return
    sessions.add_image(sha256(small).hexdigest())
    st.session_state[_UPLOAD], st.session_state[_THUMBNAIL] = picked, small
    _set(UPLOAD)


def forget() -> None:
    """Delete the image that the user gave as the second one."""
    st.session_state[_UPLOAD] = st.session_state[_THUMBNAIL] = None
    if SECOND.stored() == UPLOAD:
        SECOND.reset()


def _set(mark: str) -> None:
    SECOND.set(mark)
    notices.set_image_problem(None)


def _is_of_folder(mark: str) -> bool:
    return mark.startswith(folder_images.MARK) and mark not in state.samples()


def _own(mark: str) -> state.Picked | None:
    return st.session_state.own if mark == state.OWN else st.session_state.get(_UPLOAD)


def _find(mark: str) -> state.Picked | FolderImage:
    if mark in OWN_LABELS:
        found = _own(mark)
        if found is None:
            raise ImageError("Your second image is no longer here; choose another one.")
        return found
    if _is_of_folder(mark):
        return folder_images.image(mark.removeprefix(folder_images.MARK))
    return state.Picked(mark, state.samples()[mark], sample=True)
