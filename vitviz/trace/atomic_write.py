"""Atomic writing of files."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import VitvizError
from ..errors.arguments import shown_path


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Return a temporary path in a `with` block; what is written there gets its name at the end, or is removed.

    Raises:
        OSError: if the file cannot be written; it names this file and not the temporary one.
        ValueError: if the file name is invalid.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file atomically: the complete content or nothing, even if interrupted.

    Raises:
        OSError: if the file cannot be written; it names this file and not the temporary one.
        ValueError: if the file name is invalid.
    """
    with complete_file(path) as temporary:
        temporary.write_bytes(data)


def save_file(path: Path, data: bytes, what: str, error: type[VitvizError]) -> None:
    """Write a file atomically, for a user who has given its path.

    Args:
        path: path of the file.
        data: content of the file.
        what: name of the content, such as `"head"`, for the message.
        error: class of the error if the file cannot be written.

    Raises:
        VitvizError: of the class `error`, if the file cannot be written.
    """
    try:
        write_atomically(path, data)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error(
            f"The {what} cannot be written to {shown_path(path)} ({reason}); give the path of a file in a writable "
            "folder."
        ) from problem
