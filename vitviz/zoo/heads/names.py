"""Checks of names of classes and heads, which may come from another person's file and are shown on pages."""

from __future__ import annotations

import re
import unicodedata

from ...errors import ModelError
from ...errors.arguments import of_kind, shown, typed
from ..class_names import parse_classes

SUFFIX = ".safetensors"
MOST_CLASSES = 10_000
LONGEST_NAME = 100  # characters of the name of a head
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")  # characters that reverse the text after them
_MARKUP = re.compile(r"<[a-z/!?]|\]\(|:[a-z]+(-[a-z]+)*\[|:material/", re.IGNORECASE)  # HTML, Markdown, Streamlit


def checked_labels(labels: object) -> tuple[str, ...]:
    """Check the class names of a head and return them.

    Args:
        labels: names in the order of the classes, as in `vitviz.load(classes=)`.

    Raises:
        ModelError: if they are not 2 to 10,000 different names, or a name has markup or characters that cannot be
            displayed.
    """
    names = parse_classes(labels)
    if not isinstance(names, tuple) or not 2 <= len(names) <= MOST_CLASSES or len(set(names)) != len(names):
        raise ModelError(f"A head needs 2 to {MOST_CLASSES:,} different class names, not {_listed(names)}.")
    for name in names:
        _check_text(name, "class name")
    return names


def checked_name(name: object) -> str:
    """Check the name of a head and return it.

    Raises:
        ModelError: if it is not a text of 1 to 100 characters, or has markup or characters that cannot be displayed.
    """
    of_kind(name, str, "name", ModelError)
    if not 0 < len(name) <= LONGEST_NAME or not name.strip():
        raise ModelError(f"The name of a head must have 1 to {LONGEST_NAME} characters, unlike {shown(name)}.")
    _check_text(name, "name")
    return name


@typed
def name_of_file(file_name: str) -> str:
    """Convert the name of a file to the name of a head: without suffix, and without what `checked_name` refuses."""
    stem = file_name[: -len(SUFFIX)] if file_name.lower().endswith(SUFFIX) else file_name
    letters = (letter if letter.isprintable() and letter not in "<[]:" else "-" for letter in stem)
    return "".join(letters)[:LONGEST_NAME].strip() or "head"


def _check_text(text: str, what: str) -> None:
    if not text.strip() or any(map(_is_hidden, text)) or _MARKUP.search(text):
        raise ModelError(
            f"The {what} {shown(text)} is empty, or has markup or characters that cannot be displayed; use plain text."
        )


def _is_hidden(letter: str) -> bool:
    """Return whether this is a control character, a line separator, a surrogate, or reverses the text."""
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs") or bool(_DIRECTION.match(letter))


def _listed(names: object) -> str:
    if not isinstance(names, tuple):
        return shown(names)
    return f"{len(names):,}, some of them equal" if len(set(names)) < len(names) else f"{len(names):,}"
