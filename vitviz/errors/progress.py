"""Progress callbacks of slow functions, which can also stop them."""

from collections.abc import Callable

Progress = Callable[[int, int], object]  # (done, total); total is 0 if unknown; an exception stops the function


def silent(done: int, total: int) -> None:
    """Ignore the progress."""
