"""The user's classes and their images, in the memory of the session only.

Uploaded images are registered with `vitviz.ui.app.sessions`, so that all results computed from them are deleted when
the session has ended.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace

import streamlit as st

from ....errors import ImageError, ModelError, VitvizError
from ....zoo.heads import checked_name
from ...app import state
from ...app.decoded_images import decoded, thumbnail
from ...app.settings import Setting
from . import image_features

MOST_CLASSES, LEAST_CLASSES = 10, 2
MOST_IMAGES, MOST_BYTES = 300, 150_000_000  # of all classes of a user together
MOST_BYTES_OF_ALL = 600_000_000  # of all users together
LONGEST_NAME = 40  # characters of a class name
SIDE = 96  # pixels of a thumbnail
MARK = 16  # hexadecimal digits of the digest by which the browser refers to an image
_PROBLEMS = "teach_problems"  # key in the session: sentences that are shown with the next run
LIMIT = f"At most {MOST_IMAGES} images and {MOST_BYTES // 1_000_000} MB are kept"


class _Used:
    """Bytes of the images of all users, which are subtracted when an image is no longer referenced."""

    def __init__(self) -> None:
        self.bytes, self._lock = 0, threading.RLock()  # images may be released while it is held

    def add(self, picked: state.Picked) -> bool:
        """Count an image while it is in memory. Return False if there is no room for it."""
        size = len(picked.data)
        with self._lock:
            if self.bytes + size > MOST_BYTES_OF_ALL:
                return False
            self.bytes += size
        weakref.finalize(picked, self._subtract, size)
        return True

    def _subtract(self, size: int) -> None:
        with self._lock:
            self.bytes -= size


_used = _Used()


@dataclass(frozen=True)
class TaughtImage:
    """Image of a class.

    Attributes:
        picked: the image.
        thumbnail: square JPEG of `SIDE` pixels.
        series: series of the camera that the image belongs to; empty for other images.
    """

    picked: state.Picked
    thumbnail: bytes
    series: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return self.picked.digest

    @property
    def mark(self) -> str:
        """Mark of the image in the browser."""
        return self.digest[:MARK]


@dataclass(frozen=True)
class TaughtClass:
    """Class with its images.

    Attributes:
        number: number that is never used again in the session.
        name: name given by the user.
        images: images in the order in which they were added.
    """

    number: int
    name: str
    images: tuple[TaughtImage, ...] = ()


CLASSES = Setting("teach_classes", tuple(TaughtClass(number, f"Class {number}") for number in (1, 2)))
_LAST = Setting("teach_last_class", LEAST_CLASSES)  # number of the class that was added last


def all_images() -> list[TaughtImage]:
    """Return the images of all classes."""
    return [image for one in CLASSES.get() for image in one.images]


# ---------------------------------------------------------------- classes


def add_class() -> None:
    """Add a class without images, unless there are `MOST_CLASSES`."""
    classes = CLASSES.get()
    if len(classes) >= MOST_CLASSES:
        return
    number, taken = _LAST.get() + 1, {one.name for one in classes}
    name = next(name for name in (f"Class {count}" for count in range(number, number + 99)) if name not in taken)
    _LAST.set(number)
    CLASSES.set((*classes, TaughtClass(number, name)))


def remove_class(number: int) -> None:
    """Remove a class with its images, unless there are only `LEAST_CLASSES`."""
    if len(CLASSES.get()) > LEAST_CLASSES:
        CLASSES.set(tuple(one for one in CLASSES.get() if one.number != number))


def rename_class(number: int, name: str) -> None:
    """Rename a class. A name that is empty, is taken or has markup is reported and changes nothing."""
    name = " ".join("".join(char if char.isprintable() else " " for char in name).split())[:LONGEST_NAME].strip()
    if not name:
        add_problem("A class needs a name; type at least one letter.")
    elif any(one.name == name and one.number != number for one in CLASSES.get()):
        add_problem(f"There is a class “{name}” already; choose another name.")
    else:
        reported(lambda: _rename(number, name))


def _rename(number: int, name: str) -> None:
    """Rename a class.

    Raises:
        ModelError: if the name has markup, with which no head could be fitted.
    """
    checked_name(name)
    _change(lambda one: replace(one, name=name) if one.number == number else one)


def _change(change: Callable[[TaughtClass], TaughtClass]) -> None:
    CLASSES.set(tuple(change(one) for one in CLASSES.get()))


# ---------------------------------------------------------------- images


def add_image(number: int, name: str, data: bytes, series: str = "", *, sample: bool = False) -> bool:
    """Add an image to a class. An image that cannot be used is reported and changes nothing.

    Args:
        number: number of the class. If it was removed meanwhile, nothing is added.
        name: name of the file.
        data: content of the file.
        series: series of the camera; empty for other images.
        sample: whether it is a sample.

    Returns:
        True if the image was added.
    """
    picked, images = state.Picked(name, data, sample), all_images()
    if all(one.number != number for one in CLASSES.get()):
        return False
    for one in CLASSES.get():
        if any(image.digest == picked.digest for image in one.images):
            add_problem(f"{name}: this image is in the class “{one.name}” already.")
            return False
    if len(images) >= MOST_IMAGES or sum(len(image.picked.data) for image in images) + len(data) > MOST_BYTES:
        add_problem(f"{name}: there is no room for this image. {LIMIT}; remove others first.")
        return False
    try:
        decoded_image = decoded(picked.digest, picked.data) if sample else state.check_own(picked)
    except ImageError as error:
        add_problem(str(error))
        return False
    choice = image_features.base_choice()
    if choice.size is not None:
        with suppress(ModelError):  # shown by the page
            image_features.prepared(image_features.setup_of(choice), picked)  # now, while it is decoded
    small = thumbnail(decoded_image, SIDE)
    if not sample and not _used.add(picked):
        add_problem(f"{name}: the server has no room for more images at present; try again later.")
        return False
    image = TaughtImage(picked, small, series)
    _change(lambda one: replace(one, images=(*one.images, image)) if one.number == number else one)
    return True


def remove_images(marks: Collection[str]) -> None:
    """Remove images, given by their marks."""
    _change(lambda one: replace(one, images=tuple(image for image in one.images if image.mark not in marks)))


def move_images(marks: Collection[str], number: int) -> None:
    """Move images to another class; nothing happens if it was removed meanwhile."""
    if all(one.number != number for one in CLASSES.get()):
        return
    moved = tuple(image for image in all_images() if image.mark in marks)
    remove_images(marks)
    _change(lambda one: replace(one, images=(*one.images, *moved)) if one.number == number else one)


# ---------------------------------------------------------------- reports


def add_problem(problem: str) -> None:
    """Report a problem with the next run."""
    st.session_state.setdefault(_PROBLEMS, []).append(problem)


def take_problems() -> list[str]:
    """Return the reported problems, once."""
    return st.session_state.pop(_PROBLEMS, [])


def reported(act: Callable[[], object]) -> None:
    """Call a function, and report its error, if any, in place of raising it."""
    try:
        act()
    except VitvizError as error:
        add_problem(str(error))
