"""What a question is: several answers, one of them right, and for each other one what went wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...model.config import ViTConfig

MOST, FEWEST = 4, 3  # answers to choose from


@dataclass(frozen=True)
class Option:
    """One answer.

    Attributes:
        answer: the answer itself, such as `"785 tokens"` or `"66,049"`.
        explanation: why it is right; or which mistake leads to it, and how the right answer comes about.
        how: the sum that gives it, where that is shown with it: `"257 × 257"`.
        right: whether it is.
    """

    answer: str
    explanation: str
    how: str = ""
    right: bool = False

    @property
    def words(self) -> str:
        """What there is to choose."""
        return f"{self.how} = {self.answer}" if self.how else self.answer


@dataclass(frozen=True)
class Question:
    """A question with three or four answers, of which one is right.

    Attributes:
        text: what is asked; `{P}` in it is the letter P of the formulas.
        options: the answers, each with another `answer`.
    """

    text: str
    options: tuple[Option, ...]

    @property
    def words(self) -> str:
        """What is asked, as plain text."""
        return self.text.replace("{", "").replace("}", "")

    @property
    def right(self) -> Option:
        """The right answer."""
        return next(option for option in self.options if option.right)


def posed(text: str, right: Option, mistakes: Iterable[Option]) -> Question | None:
    """A question whose wrong answers are the first mistakes that give something else than the others and the right one.

    The order of the answers depends on nothing but the question, and is another one for other numbers.

    Args:
        text: what is asked.
        right: the right answer.
        mistakes: wrong ones, the most typical first.

    Returns:
        None if fewer than two mistakes give another answer.
    """
    options = {right.answer: right}
    for mistake in mistakes:
        if len(options) < MOST:
            options.setdefault(mistake.answer, mistake)
    if len(options) < FEWEST:
        return None
    return Question(text, tuple(sorted(options.values(), key=lambda option: _scatter(text + option.words))))


def product(*factors: int) -> tuple[str, str]:
    """A product as `Option` wants it, the sum and its result: `("6 × 257 × 257", "396,294")`; a factor 1 says nothing.

    The result is at least as good a name of the product as the sum: two sums with the same result are the same answer.
    """
    shown = [factor for factor in factors[:-2] if factor != 1] + list(factors[-2:])
    return " × ".join(f"{factor:,}" for factor in shown), f"{np.prod(factors, dtype=object):,}"


def in_front(config: ViTConfig) -> str:
    """The tokens before the patches: `"the class token and 4 registers"`; empty if there are none."""
    if config.pooling == "distilled":
        return "the class token and the distillation token"
    registers = f"{config.num_registers} register{'s' * (config.num_registers > 1)}" if config.num_registers else ""
    return " and ".join(filter(None, ["the class token" * config.class_token, registers]))


def decimal(value: float) -> str:
    """A score as it is told: `"−1.23"`."""
    return f"{value:.2f}".replace("-", "−").removeprefix("−" * (round(value, 2) == 0))


def _scatter(words: str) -> bytes:
    return hashlib.sha256(words.encode()).digest()  # unlike `hash`, the same in every process
