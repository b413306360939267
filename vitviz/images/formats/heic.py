"""Reader of HEIC files, with the optional package pillow-heif."""

from PIL import Image

from ...errors import ImageError
from ..limits import MAX_PIXELS, TOO_LARGE, check_sides
from ..pixels import SafeImage, to_rgb
from .heif import check_stated_sizes, without_exif

try:
    import _pillow_heif  # noqa: F401 - the decoder; pillow_heif reports its absence only on use
    import pillow_heif
except ImportError:  # optional, because its wheels contain GPL code
    pillow_heif = None


def read(data: bytes) -> SafeImage:
    """Read the primary image of a HEIC file, with the rotation and mirroring of its container.

    Raises:
        ImageError: if pillow-heif is not installed.
    """
    if pillow_heif is None:
        raise ImageError("HEIC files require the package pillow-heif; install it, or save the image as JPEG or PNG.")
    check_stated_sizes(data)
    file = pillow_heif.HeifFile(without_exif(data), convert_hdr_to_8bit=True)
    image = file[file.primary_index]
    check_sides(*image.size)
    tiling = image.info.get("tiling") or {}
    if tiling and _pixels_in_tiles(tiling) > 2 * MAX_PIXELS:  # tiles extend a little beyond the image
        raise ImageError(TOO_LARGE)
    pixels = image.data
    check_sides(*image.size)
    decoded = Image.frombytes(image.mode, image.size, bytes(pixels), "raw", image.mode, image.stride)
    rgb, _ = to_rgb(decoded)
    notes = ("This HEIC file contains several images; only the main one is used.",) if len(file) > 1 else ()
    return SafeImage(rgb, notes)


def _pixels_in_tiles(tiling: dict[str, int]) -> int:
    return tiling["num_columns"] * tiling["num_rows"] * tiling["tile_width"] * tiling["tile_height"]
