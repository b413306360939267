"""Read the orientation of an image from its EXIF data.

An orientation in XMP is ignored, as in browsers; Pillow's `getexif` would use it.
"""

import numpy as np

from .directories import Directories

_ORIENTATION = 0x0112


def orientation(exif: bytes) -> int:
    """Return the orientation in EXIF data, from 1 to 8; 1 if it is missing or the data are invalid."""
    try:
        tags = Directories(exif.removeprefix(b"Exif\0\0"), [_ORIENTATION])
        first = tags.read(tags.first)
        values = first.values.get(_ORIENTATION) if first else None
    except ValueError:  # invalid EXIF data do not make the image invalid
        return 1
    usable = values is not None and len(values) == 1 and np.issubdtype(values.dtype, np.integer)
    return int(values[0]) if usable and 1 <= values[0] <= 8 else 1
