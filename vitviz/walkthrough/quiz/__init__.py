"""Self-test questions whose answers follow from the user's image and model."""

from .attention import attention_questions
from .question import Option, Question
from .sequence import sequence_questions
from .training import local_head_question

__all__ = ["Option", "Question", "attention_questions", "local_head_question", "sequence_questions"]
