"""Files that are written whole or not at all."""

import os
import threading
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever finds half of it: not while it is written, and not after an interruption.

    Raises:
        OSError: if it cannot be written; it names this file, and not the one that was growing.
        ValueError: if no file can have this name.
    """
    growing = path.with_name(f".{path.name[:100]}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        growing.write_bytes(data)
        growing.replace(path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        growing.unlink(missing_ok=True)
