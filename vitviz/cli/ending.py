"""End of a run: exit codes, and messages for errors that end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import VitvizError
from .console import Console, refuse
from .interruption import sigterm_as_interrupt

FINE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130  # exit codes


@dataclass
class Ending:
    """End of a run.

    Attributes:
        code: exit code.
        console: console with the progress; None until the first image.
    """

    code: int = FINE
    console: Console | None = None


@contextmanager
def fatal_errors_reported(out: Path, as_json: bool, if_interrupted: str) -> Iterator[Ending]:
    """Report an error that ends a run, and set the exit code, in place of raising it.

    Args:
        out: output file or folder, for errors of the system that name no file.
        as_json: True to print JSON lines.
        if_interrupted: state of the output files after an interruption.
    """
    ending = Ending()
    with sigterm_as_interrupt():
        try:
            yield ending
        except BrokenPipeError:  # Typer exits without a message
            raise
        except KeyboardInterrupt:
            ending.code, console = INTERRUPTED, ending.console
            done = f" after {console.done} of {console.count} images; {if_interrupted}" if console else ""
            refuse(f"Interrupted{done}.", as_json)
        except VitvizError as error:
            ending.code = BAD_INPUT
            refuse(str(error), as_json)
        except OSError as error:
            ending.code = BAD_INPUT
            refuse(f"{error.filename or out}: {error.strerror or error}", as_json)
