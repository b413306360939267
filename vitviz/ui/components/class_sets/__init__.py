"""Classes with their images: names, thumbnails, and images that are dropped, pasted, chosen or taken with the camera.

The component passes files to a hidden Streamlit uploader. Their names begin with the number of the class and that of
the series of the camera (0 for other images), such as `"2.0.cat.jpg"`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from ...app.uploads import drop_zone
from .._shared import Component, Listener, packed, whole_number

FILES = "class_sets_files"  # key of the hidden uploader
LONGEST_TEXT = 200  # maximum characters of a name in a message
MOST_MARKS = 1000  # maximum number of images in a message
_TAKEN = "class_sets_taken"  # key in the session: number of files that have arrived
_NAME = re.compile(r"([0-9]{1,6})\.([0-9]{1,15})\.(.*)", re.DOTALL)
_HIDDEN = f"<style>.st-key-{FILES} {{ display: none; }}</style>"

component = Component("class_sets", Path(__file__).parent)


class ShownImage(NamedTuple):
    """Image with a mark that identifies it, its name, and its thumbnail as JPEG."""

    mark: str
    name: str
    thumbnail: bytes


class ShownClass(NamedTuple):
    """Class with its number, its name and its images."""

    number: int
    name: str
    images: Sequence[ShownImage]


@dataclass(frozen=True)
class Actions:
    """Functions called for the actions of the user, before the page runs again.

    Attributes:
        add_image: called with the number of a class, the name of a file, its content, and the series of the camera
            (empty for other images).
        add_class: called without arguments.
        rename_class: called with the number of a class and its new name.
        remove_class: called with the number of a class.
        remove_images: called with the marks of images.
        move_images: called with the marks of images and the number of a class.
        report: called with a sentence on a file that was not sent.
    """

    add_image: Callable[[int, str, bytes, str], object]
    add_class: Callable[[], object]
    rename_class: Callable[[int, str], object]
    remove_class: Callable[[int], object]
    remove_images: Callable[[Collection[str]], object]
    move_images: Callable[[Collection[str], int], object]
    report: Callable[[str], object]


def class_sets(
    classes: Sequence[ShownClass], actions: Actions, *, least: int, most: int, longest: int, key: str
) -> None:
    """Draw the classes with their images.

    Args:
        classes: the classes.
        actions: functions called for the actions of the user.
        least: minimum number of classes.
        most: maximum number of classes.
        longest: maximum characters of a class name.
        key: identity of the component in the session.
    """
    st.html(_HIDDEN)
    drop_zone("Images of your classes", lambda name, data: _take(name, data, actions), key=FILES, many=True)
    largest = st.get_option("server.maxUploadSize")
    data = {
        "classes": [
            {"number": one.number, "name": one.name, "images": [[image.mark, image.name] for image in one.images]}
            for one in classes
        ],
        "least": least,
        "most": most,
        "longest": longest,
        "largest": 1_000_000 * largest,
        "taken": st.session_state.get(_TAKEN, 0),
    }
    listeners = {
        "add": Listener("a wish for another class", bool, lambda _: actions.add_class()),
        "rename": Listener("a class and its name", _read_name, lambda one: actions.rename_class(*one)),
        "discard": Listener("a class", whole_number, actions.remove_class),
        "remove": Listener("images", _read_marks, actions.remove_images),
        "move": Listener("images and a class", _read_move, lambda one: actions.move_images(*one)),
        "refused": Listener(
            "a file that is too large",
            _read_text,
            lambda name: actions.report(
                f"{name}: the file is larger than {largest} MB; reduce its size and try again."
            ),
        ),
        "missing": Listener("files that did not arrive", whole_number, lambda count: _missing(count, actions)),
        "lost": Listener("files that stopped an uploader", whole_number, lambda count: _lost(count, actions)),
    }
    thumbnails = {image.mark: image.thumbnail for one in classes for image in one.images}
    component.draw(data, listeners, key=key, parts={"thumbnails": packed({}, thumbnails)})


def _take(name: str, data: bytes, actions: Actions) -> None:
    st.session_state[_TAKEN] = st.session_state.get(_TAKEN, 0) + 1
    parts = _NAME.fullmatch(name)
    if parts is not None:  # otherwise, it was not sent by the component
        number, series, own = parts.groups()
        actions.add_image(int(number), own or "image", data, "" if int(series) == 0 else series)


def _missing(count: int, actions: Actions) -> None:
    actions.report(f"{count} of your images did not arrive; add them again.")


def _lost(count: int, actions: Actions) -> None:
    st.session_state[f"{FILES}_turn"] += 1  # a new uploader, without the error
    _missing(count, actions)


def _read_text(message: object) -> str:
    if not isinstance(message, str) or len(message) > LONGEST_TEXT:
        raise ValueError("not a short text")
    return message


def _read_name(message: object) -> tuple[int, str]:
    if not isinstance(message, list) or len(message) != 2:
        raise ValueError("not a number and a name")
    return whole_number(message[0]), _read_text(message[1])


def _read_marks(message: object) -> tuple[str, ...]:
    if not isinstance(message, list) or len(message) > MOST_MARKS:
        raise ValueError("not a list of images")
    return tuple(map(_read_text, message))


def _read_move(message: object) -> tuple[tuple[str, ...], int]:
    if not isinstance(message, list) or len(message) != 2:
        raise ValueError("not images and a class")
    return _read_marks(message[0]), whole_number(message[1])
