"""Reader of AVIF files, with Pillow."""

from io import BytesIO

from PIL import Image, features

from ...errors import ImageError
from ..exif import orientation
from ..limits import MAX_PIXELS, TOO_LARGE, check_sides
from ..pixels import SafeImage, to_rgb, upright
from .av1 import pixels_in_streams
from .heif import check_stated_sizes, without_exif


def read(data: bytes) -> SafeImage:
    """Read an AVIF file: the first image of a sequence, all of a grid.

    Raises:
        ImageError: if this installation of Pillow has no AVIF decoder.
    """
    if not features.check("avif"):
        raise ImageError(
            "This installation of Pillow cannot read AVIF files; install Pillow 11.3 or newer from PyPI, or save "
            "the image as JPEG or PNG."
        )
    check_stated_sizes(data)
    # Without EXIF data Pillow reports the orientation of the container, the only one that browsers apply.
    with Image.open(BytesIO(without_exif(data)), formats=("AVIF",)) as image:
        check_sides(*image.size)
        if pixels_in_streams(data) > MAX_PIXELS:
            raise ImageError(TOO_LARGE)
        image.load()
        notes = ("This AVIF is animated; only its first frame is used.",) if image.is_animated else ()
        rgb, _ = to_rgb(image)
        return SafeImage(upright(rgb, orientation(image.info.get("exif", b""))), notes)
