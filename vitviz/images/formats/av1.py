"""True sizes of the images in an AVIF file, which its container can misstate.

A file of 2 KB that states 64 x 64 can hold an image of 16,384 x 16,384, which libavif decodes before scaling it down.
Therefore the headers of the AV1 streams are read first. ISO/IEC 14496-12 specifies the position of the streams (boxes
iloc, stsz and stco), and section 5.5.1 of the AV1 specification their headers.
"""

import re
import struct
from collections.abc import Callable, Iterator

from .heif import boxes_of

_AV1_ITEM = re.compile(rb"infe(?:\x02.{3}(..)|\x03.{3}(.{4}))..av01", re.DOTALL)
_SEQUENCE_HEADER = 1
_MAX_UNITS = 1000  # of a stream, and streams of a file; typical files have fewer than ten


def pixels_in_streams(data: bytes) -> int:
    """Return the number of pixels of the largest image that the AV1 streams of a file state.

    Raises:
        ValueError: if there are too many streams or units.
    """
    largest = 0
    for count, stream in enumerate(_streams(data)):
        if count > _MAX_UNITS:
            raise ValueError("too many streams")
        for width, height in _sizes(stream):
            largest = max(largest, width * height)
    return largest


def _streams(data: bytes) -> Iterator[bytes]:
    """Iterate over the streams of all AV1 items, and of the first image of each track."""
    boxes = boxes_of(data)
    inside = next((start for name, start, _ in boxes if name == b"idat"), 0)
    av1 = {int.from_bytes(short or long) for short, long in _AV1_ITEM.findall(data)}  # once, not for each iloc box
    for name, start, end in boxes:
        if name == b"iloc":
            yield from _items(data, start, end, inside, av1)
    sizes = [start for name, start, _ in boxes if name == b"stsz"]
    chunks = [(name, start) for name, start, _ in boxes if name in (b"stco", b"co64")]
    for at_size, (name, at_chunk) in zip(sizes, chunks, strict=False):
        same, count, first = struct.unpack_from(">III", data, at_size + 4)
        if count:
            (offset,) = struct.unpack_from(">Q" if name == b"co64" else ">I", data, at_chunk + 8)
            yield data[offset : offset + (same or first)]


def _items(data: bytes, at: int, end: int, inside: int, av1: set[int]) -> Iterator[bytes]:
    """Iterate over the streams of the items in an iloc box whose numbers are in `av1`."""
    version = data[at]
    offset_size, length_size = data[at + 4] >> 4, data[at + 4] & 15
    base_size, index_size = data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    at += 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > end:
            raise ValueError("a list of items is truncated")
        return int.from_bytes(data[at - size : at])

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        in_idat = version > 0 and number(2) & 15 == 1
        number(2)  # data reference index
        base = number(base_size) + (inside if in_idat else 0)
        parts, total = [], 0
        for _ in range(number(2)):
            number(index_size)
            offset, length = base + number(offset_size), number(length_size)
            if item in av1:
                parts.append(data[offset : offset + length] if length else data[offset:])
                total += len(parts[-1])
            if total > len(data):
                raise ValueError("parts of an item overlap")
        if item in av1:  # other items are text, or grids of items
            yield b"".join(parts)


def _sizes(stream: bytes) -> Iterator[tuple[int, int]]:
    """Iterate over the width and height in each sequence header of a stream."""
    at = 0
    for _ in range(_MAX_UNITS):
        if at >= len(stream) or stream[at] & 0x81:  # end of the stream, or not AV1
            return
        kind, extended, sized = stream[at] >> 3 & 15, stream[at] >> 2 & 1, stream[at] >> 1 & 1
        at += 1 + extended
        size = len(stream) - at
        if sized:
            size = 0
            for i in range(8):
                byte = stream[at] if at < len(stream) else 0
                size |= (byte & 127) << 7 * i
                at += 1
                if not byte & 128:
                    break
        if kind == _SEQUENCE_HEADER:
            yield _size(stream[at : at + min(size, 1024)])
        at += size
    raise ValueError("too many units")


class _Bits:
    """Reader of single bits; returns zeros beyond the end of the data."""

    def __init__(self, data: bytes) -> None:
        self.number, self.left = int.from_bytes(data), 8 * len(data)

    def take(self, count: int) -> int:
        self.left -= count
        shifted = self.number >> self.left if self.left >= 0 else self.number << -self.left
        return shifted & ((1 << count) - 1)


def _size(header: bytes) -> tuple[int, int]:
    """Width and height in a sequence header."""
    take = _Bits(header).take
    take(4)  # profile and still picture
    if take(1):  # reduced header of a still picture
        take(5)
    else:
        _skip_operating_points(take)
    width_bits, height_bits = take(4) + 1, take(4) + 1
    return take(width_bits) + 1, take(height_bits) + 1


def _skip_operating_points(take: Callable[[int], int]) -> None:
    """Skip fields that matter for video only: timing, levels and buffers."""
    delay_bits = 0
    if take(1):  # timing
        take(64)
        if take(1):  # equal display times, coded with leading zeros
            zeros = 0
            while not take(1) and zeros < 32:
                zeros += 1
            take(zeros)
        if take(1):  # decoder model
            delay_bits = take(5) + 1
            take(42)
    display_delay = take(1)
    for _ in range(take(5) + 1):
        take(12)
        if take(5) > 7:
            take(1)
        if delay_bits and take(1):
            take(2 * delay_bits + 1)
        if display_delay and take(1):
            take(4)
