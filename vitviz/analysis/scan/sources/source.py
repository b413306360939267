"""Source of a scan: images in a fixed order, each with its position."""

from __future__ import annotations

import posixpath
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ....errors import ImageError
from ....images.reading import SUFFIXES

Kind = Literal["folder", "glob", "list", "shards", "parquet"]
MAX_BYTES = 256 * 2**20  # of one image file; 64 megapixels without compression

TOO_LONG = f"This file has more than {MAX_BYTES // 2**20} MB; save the image with compression."


@dataclass(frozen=True)
class Item:
    """Image of a source.

    Attributes:
        position: position in the source, from 0.
        path: path relative to the source, as in the table `images`.
        label: label; None if the source has none for this image.
        read: function that returns the bytes of its file. It may be called in another thread. It raises an `ImageError`
            if the image is refused, and any other exception if the source fails.
    """

    position: int
    path: str
    label: str | None
    read: Callable[[], bytes]


class Source(ABC):
    """Images in a fixed order. A source can be pickled, and read from any position.

    Attributes:
        kind: kind of the source.
        uri: absolute path of a local source, or its address.
        labels: origin of the labels: `"folders"`, `"csv"`, `"members"` (of archives), `"column"` (of Parquet files), or
            None for no labels.
        digest: SHA-256 of the names and the order of the images, hexadecimal.
    """

    kind: Kind
    uri: str
    labels: str | None
    digest: str

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def items(self, start: int, stop: int) -> Iterator[Item]:
        """Yield the images with the positions from `start` up to `stop`, without reading them if possible."""


def text_of(name: bytes) -> str:
    """Decode a name for the tables; bytes that are no UTF-8 are replaced."""
    return name.decode("utf-8", "replace")


def real_name(name: bytes) -> str:
    """Decode a name as Python's functions for files expect it."""
    return name.decode("utf-8", "surrogateescape")


def encoded(name: str) -> bytes:
    """Encode a name from Python's functions for files."""
    return name.encode("utf-8", "surrogateescape")


def is_inside(name: str) -> bool:
    """Return True if a relative path stays inside of its folder."""
    return not posixpath.isabs(name) and ".." not in name.replace("\\", "/").split("/")


def is_image_name(name: str) -> bool:
    """Return True for the relative path of an image that is not hidden, by its name."""
    parts = name.split("/")
    return name.lower().endswith(SUFFIXES) and not any(
        part.startswith(".") for part in parts if part not in (".", "..")
    )


def first_folder(name: str) -> str | None:
    """Return the first folder of a relative path, the label of `--labels folders`; None for a file without folder."""
    folder, slash, _ = name.removeprefix("./").partition("/")
    return folder if slash else None


def refusal(problem: str) -> Callable[[], bytes]:
    """Return a function for `Item.read` that refuses the image."""

    def refuse() -> bytes:
        raise ImageError(problem)

    return refuse
