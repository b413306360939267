"""From the bytes of an image to the pixels a model sees, and from each patch back to the original pixels.

    prepared = prepare(read_image("cat.jpg"), size=224, patch=14)  # what the model sees, uint8 [224, 224, 3]
    prepared.geometry.patch_box(row=0, col=3)                      # where that patch lies on the original photo

Reading trusts nothing: the first bytes choose one decoder (no other is tried), the header's size is checked before
anything is decoded, and whatever a decoder raises becomes an `ImageError`. Colour profiles are ignored, as in training.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from numbers import Integral
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from .errors import ImageError

FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF")
FITS = ("crop", "squash", "pad", "native")
MAX_PIXELS = 64_000_000
MAX_ASPECT = 20
MIN_SIDE = 8

Box = tuple[float, float, float, float]  # left, top, right, bottom
PixelBox = tuple[int, int, int, int]

# How files begin: first the formats that work, then those that people try and that deserve an answer by name.
_SIGNATURES = {
    "JPEG": rb"\xff\xd8",
    "PNG": rb"\x89PNG",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "SVG": rb"(?:\xef\xbb\xbf)?\s*<(?:svg|[?!].*<svg)",
    "AVIF": rb"....ftypavi[fs]",
    "HEIC": rb"....ftyp(?:he[iv]|mif1|msf1)",
    "PDF": rb".{0,1024}%PDF-",
}
_PNG_END = b"\0\0\0\0IEND\xaeB\x60\x82"
_TURNS = ["FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"]
_UPRIGHT = {orientation: Image.Transpose[turn] for orientation, turn in enumerate(_TURNS, start=2)}  # undoes EXIF's

_IN_WORDS = ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
_TOO_LARGE = f"This image has more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller and try again."


@dataclass(frozen=True)
class SafeImage:
    """An image that is safe to use: decoded, upright, 8-bit, of reasonable size."""

    rgb: Image.Image  # mode "RGB"
    notes: tuple[str, ...] = ()  # plain sentences on what was done that a person may want to know


@dataclass(frozen=True)
class Preprocessing:
    """How a model wants its pixels; the default is ImageNet's. Raises ImageError for values that make no sense."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # per channel, for pixel values from 0 to 1
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"  # or bilinear, nearest, lanczos, box, hamming, as in Pillow
    crop_fraction: float = 1.0  # timm's crop_pct, 0.1 to 2: how much of the resized photo's shorter side a crop keeps
    fit: str = "crop"  # how photos that are not square were made to fit when the model was trained, one of FITS

    def __post_init__(self) -> None:
        if self.interpolation.upper() not in Image.Resampling.__members__:
            names = ", ".join(Image.Resampling.__members__).lower()
            raise ImageError(f"There is no interpolation {self.interpolation!r}; choose one of {names}.")
        if not 0.1 <= self.crop_fraction <= 2:
            raise ImageError(f"A crop fraction of {self.crop_fraction} is not possible; give one from 0.1 to 2.")
        if self.fit not in FITS:
            raise ImageError(f"There is no fit {self.fit!r}; choose one of {', '.join(FITS)}.")


IMAGENET = Preprocessing()


@dataclass(frozen=True)
class Geometry:
    """Where the model's pixels and patches lie on the original image. Boxes are (left, top, right, bottom)."""

    original: tuple[int, int]  # width and height of the upright original, in pixels
    model: tuple[int, int]  # width and height of the model's input, in pixels
    patch: int  # side of a patch, in model pixels
    source: Box  # the rectangle of the original that `content` shows, in original pixels
    content: PixelBox  # where the photo is, in model pixels: everywhere, unless there is padding

    @property
    def grid(self) -> tuple[int, int]:
        """How many rows and columns of patches there are."""
        return self.model[1] // self.patch, self.model[0] // self.patch

    @property
    def padded(self) -> bool:
        """Whether some of the model's pixels do not show the photo."""
        return self.content != (0, 0, *self.model)

    def patch_box(self, row: int, col: int) -> Box | None:
        """Where a patch lies on the original, clipped to what shows the photo; None if no pixel of it does.

        Rows count from 0 at the top, columns from 0 at the left; negative ones from the other end.

        Raises:
            IndexError: if there is no such patch.
        """
        across, down = self._span(col, axis=0), self._span(row, axis=1)
        return _box(across, down) if across and down else None

    def is_padding(self, row: int, col: int) -> bool:
        """Whether no pixel of this patch shows the photo; rows and columns as in `patch_box`."""
        return self.patch_box(row, col) is None

    def padding_mask(self) -> np.ndarray:
        """Which patches are nothing but padding, bool [rows, cols]."""
        rows, cols = self.grid
        return np.array([[self.is_padding(row, col) for col in range(cols)] for row in range(rows)])

    def _span(self, index: int, axis: int) -> tuple[float, float] | None:
        """Where a column (axis 0) or row (axis 1) of patches starts and ends on the original; None if it is padding."""
        count, name = self.model[axis] // self.patch, ("column", "row")[axis]
        if not -count <= index < count:
            raise IndexError(f"There is no patch {name} {index}; {name}s go from {-count} to {count - 1}.")
        content_start, content_end = self.content[axis::2]
        source_start, source_end = self.source[axis::2]
        start = max(index % count * self.patch, content_start)
        end = min((index % count + 1) * self.patch, content_end)
        scale = (source_end - source_start) / (content_end - content_start)
        edges = (source_start + (edge - content_start) * scale for edge in (start, end))
        return tuple(min(edge, float(self.original[axis])) for edge in edges) if start < end else None


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a model sees of an image, before normalisation."""

    pixels: np.ndarray  # uint8 [H, W, 3], read-only
    geometry: Geometry  # the way back to the original pixels
    notes: tuple[str, ...] = ()  # those of the SafeImage

    def picture(self) -> Image.Image:
        """Return the pixels as people should see them: padding is hatched, so that nobody takes it for photo."""
        y, x, _ = np.indices(self.pixels.shape)
        hatch = np.where((x + y) % 8 < 4, np.uint8(240), np.uint8(176))
        left, top, right, bottom = self.geometry.content
        hatch[top:bottom, left:right] = self.pixels[top:bottom, left:right]
        return Image.fromarray(hatch)


def read_image(source: str | Path | bytes | Image.Image) -> SafeImage:
    """Read an image from anywhere, trusting nothing.

    Orientation is applied, transparency is laid on white, and every pixel format becomes 8-bit RGB: 16-bit grey keeps
    its full range, 32-bit grey is scaled as a note then says. Of several frames or pages only the first is used.

    Args:
        source: a path, the bytes of a file, or a PIL image (which is not changed).

    Raises:
        ImageError: if it cannot be used; the message is one sentence that says why and what to do.
    """
    if isinstance(source, Image.Image):
        with _plain_refusals("image"):
            return _as_safe(source)
    data = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else _read_file(source)
    kind = _format_of(data)
    with _plain_refusals(f"{kind} file"), Image.open(BytesIO(data), formats=(kind.upper(),)) as image:
        safe = _as_safe(image, _first_of_many(image, kind))
        if kind == "PNG" and _PNG_END not in data:
            raise EOFError  # Pillow is content with a PNG whose last bytes are missing
        return safe


def check_size(size: int, patch: int) -> None:
    """Refuse a side of an input, in pixels, that does not hold whole patches of this side.

    Raises:
        ImageError: if `size` is not a positive multiple of `patch`.
    """
    if not all(isinstance(side, Integral) and side > 0 for side in (size, patch)) or size % patch:
        raise ImageError(f"A size of {size} does not hold whole patches of {patch} pixels; use a multiple of {patch}.")


def prepare(
    image: SafeImage, size: int, patch: int, fit: str = "crop", preprocessing: Preprocessing = IMAGENET
) -> Prepared:
    """Bring an image to the size of a model's input.

    Args:
        image: what `read_image` returned.
        size: side of the model's input in pixels, a positive multiple of `patch`.
        patch: side of a patch in pixels.
        fit: how a photo that is not square fits.
            "crop": the shorter side is resized to `size / crop_fraction` and the centre is cut out: timm's evaluation
            transform, pixel for pixel (with a black border if the crop fraction is above 1, as a few models of timm
            have it). "squash": both sides are resized to `size`; if that is how the model was trained
            (`preprocessing.fit`), to `size / crop_fraction`, and the centre is cut out. "pad": the longer side is
            resized to `size` and the rest filled with the mean colour, which is zero after normalisation (to half a
            grey level). "native": the aspect ratio is kept, to whole patches, about as many as in a square of side
            `size`.
        preprocessing: the model's mean colour, interpolation and crop fraction.

    Raises:
        ImageError: if there is no such fit, or `size` is not a positive multiple of `patch`.
    """
    if fit not in FITS:
        raise ImageError(f"There is no fit {fit!r}; choose one of {', '.join(FITS)}.")
    check_size(size, patch)
    original = image.rgb.size
    resized = _resized(original, size, patch, fit, preprocessing)
    model = resized if fit == "native" else (size, size)
    (x, *across), (y, *down) = map(_placed, original, resized, model)
    canvas = Image.new("RGB", model, tuple(round(255 * value) for value in preprocessing.mean) if fit == "pad" else 0)
    canvas.paste(image.rgb.resize(resized, Image.Resampling[preprocessing.interpolation.upper()]), (x, y))
    pixels = np.array(canvas)
    pixels.flags.writeable = False
    return Prepared(pixels, Geometry(original, model, patch, *map(_box, across, down)), image.notes)


def normalise(pixels: np.ndarray, preprocessing: Preprocessing = IMAGENET) -> np.ndarray:
    """Turn pixels, uint8 [H, W, 3], into what enters the model, float32 [3, H, W]: (pixel / 255 - mean) / std."""
    mean, std = (np.float32(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    channels = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)  # [H, W, 3] -> [3, H, W]
    return (channels / np.float32(255) - mean) / std


def _read_file(path: str | Path) -> bytes:
    if not isinstance(path, str | PathLike):
        raise ImageError(f"An image cannot be read from a {type(path).__name__}; give a path, bytes or a PIL image.")
    try:
        if Path(path).is_dir():
            raise ImageError(f"{str(path)!r} is a folder; choose an image file in it.")
        if not Path(path).is_file():
            raise ImageError(f"There is no file {str(path)!r}; check its name.")
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"The file {str(path)!r} cannot be read; check its name and permissions.") from error


def _format_of(data: bytes) -> str:
    """Which of `FORMATS` a file has, by its first bytes; refuse the others."""
    if not data:
        raise ImageError("This file is empty; choose another one.")
    kind = next((kind for kind, start in _SIGNATURES.items() if re.match(start, data[:4096], re.DOTALL)), None)
    if kind is None:
        raise ImageError(f"This is not an image that can be read here; use {_IN_WORDS}.")
    if kind not in FORMATS:
        raise ImageError(f"{kind} files cannot be read here; save the image as {_IN_WORDS}.")
    return kind


@contextmanager
def _plain_refusals(what: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence; hostile bytes can make decoders raise nearly anything."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(_TOO_LARGE) from error
    except Exception as error:
        raise ImageError(f"This {what} is damaged or incomplete; download or save it again.") from error


def _first_of_many(image: Image.Image, kind: str) -> tuple[str, ...]:
    """Say so if the file holds more than its first picture. In a JPEG the others are previews that nobody misses."""
    if kind == "JPEG" or not getattr(image, "is_animated", False):
        return ()
    what, part = ("has several pages", "page") if kind == "TIFF" else ("is animated", "frame")
    return (f"This {kind} {what}; only its first {part} is used.",)


def _as_safe(image: Image.Image, notes: tuple[str, ...] = ()) -> SafeImage:
    _check_header(image)
    image.load()
    rgb, notes_on_colour = _to_rgb(image)
    with suppress(Exception):  # no EXIF data, upright already, or broken EXIF data: no reason to refuse a good photo
        rgb = rgb.transpose(_UPRIGHT[image.getexif()[ExifTags.Base.Orientation]])
    rgb.info = {}  # or the next reader would apply the orientation again
    return SafeImage(rgb, notes + notes_on_colour)


def _check_header(image: Image.Image) -> None:
    """Refuse an image by what its header says, before anything is decoded."""
    width, height = image.size
    # libtiff makes room for whole tiles, and a tiny TIFF may claim (tags TileWidth, TileLength) tiles of gigabytes.
    tile_pixels = math.prod(float(getattr(image, "tag_v2", {}).get(tag, 0)) for tag in (322, 323))
    if max(width * height, tile_pixels) > MAX_PIXELS:
        raise ImageError(_TOO_LARGE)
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"This image is {width} x {height} pixels; use one of at least {MIN_SIDE} x {MIN_SIDE}.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"This image is {width} x {height} pixels; crop it to at most {MAX_ASPECT}:1.")


def _to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Any of Pillow's pixel formats as 8-bit RGB, with notes if values had to be scaled."""
    if image.mode in ("I", "F"):
        return _from_32_bits(image)
    if image.mode.startswith("I;16"):
        return _from_16_bits(image), ()
    if not image.has_transparency_data:
        return image.convert("RGB"), ()
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    on_white = Image.new("RGB", image.size, "white")
    on_white.paste(rgba, mask=rgba)
    return on_white, ()


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Spread 16-bit grey over 0 to 255, where Pillow's own conversion clips it."""
    numbers = np.asarray(image)
    grey = np.rint(np.arange(65536) / 257).astype(np.uint8)[numbers]
    grey[numbers == image.info.get("transparency")] = 255
    return Image.fromarray(grey).convert("RGB")


def _from_32_bits(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Scale integers or floats, whose black and white no header tells; what is not a number becomes black."""
    numbers = np.array(image, dtype=np.float32)  # and in place below: of 64 megapixels each copy is a quarter gigabyte
    finite = np.isfinite(numbers)
    if not finite.any():
        raise ImageError("This image holds no finite number; save it with finite pixel values.")
    low = float(numbers.min(where=finite, initial=np.inf))
    high = float(numbers.max(where=finite, initial=-np.inf))
    # The usual scale (0 to 1, 8 bits, 16 bits) that holds all values; if none does, their own range.
    usual = ((0, white) for white in (1, 255, 65535) if low >= 0 and high <= white)
    black, white = next(usual, (low, high))
    np.nan_to_num(numbers, copy=False, nan=black)
    np.clip(numbers, black, white, out=numbers)
    span = white - black or 1
    numbers /= span  # before black is taken away: the difference of large numbers of both signs may not fit
    numbers -= black / span
    numbers *= 255
    note = f"Its values run from {low:g} to {high:g}; {black:g} is drawn black and {white:g} white."
    return Image.fromarray(np.rint(numbers, out=numbers).astype(np.uint8)).convert("RGB"), (note,)


def _resized(
    original: tuple[int, int], size: int, patch: int, fit: str, preprocessing: Preprocessing
) -> tuple[int, int]:
    """Width and height that the whole photo is resized to."""
    before_crop = max(1, math.floor(size / preprocessing.crop_fraction))  # as timm
    if fit == "squash":
        return (before_crop, before_crop) if preprocessing.fit == "squash" else (size, size)
    if fit == "pad":
        return tuple(max(1, round(side * size / max(original))) for side in original)
    width, height = original
    if fit == "native":
        patches, stretch = size / patch, math.sqrt(width / height)
        return tuple(max(1, round(count)) * patch for count in (patches * stretch, patches / stretch))
    long = int(before_crop * max(original) / min(original))  # as torchvision's Resize
    return (before_crop, long) if width <= height else (long, before_crop)


def _placed(original: int, resized: int, room: int) -> tuple[int, tuple[float, float], tuple[int, int]]:
    """Centre one side: where it starts (rounded as by torchvision's CenterCrop), and its part of source and content."""
    offset = (room - resized) // 2 if resized <= room else -round((resized - room) / 2)
    start, end = max(offset, 0), min(offset + resized, room)
    return offset, tuple((edge - offset) * original / resized for edge in (start, end)), (start, end)


def _box(across: tuple[float, float], down: tuple[float, float]) -> Box:
    return across[0], down[0], across[1], down[1]
