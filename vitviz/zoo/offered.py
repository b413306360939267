"""Checkpoints that a server offers to its users: those in the folder VITVIZ_CHECKPOINT_DIR."""

import os
from pathlib import Path

from ..errors import ModelError
from ..errors.arguments import shown, typed
from ..notation import variables
from ..trace.vision_transformer import VisionTransformer
from .folders import FOLDER_FILES, SUFFIXES
from .heads import base_of
from .restore import load_checkpoint
from .series import NO_WEIGHTS, in_order, series_of
from .sidecar import version_of

_MAX_LISTED = 8  # checkpoints listed in an error message


def checkpoints() -> tuple[str, ...]:
    """List the offered checkpoints as paths relative to the folder, separated by `/`; () if no folder is set.

    Hidden files, training state such as that of optimisers, names with unprintable characters, and symbolic links to
    files outside the folder are left out. Each call reads the whole folder; `is_offered` reads a single file.
    """
    root = _root()
    if root is None:
        return ()
    return tuple(sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if _is_offered(path, root)))


@typed
def is_offered(name: str) -> bool:
    """Return whether this is one of `checkpoints()`."""
    root = _root()
    try:
        path = None if root is None else root / name
        return path is not None and path.relative_to(root).as_posix() == name and _is_offered(path, root)
    except (OSError, ValueError):  # not a valid file name
        return False


def offered_run(name: str) -> tuple[str, ...]:
    """Names of the offered checkpoints in the run of this one, in order; () if there are no others, see `series`.

    Reads the folder of the run only.
    """
    series = series_of(Path(name)) if is_offered(name) else ""
    if not series:
        return ()
    root, path = _root(), Path(name)
    alike = _alike(root, path)
    names = [one for one in alike if series_of(one) == series and _is_offered(root / one, root)]
    return tuple(one.as_posix() for one in in_order(names)) if len(names) > 1 else ()


def _alike(root: Path, path: Path) -> list[Path]:
    """Paths, relative to the root, that may belong to the run of a path."""
    if path.name in FOLDER_FILES:
        return [found.relative_to(root) / path.name for found in (root / path).parents[1].iterdir()]
    return [found.relative_to(root) for found in (root / path).parent.iterdir()]


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
    """Error for a name that is not one of `checkpoints()`; the message lists them."""
    names = checkpoints()
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    choices = f"choose {'one of ' if len(names) > 1 else ''}{', '.join(map(repr, names[:_MAX_LISTED]))}{more}"
    return ModelError(f"This server offers no checkpoint {shown_name}; {choices if names else 'choose another model'}.")


@typed
def version(name: str) -> str:
    """Version of an offered checkpoint, with or without the head of a user, including the files that describe it.

    Returns:
        The version; "" for all other names.
    """
    name = base_of(name)
    if not is_offered(name):
        return ""
    file = _root() / name
    found = file.stat()
    return f"{found.st_mtime_ns}-{found.st_size}-{version_of(file)}"


def _root() -> Path | None:
    folder = variables.CHECKPOINT_DIR.value()
    return Path(folder).resolve() if folder and os.path.isdir(folder) else None  # os.path.isdir does not raise


def _is_offered(path: Path, root: Path) -> bool:
    relative = path.relative_to(root)
    if path.suffix not in SUFFIXES or any(part.startswith(".") for part in relative.parts):
        return False
    if not str(relative).isprintable():  # cannot be shown on a page or written in a link
        return False
    is_weights = not path.name.startswith(NO_WEIGHTS)
    return is_weights and path.is_file() and path.resolve().is_relative_to(root)
