"""The class names that a caller gives."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import ModelError

Classes = str | Path | int | Sequence[str]  # a file with a name in each line, how many there are, or the names
MAX_BYTES = 10_000_000


def read_labels(classes: Classes | None, outputs: int, model: str) -> tuple[str, ...]:
    """The class names that a caller gives for a model.

    Args:
        classes: the path of a text file with one name a line, the names, how many there are, or None.
        outputs: how many outputs the model's classifier has.
        model: what to call it in messages.

    Returns:
        The names; () if only their number was given.

    Raises:
        ModelError: if the file cannot be read, or the count is not the classifier's.
    """
    if classes is None:
        return ()
    if isinstance(classes, int):
        names, count = (), int(classes)
    else:
        names = _from_file(Path(classes)) if isinstance(classes, str | Path) else tuple(map(str, classes))
        count = len(names)
    if count != outputs:
        raise ModelError(f"classes gives {_counted(count)}, but the classifier of {model!r} has {outputs}.")
    return names


def _from_file(path: Path) -> tuple[str, ...]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(
                f"{str(path)!r} is too large for a list of class names; give a text file, one name a line."
            )
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The class names in {str(path)!r} cannot be read; give a text file in UTF-8, one name a line."
        ) from error
    return tuple(line.strip() for line in lines)


def _counted(count: int) -> str:
    return "1 class" if count == 1 else f"{count} classes"
