"""Pages to print: a user's results, and worksheets with answers. They need the library only, not a running app."""

from .class_set import ClassSet, answers_html, worksheets_html
from .page import handout
from .run import Run

__all__ = ["ClassSet", "Run", "answers_html", "handout", "worksheets_html"]
