"""Read images, prepare them as input of a model, and map patches back to the pixels of the original image.

prepared = prepare(read_image("cat.jpg"), size=224, patch=14)  # pixels of the input, uint8 [224, 224, 3]
prepared.geometry.patch_box(row=0, col=3)                      # box of a patch on the original image

`FORMATS` lists the file formats, `FITS` the fit modes.
"""

from .geometry import Geometry, Prepared, as_picture
from .preprocessing import FITS, IMAGENET, Preprocessing, Size, check_size, normalise, prepare
from .reading import FORMATS, SafeImage, read_image

__all__ = [
    "FITS",
    "FORMATS",
    "IMAGENET",
    "Geometry",
    "Prepared",
    "Preprocessing",
    "SafeImage",
    "Size",
    "as_picture",
    "check_size",
    "normalise",
    "prepare",
    "read_image",
]
