"""Layout of the samples of a TIFF image, from its tags; kinds that are not supported are refused."""

import math
from dataclasses import dataclass

import numpy as np

from ....errors import ImageError
from ...directories import Directory
from ...limits import MAX_PIXELS, TOO_LARGE, check_sides
from . import tags

_MAX_BYTES = 4 * MAX_PIXELS  # of the samples of one image
_MAX_SEGMENTS = 300_000
_MAX_JPEG_SEGMENTS = 20_000  # each is decoded separately


class UnreadableKindError(ImageError):
    """Valid TIFF of a kind that is not supported."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Layout of one image: its size, samples, and the positions of its segments (strips or tiles)."""

    width: int
    height: int
    samples: int  # per pixel
    bits: int  # per sample
    form: int  # sample format: tags.UNSIGNED, SIGNED or FLOAT
    photometric: int
    compression: int
    predictor: int
    reversed_bits: bool
    planes: int  # 1, or the number of samples if each has its own segments
    segment: tuple[int, int]  # width and height of a segment, in pixels
    tiled: bool
    chroma: tuple[int, int]  # luma samples per chroma sample, across and down, for YCbCr
    fax_options: int
    offsets: np.ndarray  # of the segments: left to right, top to bottom, plane by plane
    sizes: np.ndarray | None  # of the segments in bytes, if stated

    @property
    def across(self) -> int:
        """Number of segments side by side."""
        return math.ceil(self.width / self.segment[0])

    @property
    def down(self) -> int:
        """Number of segments from top to bottom."""
        return math.ceil(self.height / self.segment[1])

    def rows(self, down: int) -> int:
        """Return the number of pixel rows of a segment; the last strip can have fewer, the last tile cannot."""
        left = self.height - down * self.segment[1]
        return self.segment[1] if self.tiled else min(self.segment[1], left)

    @property
    def subsampling(self) -> tuple[int, int]:
        """Chroma subsampling to undo; (1, 1) for JPEG, whose decoder does it."""
        plain = self.photometric == tags.YCBCR and self.compression != tags.JPEG
        return self.chroma if plain else (1, 1)

    @property
    def differences(self) -> int:
        """Predictor to undo; 1 for none."""
        return self.predictor if self.compression in tags.PREDICTED else 1

    @property
    def row_bytes(self) -> int:
        """Bytes per row of a segment; with chroma subsampling, per group of rows that share chroma samples."""
        across, down = self.subsampling
        if across * down > 1:
            return math.ceil(self.segment[0] / across) * (across * down + 2)
        return math.ceil(self.segment[0] * (self.samples if self.planes == 1 else 1) * self.bits / 8)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of a sample in memory."""
        if self.bits % 8:
            return np.dtype(np.uint8 if self.bits < 8 else np.uint16 if self.bits < 16 else np.uint32)
        return np.dtype({tags.UNSIGNED: "u", tags.SIGNED: "i", tags.FLOAT: "f"}[self.form] + str(self.bits // 8))


def layout_of(directory: Directory) -> Layout:
    """Read and check the tags of an image, before decoding.

    Raises:
        UnreadableKindError: if the image is valid but not supported.
        ImageError: if it is too large.
    """
    width, height = directory.number(tags.WIDTH, 0), directory.number(tags.HEIGHT, 0)
    tiled = tags.TILE_WIDTH in directory.values
    segment = directory.number(tags.TILE_WIDTH, 0), directory.number(tags.TILE_HEIGHT, 0)
    if not tiled:
        segment = width, min(directory.number(tags.ROWS_PER_STRIP, height), height) or height
    if segment[0] * segment[1] > MAX_PIXELS:  # tiles of a tiny file can claim gigabytes
        raise ImageError(TOO_LARGE)
    if min(width, height, *segment) < 1:
        raise ValueError("no size")
    check_sides(width, height)
    samples = directory.number(tags.SAMPLES, 1)
    planes = samples if directory.number(tags.PLANAR, 1) == 2 else 1
    compression = directory.number(tags.COMPRESSION, tags.NONE)
    photometric = directory.number(tags.PHOTOMETRIC, tags.RGB if samples > 2 else tags.BLACK_IS_ZERO)
    _check_meaning(photometric, compression, samples, directory)
    layout = Layout(
        width=width,
        height=height,
        samples=samples,
        bits=directory.number(tags.BITS, 1),
        form=_form(directory),
        photometric=photometric,
        compression=compression,
        predictor=directory.number(tags.PREDICTOR, 1),
        reversed_bits=directory.number(tags.FILL_ORDER, 1) == 2,
        planes=planes,
        segment=segment,
        tiled=tiled,
        chroma=tuple(directory.numbers(tags.YCBCR_SUBSAMPLING, (2, 2))[:2]),
        fax_options=directory.number(tags.FAX4_OPTIONS if compression == tags.FAX4 else tags.FAX3_OPTIONS, 0),
        offsets=_segments(directory, tags.TILE_OFFSETS, tags.STRIP_OFFSETS),
        sizes=_segments(directory, tags.TILE_BYTES, tags.STRIP_BYTES),
    )
    _check_samples(layout)
    count = layout.across * layout.down * planes
    if count > (_MAX_JPEG_SEGMENTS if compression == tags.JPEG else _MAX_SEGMENTS):
        raise ValueError("too many segments")
    if len(layout.offsets) < count or (layout.sizes is not None and len(layout.sizes) < count):
        raise ValueError("segments are missing")
    rows = layout.down * segment[1] if tiled else height
    stored = layout.row_bytes * rows * layout.across * planes
    if max(stored, width * height * samples * layout.dtype.itemsize) > _MAX_BYTES:
        raise ImageError(f"This TIFF takes more than {_MAX_BYTES // 1_000_000} MB of memory; reduce its size.")
    return layout


def _segments(directory: Directory, tile_tag: int, strip_tag: int) -> np.ndarray | None:
    values = directory.values.get(tile_tag, directory.values.get(strip_tag))
    if values is None and tile_tag == tags.TILE_OFFSETS:
        raise ValueError("no pixels")
    return values


def _form(directory: Directory) -> int:
    """Sample format, which must be real numbers and the same for all samples."""
    bits, forms = directory.numbers(tags.BITS, (1,)), directory.numbers(tags.SAMPLE_FORMAT, (tags.UNSIGNED,))
    if len(set(bits)) > 1 or len(set(forms)) > 1:
        raise _refusal("has samples of different formats", "samples of one format")
    form = tags.UNSIGNED if forms[0] == 4 else forms[0]  # 4 is "undefined"
    usual = {tags.UNSIGNED: (*range(1, 17), 32, 64), tags.SIGNED: (8, 16, 32, 64), tags.FLOAT: (16, 32, 64)}
    if form not in usual:
        raise _refusal("has complex samples", "their magnitude, at 8 bits per sample")
    if bits[0] not in usual[form]:
        what = {tags.UNSIGNED: "bits", tags.SIGNED: "signed bits", tags.FLOAT: "bits of floating point"}[form]
        raise _refusal(f"has {bits[0]} {what} per sample", "8 or 16 bits per sample")
    return form


def _check_meaning(photometric: int, compression: int, samples: int, directory: Directory) -> None:
    """Refuse unsupported colour spaces and compressions, and bands that do not form an image."""
    if photometric not in tags.COLOURS:
        what = tags.OTHER_PHOTOMETRICS.get(photometric, f"an unknown colour space ({photometric})")
        raise _refusal(f"contains {what}", "RGB colours")
    if compression not in (tags.NONE, *tags.BYTES, *tags.BILEVEL, tags.JPEG):
        name = tags.OTHER_COMPRESSIONS.get(compression, f"an unknown method ({compression})")
        raise _refusal(f"is compressed with {name}", "LZW, deflate or no compression")
    colours = tags.COLOURS[photometric]
    if samples < colours:
        raise ValueError("samples are missing")
    unknown = [kind for kind in directory.numbers(tags.EXTRA_SAMPLES, ()) if kind not in (1, 2)]
    if colours == 1 and samples > 2 and (len(unknown) > 1 or tags.EXTRA_SAMPLES not in directory.values):
        raise _refusal(f"contains {samples} bands rather than an image", "three of them as red, green and blue")
    if photometric == tags.CMYK and directory.number(tags.INK_SET, 1) != 1:
        raise _refusal("contains inks other than CMYK", "RGB or CMYK")


def _check_samples(layout: Layout) -> None:
    """Refuse combinations that the specification forbids, or that no software writes."""
    subsampled = layout.subsampling != (1, 1)
    if layout.photometric == tags.PALETTE and layout.bits > 16:
        raise ValueError("a palette of more than 16 bits")
    if layout.photometric in (tags.PALETTE, tags.CMYK) and layout.form != tags.UNSIGNED:
        raise _refusal("has signed or floating-point colours", "RGB at 8 bits per sample")
    if layout.photometric in (tags.YCBCR,) and (layout.bits != 8 or layout.form != tags.UNSIGNED):
        raise _refusal(f"has YCbCr colours of {layout.bits} bits per sample", "RGB at 8 bits per sample")
    if layout.photometric in (tags.CIELAB, tags.ICCLAB) and (layout.bits not in (8, 16) or layout.form == tags.FLOAT):
        raise _refusal(f"has Lab colours of {layout.bits} bits per sample", "RGB at 8 or 16 bits per sample")
    if subsampled and (layout.planes > 1 or layout.samples != 3 or not {*layout.subsampling} <= {1, 2, 4}):
        raise _refusal("has an unusual chroma layout", "RGB")
    if layout.compression in tags.BILEVEL and (layout.bits != 1 or (layout.samples > 1 and layout.planes == 1)):
        raise ValueError("fax compression of more than one bit")
    if layout.compression == tags.JPEG:
        if layout.bits != 8:
            raise _refusal(f"contains JPEG of {layout.bits} bits per sample", "8 bits per sample")
        if layout.planes == 1 and layout.samples > 4:
            raise _refusal(f"contains JPEG of {layout.samples} samples per pixel", "LZW, deflate or no compression")
    elif layout.differences != 1:
        fits = {2: layout.bits in (8, 16, 32, 64) and not subsampled, 3: layout.form == tags.FLOAT}
        if not fits.get(layout.differences, False):
            raise _refusal("has a predictor that does not fit its samples", "no predictor")


def _refusal(what: str, instead: str) -> UnreadableKindError:
    return UnreadableKindError(f"This TIFF {what}, which is not supported; save it with {instead}.")
