"""Orientation from EXIF data.

Orientation that stands only in XMP is left alone, as browsers do; Pillow's `getexif` would take it from there.
"""

import numpy as np

from .directories import Directories

_ORIENTATION = 0x0112


def orientation(exif: bytes) -> int:
    """Return the orientation, from 1 to 8, that EXIF data states; 1 if there is none, or it is broken."""
    try:
        tags = Directories(exif.removeprefix(b"Exif\0\0"), [_ORIENTATION])
        first = tags.read(tags.first)
        values = first.values.get(_ORIENTATION) if first else None
    except ValueError:  # no reason to refuse a good photo
        return 1
    usable = values is not None and len(values) == 1 and np.issubdtype(values.dtype, np.integer)
    return int(values[0]) if usable and 1 <= values[0] <= 8 else 1
