"""Reading of tag directories, the structure of TIFF files and EXIF data, in no more memory than the file takes.

Libraries such as Pillow and tifffile read every tag of a directory, but a hostile file of a few megabytes can have
65,535 tags whose values each span the whole file. Here only the requested tags are read, as views of the file.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

_MAX_DIRECTORIES = 100  # read from one file

# NumPy dtypes of the TIFF types; a rational is two numbers.
_TYPES = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4"}
_TYPES |= {12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_RATIONAL = (5, 10)


@dataclass(frozen=True, eq=False)
class Directory:
    """Tags of one image in a TIFF file, or of EXIF data."""

    values: dict[int, np.ndarray] = field(repr=False)  # of the requested tags
    next: int  # offset of the next directory; 0 if there is none

    def number(self, tag: int, default: int) -> int:
        """Return the first number of a tag."""
        values = self.values.get(tag)
        return default if values is None or not len(values) else int(values[0])

    def numbers(self, tag: int, default: Iterable[int]) -> list[int]:
        """Return the numbers of a tag, at most the first thousand."""
        values = self.values.get(tag)
        return list(default) if values is None or not len(values) else values[:1000].tolist()


class Directories:
    """Directories of a TIFF file or of EXIF data, in either byte order, classic or BigTIFF.

    Raises:
        ValueError: if the header is not that of a TIFF file.
    """

    def __init__(self, data: bytes, tags: Iterable[int]) -> None:
        self.data = data
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "")
        version = struct.unpack_from(self.order + "H", data, 2)[0] if self.order and len(data) >= 8 else 0
        if version not in (42, 43):
            raise ValueError("not a TIFF header")
        self.big = version == 43
        self.first = struct.unpack_from(self.order + "Q", data, 8)[0] if self.big else self._long(4)
        self._tags = np.array(sorted(tags))
        self._seen: set[int] = set()
        kind, inline = ("u8", "V8") if self.big else ("u4", "V4")
        fields = [("tag", self.order + "u2"), ("type", self.order + "u2"), ("count", self.order + kind)]
        self._entry = np.dtype([*fields, ("inline", inline)])

    def read(self, offset: int) -> Directory | None:
        """Read the directory at an offset; None if it was read already, or if too many were read.

        Raises:
            ValueError: if it is not inside the file.
        """
        if not offset or offset in self._seen or len(self._seen) >= _MAX_DIRECTORIES:
            return None
        self._seen.add(offset)
        head, link = ("Q", "Q") if self.big else ("H", "I")
        try:
            (count,) = struct.unpack_from(self.order + head, self.data, offset)
            start = offset + struct.calcsize("=" + head)
            end = start + min(count, 65535) * self._entry.itemsize
            if end > len(self.data):
                raise EOFError
            entries = np.frombuffer(self.data, self._entry, min(count, 65535), start)
            following = self.data[end : end + struct.calcsize("=" + link)]
        except (struct.error, OverflowError, EOFError) as error:
            raise ValueError("a directory is outside of the file") from error
        values = {}
        for i in np.flatnonzero(np.isin(entries["tag"], self._tags)):
            at = start + int(i) * self._entry.itemsize
            tag, kind, numbers = (int(entries[name][i]) for name in ("tag", "type", "count"))
            values.setdefault(tag, self._values(at, kind, numbers))
        whole = len(following) == struct.calcsize("=" + link)
        following = struct.unpack(self.order + link, following)[0] if whole else 0
        return Directory({tag: numbers for tag, numbers in values.items() if numbers is not None}, following)

    def _values(self, entry: int, kind: int, count: int) -> np.ndarray | None:
        """Numbers of one entry; None if they are not inside the file or their type is unknown."""
        if kind not in _TYPES:
            return None
        dtype = np.dtype(self.order + _TYPES[kind])
        count *= 2 if kind in _RATIONAL else 1
        inline = 8 if self.big else 4
        at = entry + self._entry.itemsize - inline
        if count * dtype.itemsize > inline:
            at = struct.unpack_from(self.order + "Q", self.data, at)[0] if self.big else self._long(at)
        if at + count * dtype.itemsize > len(self.data):
            return None
        return np.frombuffer(self.data, dtype, count, at)

    def _long(self, at: int) -> int:
        return struct.unpack_from(self.order + "I", self.data, at)[0]
