"""Linear heads: classifiers on a feature of a model, and their files."""

from .head_file import head_bytes, open_head, read_head
from .linear_head import LinearHead, attached, preprocessing_of, with_pooling
from .names import checked_labels, checked_name, name_of_file
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
