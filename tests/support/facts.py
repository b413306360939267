"""Check of the facts in a message: names, numbers and options, without the words around them."""

import re


def mentions(*facts: str | float) -> str:
    """Return a regular expression for a text that mentions all facts in this order, each as a word of its own."""
    return r"[\s\S]*?".join(_alone(str(fact)) for fact in facts)


def assert_mentions(text: str, *facts: str | float) -> None:
    """Check that a text mentions all facts in this order, each as a word of its own."""
    assert re.search(mentions(*facts), text), f"{facts} not in {text!r}, or not in this order"


def _alone(fact: str) -> str:
    before = r"(?<![\w.])" if fact[0].isdigit() else r"(?<!\w)" if fact[0].isalpha() else ""
    after = r"(?!\.?\w)" if fact[-1].isdigit() else r"(?!\w)" if fact[-1].isalpha() else ""
    return before + re.escape(fact) + after
