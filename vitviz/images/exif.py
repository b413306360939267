"""Read the orientation of an image from its EXIF data.

An orientation that is given only in XMP is ignored, as browsers ignore it; Pillow's `getexif` would use it.
"""

import numpy as np

from .directories import Directories

_ORIENTATION = 0x0112


def orientation(exif: bytes) -> int:
    """Return the orientation in EXIF data, from 1 to 8; 1 if there is none or the data are broken."""
    try:
        tags = Directories(exif.removeprefix(b"Exif\0\0"), [_ORIENTATION])
        first = tags.read(tags.first)
        values = first.values.get(_ORIENTATION) if first else None
    except ValueError:  # no reason to refuse a good photo
        return 1
    usable = values is not None and len(values) == 1 and np.issubdtype(values.dtype, np.integer)
    return int(values[0]) if usable and 1 <= values[0] <= 8 else 1
