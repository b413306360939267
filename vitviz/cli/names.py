"""Names of files: what differs from the default is part of them, and nothing of the machine is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path, PurePath
from zlib import crc32

from ..viz.export import safe_name

_LONGEST = 40  # characters of a part of a name; as in `safe_name`


def joined(*parts: str) -> str:
    """Parts of a name, without empty ones."""
    return "-".join(filter(None, parts))


def short(text: str) -> str:
    """A text as a part of a file name: if it is long, its beginning and a checksum, so that no two are the same."""
    return safe_name(text) if len(text) <= _LONGEST else _summed(text, text)


def mark(typed: str) -> str:
    """A path or a name as a part of a file name: of a path outside the current folder its last part and a checksum."""
    path = PurePath(typed)
    if path.is_absolute() or ".." in path.parts or typed.startswith("~"):
        return _summed(path.name, typed)
    return short(typed)


def of_images(paths: Sequence[Path]) -> list[str]:
    """For each image a part of a file name that no other image of the run has, whatever the order.

    That is the image's own name; where several have it, with its folder before it; if that is not enough, with a
    checksum of its path. On some machines `a` and `A` are one name, so here they are, too.
    """
    names = [short(path.stem) for path in paths]
    for longer in (with_folder, _with_checksum):
        counts = Counter(name.casefold() for name in names)
        names = [longer(path) if counts[name.casefold()] > 1 else name for path, name in zip(paths, names, strict=True)]
    return names


def further(name: str, longer: str) -> Iterator[str]:
    """Names to try where the first ones are taken: this one, a longer one, and that with a number."""
    yield from dict.fromkeys((name, longer))
    yield from (f"{longer}-{number}" for number in count(2))


def with_folder(path: Path) -> str:
    """The name of an image with its folder before it, as a part of a file name."""
    return short(joined(path.parent.name, path.stem))


def labels(paths: Sequence[Path]) -> list[str]:
    """Names of the images in a report: their paths below the folder that all have in common."""
    full = [os.path.abspath(path) for path in paths]
    try:
        common = os.path.commonpath([os.path.dirname(path) for path in full])
    except ValueError:  # several drives, or no images
        common = os.sep
    if os.path.dirname(common) == common:  # nothing in common, and the whole path is nobody's business
        return ["/".join(Path(path).parts[-2:]) for path in full]
    return [Path(path).relative_to(common).as_posix() for path in full]


def _with_checksum(path: Path) -> str:
    return _summed(path.stem, str(path))


def _summed(start: str, text: str) -> str:
    return f"{safe_name(start[: _LONGEST - 9])}-{crc32(text.encode('utf-8', 'surrogateescape')):08x}"
