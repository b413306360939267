"""The handout: one visitor's run on one page to print. Made of what the library says, without a running app."""

from .page import handout
from .run import Run

__all__ = ["Run", "handout"]
