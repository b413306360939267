"""Self-test questions whose answers follow from the user's image and model."""

from .attention import attention_questions
from .question import Option, Question
from .sequence import sequence_questions

__all__ = ["Option", "Question", "attention_questions", "sequence_questions"]
