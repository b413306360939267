"""Decompression of the strips or tiles of a TIFF to an array of samples.

Pillow's libtiff decompresses groups of segments, which are passed to it as a small TIFF of bytes. Byte order,
predictor, planes and bit depth are handled here, because Pillow supports only some combinations and decodes others
incorrectly.
"""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import TiffImagePlugin

from . import tags
from .layout import Layout, UnreadableKindError
from .lengths import most_bytes, with_more

_GROUP_BYTES = 8_000_000  # decompressed at once, unless a single segment is larger
_PILLOWS_LIMIT = 89_000_000  # just below the number of pixels at which Pillow warns
_REVERSED = np.array([int(f"{value:08b}"[::-1], 2) for value in range(256)], np.uint8)


def samples_of(data: bytes, layout: Layout, order: str, tables: bytes | None) -> np.ndarray:
    """Decode all samples of an image.

    Args:
        data: content of the file.
        layout: layout of the image.
        order: byte order of a sample, "<" or ">".
        tables: JPEG tables shared by all segments, if the file has them.

    Returns:
        Samples [height, width, samples], of `layout.dtype`.
    """
    _check_positions(len(data), layout)
    result = np.empty((layout.height, layout.width, layout.samples), layout.dtype)
    width, height = layout.segment
    for place, row, pixels in _pieces(data, layout, order, tables):
        plane, rest = divmod(place, layout.down * layout.across)
        down, across = divmod(rest, layout.across)
        top, left = down * height + row, across * width
        part = result[top : top + len(pixels), left : left + width]
        part[..., slice(None) if layout.planes == 1 else slice(plane, plane + 1)] = pixels[: len(part), : part.shape[1]]
    return result


def _pieces(data: bytes, layout: Layout, order: str, tables: bytes | None) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the index of a segment, the index of a row in it, and samples [rows, columns, samples] from there on."""
    of_plane = layout.down * layout.across
    of_segment = max(layout.row_bytes * layout.segment[1], most_bytes(layout, layout.segment[1]))
    size = max(1, _GROUP_BYTES // of_segment)
    for first in range(0, of_plane * layout.planes, size):
        group = range(first, min(first + size, of_plane * layout.planes))
        rows = [layout.rows(place % of_plane // layout.across) for place in group]
        files = [_compressed(data, layout, place, count) for place, count in zip(group, rows, strict=True)]
        # All strips of the small TIFF except the last have one height, so a group ends at a shorter strip.
        start = 0
        for end in range(1, len(rows) + 1):
            if end == len(rows) or rows[end - 1] != rows[start] or rows[end] > rows[end - 1]:
                for i, row, pixels in _decoded(files[start:end], rows[start:end], layout, order, tables):
                    yield first + start + i, row, pixels
                start = end


def _check_positions(length: int, layout: Layout) -> None:
    """Refuse segments outside of the file, before memory is allocated for their samples."""
    count = layout.planes * layout.down * layout.across
    ends = layout.offsets[:count].astype(np.float64)  # cannot overflow
    if layout.compression == tags.NONE:
        rows = np.array([layout.rows(down) for down in range(layout.down)])
        raw = -(-rows // layout.subsampling[1]) * layout.row_bytes
        ends += np.tile(raw.repeat(layout.across), layout.planes)
    elif layout.sizes is not None:
        ends += layout.sizes[:count]
    if ends.max() > length:
        raise EOFError


def _compressed(data: bytes, layout: Layout, i: int, rows: int) -> bytes:
    """Bytes of a segment in the file, up to its largest possible size, because segments can claim the same bytes."""
    start, size = int(layout.offsets[i]), most_bytes(layout, rows)
    if layout.sizes is not None and layout.compression != tags.NONE:
        size = min(size, int(layout.sizes[i]))
    if not size:
        raise EOFError
    return data[start : start + size]


def _unit_rows(layout: Layout, rows: int) -> int:
    """Number of byte rows for this number of pixel rows."""
    return -(-rows // layout.subsampling[1])


def _decoded(
    files: list[bytes], rows: list[int], layout: Layout, order: str, tables: bytes | None
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield index, row and samples, as `_pieces`, of segments that have the same height except the last."""
    width, samples = layout.segment[0], layout.samples if layout.planes == 1 else 1
    if layout.compression == tags.JPEG:
        for i, (file, count) in enumerate(zip(files, rows, strict=True)):  # one by one, because each is a separate JPEG
            yield i, 0, _whole([file], [count], width, layout, samples, _stored_as(layout, samples), tables)
        return
    if layout.compression in tags.BILEVEL:
        pixels = _whole(files, rows, width, layout, 1, tags.BLACK_IS_ZERO)
        for i, part in enumerate(np.split(pixels, np.cumsum(rows)[:-1])):
            yield i, 0, part
        return
    unit_rows = [_unit_rows(layout, count) for count in rows]
    if layout.compression == tags.NONE:
        packed = np.frombuffer(b"".join(files), np.uint8)
        packed = (_REVERSED[packed] if layout.reversed_bits else packed).reshape(-1, layout.row_bytes)
    else:
        packed = _bytes_of(files, unit_rows, layout)
    step = max(1, _GROUP_BYTES // layout.row_bytes)  # rows of a large segment are independent
    for i, part in enumerate(np.split(packed, np.cumsum(unit_rows)[:-1])):
        for top in range(0, len(part), step):
            if layout.subsampling == (1, 1):
                yield i, top, _unpacked(part[top : top + step], layout, order, samples)
            else:
                yield i, top * layout.subsampling[1], _full_chroma(part[top : top + step], layout)


def _bytes_of(files: list[bytes], rows: list[int], layout: Layout) -> np.ndarray:
    """Decompress segments to rows of bytes, uint8 [rows, bytes]."""
    size = sum(rows) * layout.row_bytes
    if size <= _PILLOWS_LIMIT:
        return _by_libtiff(files, rows, layout.row_bytes, layout, 1, tags.BLACK_IS_ZERO)[..., 0]
    # Pillow refuses that many pixels, so a single large segment is passed to it as pixels of four bytes.
    if size % 4:
        raise UnreadableKindError(
            f"This TIFF has more than {_PILLOWS_LIMIT // 1_000_000} MB in one strip, which is not supported; save it "
            "in smaller strips, or uncompressed."
        )
    across = next(part for part in (4, 2, 1) if layout.row_bytes % part == 0 and rows[0] % (4 // part) == 0)
    pixels = _by_libtiff(files, [rows[0] * across // 4], layout.row_bytes // across, layout, 4, tags.CMYK)
    return pixels.reshape(-1, layout.row_bytes)


def _stored_as(layout: Layout, samples: int) -> int:
    """Colour space for which the decoder returns the samples unchanged; YCbCr is converted to RGB."""
    if samples == 3 and layout.photometric == tags.YCBCR:
        return tags.YCBCR
    return {1: tags.BLACK_IS_ZERO, 2: tags.BLACK_IS_ZERO, 3: tags.RGB, 4: tags.CMYK}[samples]


def _whole(files: list[bytes], rows: list[int], width: int, layout: Layout, *more: object) -> np.ndarray:
    """Decompress strips with `_by_libtiff`, and refuse truncated ones.

    Raises:
        EOFError: if one is truncated.
    """
    checksum = None
    for kind in range(2):
        pixels = None  # frees memory before the second pass
        pixels = _by_libtiff([with_more(file, layout, kind) for file in files], rows, width, layout, *more)
        previous, checksum = checksum, zlib.crc32(pixels)
    if checksum != previous:
        raise EOFError
    return pixels


def _by_libtiff(
    files: list[bytes],
    rows: list[int],
    width: int,
    layout: Layout,
    samples: int,
    photometric: int,
    tables: bytes | None = None,
) -> np.ndarray:
    """Decompress strips of `width` x `rows` pixels to uint8 [sum of rows, width, samples]."""
    entries = {
        tags.WIDTH: [width],
        tags.HEIGHT: [sum(rows)],
        tags.BITS: [1 if layout.compression in tags.BILEVEL else 8] * samples,
        tags.COMPRESSION: [layout.compression],
        tags.PHOTOMETRIC: [photometric],
        tags.FILL_ORDER: [2 if layout.reversed_bits else 1],
        tags.SAMPLES: [samples],
        tags.ROWS_PER_STRIP: [max(rows)],
        tags.STRIP_OFFSETS: [0] * len(files),
        tags.STRIP_BYTES: [len(file) for file in files],
    }
    if samples == 2:
        entries[tags.EXTRA_SAMPLES] = [tags.UNASSOCIATED]
    if photometric == tags.YCBCR:
        entries[tags.YCBCR_SUBSAMPLING] = list(layout.chroma)
    if layout.compression in (tags.FAX3, tags.FAX4):
        entries[tags.FAX3_OPTIONS if layout.compression == tags.FAX3 else tags.FAX4_OPTIONS] = [layout.fax_options]
    with TiffImagePlugin.TiffImageFile(BytesIO(_small_tiff(entries, files, tables))) as image:
        image.load()
        result = np.empty((image.height, image.width, samples), np.uint8)
        step = max(1, _GROUP_BYTES // (image.width * samples))  # in parts, to limit the memory of copies
        for top in range(0, image.height, step):
            part = np.asarray(image.crop((0, top, image.width, min(top + step, image.height))))
            result[top : top + step] = part if samples > 1 else part[..., None]
    return result


def _small_tiff(entries: dict[int, list[int]], strips: list[bytes], tables: bytes | None) -> bytes:
    """Create a little-endian TIFF with these strips and tags."""
    count = len(entries) + (tables is not None)
    end = 8 + 2 + 12 * count + 4
    lists, after = {}, end
    for tag, values in entries.items():
        if len(values) > 1:
            lists[tag], after = after, after + 4 * len(values)
    at_tables, after = after, after + len(tables or b"")
    offsets = []
    for strip in strips:
        offsets.append(after)
        after += len(strip)
    entries = {**entries, tags.STRIP_OFFSETS: offsets}
    listed = [(tag, 4, len(values), lists.get(tag, values[0])) for tag, values in entries.items()]
    if tables is not None:
        listed.append((tags.JPEG_TABLES, 7, len(tables), at_tables))
    head = b"II*\0" + struct.pack("<IH", 8, count) + b"".join(struct.pack("<HHII", *entry) for entry in sorted(listed))
    values = b"".join(struct.pack(f"<{len(entries[tag])}I", *entries[tag]) for tag in lists)
    return b"".join([head, bytes(4), values, tables or b"", *strips])


def _unpacked(packed: np.ndarray, layout: Layout, order: str, samples: int) -> np.ndarray:
    """Convert rows of bytes to samples [rows, columns, samples], and undo the predictor."""
    rows, columns, size = len(packed), layout.segment[0], layout.bits // 8
    if layout.bits % 8:
        return _from_bits(packed, layout, columns * samples).reshape(rows, columns, samples)
    if layout.differences == 3:
        numbers = packed.reshape(rows, -1, samples).cumsum(axis=1, dtype=np.uint8)
        planes = numbers.reshape(rows, size, columns * samples)  # the most significant bytes of a row come first
        numbers = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(layout.dtype.newbyteorder(">"))
        return numbers.reshape(rows, columns, samples)
    numbers = np.ascontiguousarray(packed).view(layout.dtype.newbyteorder(order)).reshape(rows, columns, samples)
    if layout.differences == 2:
        whole = np.dtype(f"u{size}")
        numbers = numbers.astype(layout.dtype).view(whole).cumsum(axis=1, dtype=whole).view(layout.dtype)
    return numbers


def _from_bits(packed: np.ndarray, layout: Layout, count: int) -> np.ndarray:
    """Unpack samples [rows, count] with a bit depth that is not a multiple of 8."""
    result = np.zeros((len(packed), count), layout.dtype)
    step = max(1, _GROUP_BYTES // (8 * layout.row_bytes))  # unpacked bits take a byte each
    for top in range(0, len(packed), step):
        bits = np.unpackbits(packed[top : top + step], axis=1)[:, : count * layout.bits]
        bits = bits.reshape(len(bits), count, layout.bits)
        for place in range(layout.bits):
            result[top : top + step] = result[top : top + step] << 1 | bits[..., place]
    return result


def _full_chroma(packed: np.ndarray, layout: Layout) -> np.ndarray:
    """Expand subsampled YCbCr, [groups of rows, bytes], to one chroma sample per pixel, [rows, columns, 3]."""
    across, down = layout.subsampling
    units = packed.reshape(len(packed), -1, across * down + 2)
    luma = units[..., :-2].reshape(*units.shape[:2], down, across).transpose(0, 2, 1, 3)
    luma = luma.reshape(len(units) * down, -1)
    chroma = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return np.dstack([luma, chroma])
