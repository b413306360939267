"""Images as they are typed: files, folders, and patterns that the shell did not expand."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import VitvizError
from ..notation.marks import join_words

SUFFIXES = (  # of the formats that `vitviz.images` reads
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg"),
    *(".png", ".tif", ".tiff", ".webp"),
)
_OURS = ((b"iTXtvitviz\0",), (b"vitviz\0", b"ASCII\0\0\0{"))  # what stands in pictures that vitviz wrote: PNG; EXIF
_NEAR = 16_384  # bytes from the beginning of a PNG or JPEG, or from the end of a WebP, in which it does


@dataclass(frozen=True)
class Item:
    """One image of a run, or what is wrong with what was typed.

    Attributes:
        path: the file; as it was typed, or below the folder that was typed.
        problem: what is wrong with it, in a sentence; empty if that is not known yet.
    """

    path: Path
    problem: str = ""


def find(typed: Sequence[str]) -> list[Item]:
    """The images that are meant, each once, in the order in which they were typed.

    A folder stands for the images in it and in all folders below it; hidden ones, links to folders and pictures that
    vitviz itself wrote are left out. `*`, `?`, `[a-z]` and `**` are understood where no file has that very name. What a
    folder or a pattern stands for comes in natural order, 2 before 10.

    Raises:
        VitvizError: if there is nothing at all; the message is one sentence.
    """
    found: dict[str, Item] = {}
    for text in typed:
        for item in _expanded(text):
            found.setdefault(os.path.abspath(item.path), item)
    items = list(found.values())
    if all(item.problem for item in items):
        raise VitvizError(items[0].problem if len(items) == 1 else _nothing_in(*typed))
    return items


def _expanded(text: str) -> list[Item]:
    if not text:
        return [Item(Path(), "An image has an empty name; give a file, a folder or a pattern.")]
    if os.path.isdir(text):
        problems: list[OSError] = []
        items = [Item(path) for path in _in_natural_order(_below(text, problems))]
        items += [Item(Path(error.filename), f"{error.strerror or error}.") for error in problems]
    elif os.path.lexists(text) or not glob.has_magic(text):
        return [Item(Path(text))]
    else:
        items = [Item(path) for path in _in_natural_order(filter(_is_image, _fitting(text)))]
    return items or [Item(Path(text), _nothing_in(text))]


def _below(folder: str, problems: list[OSError]) -> Iterator[str]:
    for place, folders, files in os.walk(folder, onerror=problems.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (path for name in files if _is_image(path := os.path.join(place, name)))


def _fitting(pattern: str) -> Iterator[str]:
    """Files that fit a pattern. `**` does not follow links to folders, of which a loop would have no end."""
    *parts, last = Path(pattern).parts
    parts += [last, "*"] if last == "**" else [last]
    first = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    start = Path(*parts[:first])
    try:
        for path in start.glob("/".join(parts[first:])):
            if not any(part.startswith(".") for part in path.relative_to(start).parts):
                yield str(path)
    except ValueError as error:
        raise VitvizError(f"{pattern!r} is not a pattern: in it, ** can only stand alone between slashes.") from error


def _is_image(path: str) -> bool:
    name = os.path.basename(path)
    if name.startswith(".") or not name.lower().endswith(SUFFIXES):
        return False
    return not os.path.exists(path) or (os.path.isfile(path) and not _is_ours(path))  # broken links are reported later


def _is_ours(path: str) -> bool:
    """Return True if vitviz wrote a picture: a second run on a folder should not look at the answers of the first."""
    try:
        with open(path, "rb") as file:
            start = file.read(_NEAR)
            file.seek(max(len(start), os.path.getsize(path) - _NEAR))
            near = start + file.read(_NEAR)
    except OSError:  # reported when the image is read
        return False
    return any(all(mark in near for mark in marks) for marks in _OURS)


def _in_natural_order(paths: Iterator[str]) -> list[Path]:
    return sorted(map(Path, paths), key=lambda path: ([_natural(part) for part in path.parts], str(path)))


def _natural(text: str) -> list[str | int]:
    """Letters and numbers in turns, beginning with letters."""
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"([0-9]+)", text)]


def _nothing_in(*typed: str) -> str:
    places = join_words([f"{text!r} or below it" if os.path.isdir(text) else f"{text!r}" for text in typed])
    return (
        f"There is no image in {places}; names of images end in {join_words(SUFFIXES)}, and pictures that vitviz wrote "
        "do not count."
    )
