"""Reader of BMP files."""

from io import BytesIO

from PIL import Image

from ...errors import ImageError
from ..limits import check_sides
from ..pixels import SafeImage, to_rgb


def read(data: bytes) -> SafeImage:
    """Read a BMP file.

    Raises:
        ImageError: if Pillow does not support its kind.
    """
    try:
        with Image.open(BytesIO(data), formats=("BMP",)) as image:
            check_sides(*image.size)
            image.load()
    except OSError as error:
        if "nsupported BMP" not in str(error):
            raise
        message = "This BMP file is of an unsupported kind; save it as a standard BMP or PNG."
        raise ImageError(message) from error
    rgb, _ = to_rgb(image)
    return SafeImage(rgb)
