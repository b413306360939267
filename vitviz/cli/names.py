"""File names of results: they contain settings that differ from the defaults, but no path of the machine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path, PurePath
from zlib import crc32

from ..viz.export import safe_name

_MAX_LENGTH = 40  # characters of a part of a name, as in `safe_name`


def joined(*parts: str) -> str:
    """Join the non-empty parts of a name with hyphens."""
    return "-".join(filter(None, parts))


def short(text: str) -> str:
    """Convert text to a part of a file name; long text is shortened and gets a checksum, to stay unique."""
    return safe_name(text) if len(text) <= _MAX_LENGTH else _with_checksum(text, text)


def mark(typed: str) -> str:
    """Convert a path or name to a part of a file name.

    A path outside the current folder becomes its last part with a checksum.
    """
    path = PurePath(typed)
    if path.is_absolute() or ".." in path.parts or typed.startswith("~"):
        return _with_checksum(path.name, typed)
    return short(typed)


def of_images(paths: Sequence[Path]) -> list[str]:
    """Return a unique part of a file name for each image of a run, independent of their order.

    It is the image's name; if several images share it, the name with its folder; if that is not unique, the name with
    a checksum of its path. Names are compared case-insensitively, as some file systems do.
    """
    names = [short(path.stem) for path in paths]
    for longer in (with_folder, _with_path_checksum):
        counts = Counter(name.casefold() for name in names)
        names = [longer(path) if counts[name.casefold()] > 1 else name for path, name in zip(paths, names, strict=True)]
    return names


def candidates(name: str, longer: str) -> Iterator[str]:
    """Yield file names to try until one is free: the name, the longer name, and the longer name with a number."""
    yield from dict.fromkeys((name, longer))
    yield from (f"{longer}-{number}" for number in count(2))


def with_folder(path: Path) -> str:
    """Return the name of an image with its folder as a part of a file name."""
    return short(joined(path.parent.name, path.stem))


def labels(paths: Sequence[Path]) -> list[str]:
    """Return the titles of images in a report: their paths relative to their common folder."""
    full = [os.path.abspath(path) for path in paths]
    try:
        common = os.path.commonpath([os.path.dirname(path) for path in full])
    except ValueError:  # several drives, or no images
        common = os.sep
    if os.path.dirname(common) == common:  # no common folder: shorten the paths, for privacy
        return ["/".join(Path(path).parts[-2:]) for path in full]
    return [Path(path).relative_to(common).as_posix() for path in full]


def _with_path_checksum(path: Path) -> str:
    return _with_checksum(path.stem, str(path))


def _with_checksum(start: str, text: str) -> str:
    return f"{safe_name(start[: _MAX_LENGTH - 9])}-{crc32(text.encode('utf-8', 'surrogateescape')):08x}"
