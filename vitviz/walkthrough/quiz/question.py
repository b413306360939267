"""Multiple-choice questions with a hint, and an explanation for every answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...model.config import ViTConfig

MOST, FEWEST = 4, 3  # number of options


@dataclass(frozen=True)
class Option:
    """Option of a question.

    Attributes:
        answer: the answer, such as `"785 tokens"` or `"66,049"`.
        explanation: reason why the answer is right, with the numbers of the image and the model; or the mistake that
            leads to a wrong answer, which does not give the right one away.
        expression: expression shown before the answer, such as `"257 × 257"`; or empty.
        right: whether the answer is right.
    """

    answer: str
    explanation: str
    expression: str = ""
    right: bool = False

    @property
    def label(self) -> str:
        """Text of the option on screen."""
        return f"{self.expression} = {self.answer}" if self.expression else self.answer


@dataclass(frozen=True)
class Question:
    """Question with three or four options, of which one is right.

    Attributes:
        name: identity of the question in its quiz, such as `"positions"`.
        text: text of the question; symbols of the formulas are in braces, such as `{P}`.
        hint: sentence that leads to the right answer without giving it away; for those who have answered wrongly.
        options: options with different answers.
    """

    name: str
    text: str
    hint: str
    options: tuple[Option, ...]

    @property
    def plain_text(self) -> str:
        """Text of the question without markup."""
        return self.text.replace("{", "").replace("}", "")

    @property
    def right(self) -> Option:
        """Right option."""
        return next(option for option in self.options if option.right)


def make_question(name: str, text: str, hint: str, right: Option, mistakes: Iterable[Option]) -> Question | None:
    """Return a question with the right option and the first mistakes that have different answers.

    The order of the options is pseudo-random and depends only on the question.

    Args:
        name: identity of the question in its quiz.
        text: text of the question.
        hint: hint for those who have answered wrongly.
        right: right option.
        mistakes: wrong options, the most typical first.

    Returns:
        The question, or None if fewer than two mistakes have different answers.
    """
    options = {right.answer: right}
    for mistake in mistakes:
        if len(options) < MOST:
            options.setdefault(mistake.answer, mistake)
    if len(options) < FEWEST:
        return None
    return Question(name, text, hint, tuple(sorted(options.values(), key=lambda option: _scatter(text + option.label))))


def product(*factors: int) -> tuple[str, str]:
    """Format a product as expression and answer of an `Option`, such as `("6 × 257 × 257", "396,294")`.

    Factors of 1 are omitted, except among the last two.
    """
    shown = [factor for factor in factors[:-2] if factor != 1] + list(factors[-2:])
    return " × ".join(f"{factor:,}" for factor in shown), f"{np.prod(factors, dtype=object):,}"


def prefix_label(config: ViTConfig) -> str:
    """Describe the prefix tokens, such as `"the class token and 4 registers"`; empty if there are none."""
    if config.pooling == "distilled":
        return "the class token and the distillation token"
    registers = f"{config.num_registers} register{'s' * (config.num_registers > 1)}" if config.num_registers else ""
    return " and ".join(filter(None, ["the class token" * config.class_token, registers]))


def decimal(value: float) -> str:
    """Format a score with two decimals: `"−1.23"`."""
    return f"{value:.2f}".replace("-", "−").removeprefix("−" * (round(value, 2) == 0))


def _scatter(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()  # unlike `hash`, the same in every process
