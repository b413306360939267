"""Linear heads: classifiers on a feature of a model, and their files."""

from .head_file import open_head, read_head
from .held_heads import base_of, check_head, held, hold, with_held_head
from .linear_head import LinearHead, attached, with_pooling

__all__ = [
    "LinearHead",
    "attached",
    "base_of",
    "check_head",
    "held",
    "hold",
    "open_head",
    "read_head",
    "with_held_head",
    "with_pooling",
]
