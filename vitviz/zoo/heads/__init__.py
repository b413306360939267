"""Linear heads: classifiers on a feature of a model, and their files."""

from .held_heads import base_of, check_head, held, hold, with_held_head
from .linear_head import LinearHead, attached, head_bytes, preprocessing_of, with_pooling
from .names import checked_labels, checked_name, name_of_file
from .saved import open_head, read_head
from .thumbnails import thumbnail

__all__ = [
    "LinearHead",
    "attached",
    "base_of",
    "check_head",
    "checked_labels",
    "checked_name",
    "head_bytes",
    "held",
    "hold",
    "name_of_file",
    "open_head",
    "preprocessing_of",
    "read_head",
    "thumbnail",
    "with_held_head",
    "with_pooling",
]
