"""End of a run: exit codes, and messages for errors that end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import VitvizError
from .console import refuse
from .interruption import sigterm_as_interrupt

FINE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130  # exit codes


class Counted(Protocol):
    """Progress of a run: numbers of images done and of all images."""

    done: int
    count: int


@dataclass
class Ending:
    """End of a run.

    Attributes:
        code: exit code.
        console: progress of the run, such as its console; None until the first image.
    """

    code: int = FINE
    console: Counted | None = None


@contextmanager
def fatal_errors_reported(
    out: str | Path, as_json: bool, if_interrupted: str, *, if_not_begun: str = ""
) -> Iterator[Ending]:
    """Report an error that ends a run, and set the exit code, in place of raising it.

    Args:
        out: output file or folder, for errors of the system that name no file.
        as_json: True to print JSON lines.
        if_interrupted: state of the output files after an interruption.
        if_not_begun: the same for an interruption before the first image; empty for no state.
    """
    ending = Ending()
    with sigterm_as_interrupt():
        try:
            yield ending
        except BrokenPipeError:  # Typer exits without a message
            raise
        except KeyboardInterrupt:
            ending.code, console = INTERRUPTED, ending.console
            done = f" after {console.done} of {console.count} images" if console else ""
            state = if_interrupted if console else if_not_begun
            refuse(f"Interrupted{done}{state and f'; {state}'}.", as_json)
        except VitvizError as error:
            ending.code = BAD_INPUT
            refuse(str(error), as_json)
        except OSError as error:
            ending.code = BAD_INPUT
            refuse(f"{error.filename or out}: {error.strerror or error}", as_json)
