"""Read images, prepare them as the input of a model, and map patches back to the pixels of the original.

prepared = prepare(read_image("cat.jpg"), size=224, patch=14)  # what the model sees, uint8 [224, 224, 3]
prepared.geometry.patch_box(row=0, col=3)                      # where that patch lies on the original photo
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
