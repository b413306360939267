"""Checkpoints that a server offers to its visitors: those in the folder VITVIZ_CHECKPOINT_DIR, and no others."""

import os
from pathlib import Path

from ..errors import ModelError
from ..model import VisionTransformer
from .checkpoint import SUFFIXES
from .restore import load_checkpoint

VARIABLE = "VITVIZ_CHECKPOINT_DIR"


def checkpoints() -> tuple[str, ...]:
    """The checkpoints on offer, as paths relative to the folder with `/` between their parts; () if it is not set.

    Hidden files are left out, and so is whatever a symbolic link leads out of the folder to.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return ()
    root = Path(folder).resolve()
    return tuple(sorted(name for path in root.rglob("*") if (name := _offered_name(path, root))))


def load_offered(name: str) -> VisionTransformer:
    """Load one of `checkpoints()`.

    Raises:
        ModelError: if it is not one of them, or cannot be loaded.
    """
    if name not in checkpoints():
        raise ModelError(f"No checkpoint {name!r} is on offer here; choose one of the list.")
    return load_checkpoint(Path(os.environ[VARIABLE]).resolve() / name)


def _offered_name(path: Path, root: Path) -> str:
    relative = path.relative_to(root)
    hidden = any(part.startswith(".") for part in relative.parts)
    if hidden or path.suffix not in SUFFIXES or not path.is_file() or not path.resolve().is_relative_to(root):
        return ""
    return relative.as_posix()
