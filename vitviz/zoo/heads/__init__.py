"""Linear heads: classifiers on a feature of a model, and their files."""

from .head_file import open_head
from .linear_head import LinearHead, attached, with_pooling

__all__ = ["LinearHead", "attached", "open_head", "with_pooling"]
