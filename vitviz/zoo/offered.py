"""Checkpoints that a server offers to its visitors: those in the folder VITVIZ_CHECKPOINT_DIR, and no others."""

import os
from pathlib import Path

from ..errors import ModelError
from ..errors.arguments import shown, typed
from ..trace.vision_transformer import VisionTransformer
from .folders import SUFFIXES
from .restore import load_checkpoint
from .sidecar import stamp

VARIABLE = "VITVIZ_CHECKPOINT_DIR"
_NAMED = 8  # checkpoints that a refusal names


# What training runs leave beside their weights, under suffixes that weights have too.
_NO_WEIGHTS = ("optimizer", "scheduler", "rng_state", "training_args", "scaler", "trainer_state")


def checkpoints() -> tuple[str, ...]:
    """The checkpoints on offer, as paths relative to the folder with `/` between their parts; () if it is not set.

    Hidden files are left out, the state of optimisers and the like, names that are no text, and whatever a symbolic
    link leads to outside the folder. The whole folder is read each time; `is_offered` looks at one file.
    """
    root = _root()
    if root is None:
        return ()
    return tuple(sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if _is_offered(path, root)))


@typed
def is_offered(name: str) -> bool:
    """Whether this is one of `checkpoints()`."""
    root = _root()
    try:
        path = None if root is None else root / name
        return path is not None and path.relative_to(root).as_posix() == name and _is_offered(path, root)
    except (OSError, ValueError):  # no file can have such a name
        return False


@typed
def load_offered(name: str) -> VisionTransformer:
    """Load one of `checkpoints()`.

    Raises:
        ModelError: if it is not one of them, or cannot be loaded.
    """
    if not is_offered(name):
        raise not_offered(shown(name))
    return load_checkpoint(_root() / name)


def not_offered(shown_name: str) -> ModelError:
    """The refusal of a checkpoint that is none of `checkpoints()`, with those that are."""
    names = checkpoints()
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    offered = f"there {'is' if len(names) == 1 else 'are'} {', '.join(map(repr, names[:_NAMED]))}{more}"
    return ModelError(f"No checkpoint {shown_name} is on offer here; {offered if names else 'choose another model'}.")


@typed
def version(name: str) -> str:
    """Version of an offered checkpoint and of the files beside it that describe it; "" for all other names."""
    if not is_offered(name):
        return ""
    file = _root() / name
    found = file.stat()
    return f"{found.st_mtime_ns}-{found.st_size}-{stamp(file)}"


def _root() -> Path | None:
    folder = os.environ.get(VARIABLE)
    return Path(folder).resolve() if folder and os.path.isdir(folder) else None  # which never raises


def _is_offered(path: Path, root: Path) -> bool:
    relative = path.relative_to(root)
    if path.suffix not in SUFFIXES or any(part.startswith(".") for part in relative.parts):
        return False
    if not str(relative).isprintable():  # no text that a page or a link could hold
        return False
    is_weights = not path.name.startswith(_NO_WEIGHTS)
    return is_weights and path.is_file() and path.resolve().is_relative_to(root)
