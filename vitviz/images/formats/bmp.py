"""BMP."""

from io import BytesIO

from PIL import Image

from ...errors import ImageError
from ..limits import check_sides
from ..pixels import SafeImage, to_rgb


def read(data: bytes) -> SafeImage:
    """Read the bytes of a BMP.

    Raises:
        ImageError: if it is of a kind that Pillow does not know.
    """
    try:
        with Image.open(BytesIO(data), formats=("BMP",)) as image:
            check_sides(*image.size)
            image.load()
    except OSError as error:
        if "nsupported BMP" not in str(error):
            raise
        message = "This BMP is of a rare kind that cannot be read here; save it as an ordinary BMP or PNG."
        raise ImageError(message) from error
    rgb, _ = to_rgb(image)
    return SafeImage(rgb)
