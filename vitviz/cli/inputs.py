"""Image arguments: files, folders, and patterns that the shell did not expand."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import VitvizError
from ..images.reading import SUFFIXES
from ..notation.marks import join_words
from ..notation.natural import natural_key

_MARKERS = ((b"iTXtvitviz\0",), (b"vitviz\0", b"ASCII\0\0\0{"))  # in images written by vitviz: PNG; EXIF
_MARKER_RANGE = 16_384  # bytes from the start of a PNG or JPEG, or from the end of a WebP


@dataclass(frozen=True)
class Item:
    """One image of a run, or an argument that matches no image.

    Attributes:
        path: path as typed, or below the typed folder.
        problem: error message; empty if no error is known yet.
    """

    path: Path
    problem: str = ""


def find(typed: Sequence[str]) -> list[Item]:
    """Find the images of the arguments, without duplicates, in the order of the arguments.

    A folder stands for all images in and below it, without hidden files, links to folders and images written by
    vitviz. `*`, `?`, `[a-z]` and `**` are wildcards unless a file has exactly this name. The images of a folder or
    pattern are in natural order, 2 before 10.

    Raises:
        VitvizError: if there are no images; the message is one sentence.
    """
    images: dict[str, Item] = {}
    for text in typed:
        for item in _expanded(text):
            images.setdefault(os.path.abspath(item.path), item)
    items = list(images.values())
    if all(item.problem for item in items):
        raise VitvizError(items[0].problem if len(items) == 1 else _no_image_in(*typed))
    return items


def _expanded(text: str) -> list[Item]:
    if not text:
        return [Item(Path(), "The name of an image is empty; give a file, a folder or a pattern.")]
    if os.path.isdir(text):
        problems: list[OSError] = []
        items = [Item(path) for path in natural_order(_below(text, problems))]
        items += [Item(Path(error.filename), f"{error.strerror or error}.") for error in problems]
    elif os.path.lexists(text) or not glob.has_magic(text):
        return [Item(Path(text))]
    else:
        items = [Item(path) for path in natural_order(filter(is_image, _matching(text)))]
    return items or [Item(Path(text), _no_image_in(text))]


def _below(folder: str, problems: list[OSError]) -> Iterator[str]:
    for place, folders, files in os.walk(folder, onerror=problems.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (path for name in files if is_image(path := os.path.join(place, name)))


def _matching(pattern: str) -> Iterator[str]:
    """Yield the files that match a pattern. `**` does not follow links to folders, which could form a loop."""
    *parts, last = Path(pattern).parts
    parts += [last, "*"] if last == "**" else [last]
    first = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    start = Path(*parts[:first])
    try:
        for path in start.glob("/".join(parts[first:])):
            if not any(part.startswith(".") for part in path.relative_to(start).parts):
                yield str(path)
    except ValueError as error:
        raise VitvizError(f"{pattern!r} is not a valid pattern; write ** alone between slashes.") from error


def is_image(path: str) -> bool:
    """Return True if a folder's file counts as one of its images, by its name and unless vitviz wrote it."""
    name = os.path.basename(path)
    if name.startswith(".") or not name.lower().endswith(SUFFIXES):
        return False
    if not os.path.exists(path):  # a broken link, which is reported when the image is read
        return True
    return os.path.isfile(path) and not _is_output(path)


def _is_output(path: str) -> bool:
    """Return True if vitviz wrote the image, so that a second run on a folder skips the results of the first."""
    try:
        with open(path, "rb") as file:
            start = file.read(_MARKER_RANGE)
            file.seek(max(len(start), os.path.getsize(path) - _MARKER_RANGE))
            data = start + file.read(_MARKER_RANGE)
    except OSError:  # reported when the image is read
        return False
    return any(all(marker in data for marker in markers) for markers in _MARKERS)


def natural_order(paths: Iterable[str | Path]) -> list[Path]:
    """Sort paths, with numbers in their names by value: 2 before 10."""
    return sorted(map(Path, paths), key=lambda path: (natural_key(path.parts), str(path)))


def _no_image_in(*typed: str) -> str:
    places = join_words([f"{text!r} or below it" if os.path.isdir(text) else f"{text!r}" for text in typed])
    return (
        f"There is no image in {places}; image names end in {join_words(SUFFIXES)}, and images written by vitviz do "
        "not count."
    )
