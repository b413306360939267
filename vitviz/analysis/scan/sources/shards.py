"""Source of tar archives as WebDataset writes them: `key.jpg`, and perhaps `key.cls` with the label."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

import numpy as np
import pyarrow as pa
from fsspec import AbstractFileSystem

from ....errors import ImageError
from .source import (
    MAX_BYTES,
    TOO_LONG,
    Item,
    Source,
    encoded,
    first_folder,
    is_image_name,
    is_inside,
    real_name,
    refusal,
    text_of,
)

MAX_LABEL = 1000  # bytes of a .cls member
DAMAGED = "This archive is damaged or incomplete after its {} images; download or pack it again."

LEADS_OUT = "The name of this member leads out of the archive; pack it again."


@dataclass(frozen=True)
class _Archive:
    """Images of one archive.

    Attributes:
        name: path relative to the folder of all archives.
        members: names of the images, binary [image].
        offsets, sizes: place of their bytes in the archive, int64 [image].
        labels: text of their .cls members, string [image]; None without any.
        is_damaged: True if the archive ends early, which counts as one more image that cannot be read.
    """

    name: bytes
    members: pa.Array
    offsets: np.ndarray
    sizes: np.ndarray
    labels: pa.Array | None
    is_damaged: bool

    def __len__(self) -> int:
        return len(self.members) + self.is_damaged


class Shards(Source):
    """Images of tar archives, in the order of the archives and of their members; links and hidden members are skipped.

    The index of the members is in memory: name, offset and size of each image.

    Args:
        uri: see `Source`.
        fs: file system.
        root: folder of the archives.
        names: archives relative to the root, in order.
        labels: `"folders"`, or None for the labels of the .cls members.
    """

    kind = "shards"

    def __init__(self, uri: str, fs: AbstractFileSystem, root: str, names: list[str], labels: str | None):
        self.uri, self._fs, self._root = uri, fs, root
        self._archives = [_index(fs, root, name, labels is None) for name in names]
        self._starts = np.cumsum([0, *map(len, self._archives)])
        has_labels = any(archive.labels is not None for archive in self._archives)
        self.labels = labels or ("members" if has_labels else None)
        digest = sha256(repr((self.kind, self.labels)).encode())
        for archive in self._archives:
            digest.update(archive.name + archive.offsets.tobytes() + archive.sizes.tobytes())
            digest.update(repr((archive.members.to_pylist(), archive.labels and archive.labels.to_pylist())).encode())
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def items(self, start: int, stop: int) -> Iterator[Item]:
        """Yield the images with the positions from `start` up to `stop`."""
        for position in range(start, min(stop, len(self))):
            at = int(np.searchsorted(self._starts, position, side="right")) - 1
            yield self._item(position, self._archives[at], position - int(self._starts[at]))

    def _item(self, position: int, archive: _Archive, i: int) -> Item:
        if i == len(archive.members):
            return Item(position, text_of(archive.name), None, refusal(DAMAGED.format(i)))
        member = text_of(archive.members[i].as_py())
        path = f"{text_of(archive.name)}/{member.removeprefix('./')}"
        if self.labels == "folders":
            label = first_folder(member)
        else:
            label = None if archive.labels is None else archive.labels[i].as_py()
        if not is_inside(member):
            return Item(position, path, label, refusal(LEADS_OUT))
        place, size = int(archive.offsets[i]), int(archive.sizes[i])
        whole = posixpath.join(self._root, real_name(archive.name))
        return Item(position, path, label, partial(_read, self._fs, whole, place, size))


def _read(fs: AbstractFileSystem, path: str, offset: int, size: int) -> bytes:
    if size > MAX_BYTES:
        raise ImageError(TOO_LONG)
    return fs.cat_file(path, start=offset, end=offset + size) if size else b""


def _index(fs: AbstractFileSystem, root: str, name: str, with_labels: bool) -> _Archive:
    """Read the headers of an archive. An archive that ends early keeps its images so far."""
    members: list[bytes] = []
    places: list[tuple[int, int]] = []
    labels: dict[str, str] = {}
    is_damaged = False
    try:
        with fs.open(posixpath.join(root, name), "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # otherwise it keeps all of them
                if not member.isreg() or member.issparse():
                    continue
                if is_image_name(member.name):
                    members.append(encoded(member.name))
                    places.append((member.offset_data, member.size))
                elif with_labels and member.name.endswith(".cls") and member.size <= MAX_LABEL:
                    labels[_key(member.name)] = archive.extractfile(member).read().decode("utf-8", "replace").strip()
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, AttributeError):
        is_damaged = True
    offsets, sizes = np.array(places, np.int64).reshape(-1, 2).T
    own = [labels.get(_key(real_name(member))) for member in members] if labels else None
    return _Archive(
        encoded(name),
        pa.array(members, pa.large_binary()),
        np.ascontiguousarray(offsets),
        np.ascontiguousarray(sizes),
        None if own is None else pa.array(own, pa.large_string()),
        is_damaged,
    )


def _key(name: str) -> str:
    """Return the key of a member: its path up to the first dot of its name."""
    folder, name = posixpath.split(name)
    return posixpath.join(folder, name.partition(".")[0])
