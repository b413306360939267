"""AVIF, through Pillow."""

from io import BytesIO

from PIL import Image, features

from ...errors import ImageError
from ..exif import orientation
from ..limits import MAX_PIXELS, TOO_LARGE, check_sides
from ..pixels import SafeImage, to_rgb, upright
from .av1 import pixels_in_streams
from .heif import check_stated_sizes, without_exif


def read(data: bytes) -> SafeImage:
    """Read the bytes of an AVIF; of a sequence the first picture, of a grid the whole one.

    Raises:
        ImageError: if this installation of Pillow has no decoder for it.
    """
    if not features.check("avif"):
        raise ImageError(
            "AVIF files cannot be read by this installation of Pillow; install Pillow 11.3 or newer from PyPI, or save "
            "the image as JPEG or PNG."
        )
    check_stated_sizes(data)
    # Without EXIF the orientation that Pillow tells is that of the container, the only one that browsers apply.
    with Image.open(BytesIO(without_exif(data)), formats=("AVIF",)) as image:
        check_sides(*image.size)
        if pixels_in_streams(data) > MAX_PIXELS:
            raise ImageError(TOO_LARGE)
        image.load()
        notes = ("This AVIF is animated; only its first frame is used.",) if image.is_animated else ()
        rgb, _ = to_rgb(image)
        return SafeImage(upright(rgb, orientation(image.info.get("exif", b""))), notes)
