"""Handout: a user's results on one page to print. It needs the library only, not a running app."""

from .page import handout
from .run import Run

__all__ = ["Run", "handout"]
