"""The one way in which slow functions report how far they are, and in which they are stopped."""

from collections.abc import Callable

Progress = Callable[[int, int], object]  # (done, total); total 0: not known yet. What it raises stops the function


def silent(done: int, total: int) -> None:
    """Ignore a report."""
