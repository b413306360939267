"""Questions to check oneself with, whose answers follow from the visitor's own image and model."""

from .attention import about_attention
from .question import Option, Question
from .sequence import about_sequence

__all__ = ["Option", "Question", "about_attention", "about_sequence"]
