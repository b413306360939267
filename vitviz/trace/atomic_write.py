"""Atomic writing of files."""

import os
import threading
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file atomically: the complete content or nothing, even if interrupted.

    Raises:
        OSError: if the file cannot be written; it names this file and not the temporary one.
        ValueError: if the file name is invalid.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)
