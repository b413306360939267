"""Linear heads: classifiers on a feature of a model, and their files."""

from .linear_head import LinearHead, attached, head_bytes, preprocessing_of, with_pooling
from .names import checked_labels, checked_name, name_of_file
from .saved import open_head, read_head
from .thumbnails import thumbnail

__all__ = [
    "LinearHead",
    "attached",
    "checked_labels",
    "checked_name",
    "head_bytes",
    "name_of_file",
    "open_head",
    "preprocessing_of",
    "read_head",
    "thumbnail",
    "with_pooling",
]
