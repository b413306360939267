"""The class names that a caller gives."""

import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice
from numbers import Integral
from pathlib import Path

from ..errors import ModelError
from ..errors.arguments import shown, shown_path

# A file with a name in each line; how many there are; the names in order; or which number has which name.
Classes = str | Path | int | Iterable[str] | Mapping[int, str] | Mapping[str, int]
MAX_BYTES = 10_000_000
MAX_NAMES = 1_000_000
LONGEST_NAME = 1000  # letters; the longest of ImageNet's, with all synonyms, has under 200
_WANTED = (
    "give the names in order, a text file with one name a line, how many there are, or a dictionary from number to name"
)


def taken(classes: object) -> str | Path | int | tuple[str, ...] | None:
    """What a caller gave as `classes`, as one of few types, so that nobody else needs to know the others.

    Args:
        classes: the path of a text file with one name a line; the names in order, as a list, an array or anything else
            that hands them out; a dictionary or a pandas Series from number to name (Hugging Face's `id2label`) or from
            name to number (torchvision's `class_to_idx`), whose numbers count, not its order; how many there are, as a
            number of Python, NumPy or PyTorch; or None.

    Returns:
        The path, the number, the names, or None.

    Raises:
        ModelError: if it is none of these.
    """
    if classes is None or isinstance(classes, str | Path):
        return classes
    count = _how_many(classes)
    if count is not None:
        return count
    if hasattr(classes, "to_dict") and getattr(classes, "ndim", 0) == 1:  # a pandas Series: its index says the number
        return _from_mapping(classes.to_dict(), len(classes))
    if isinstance(classes, Mapping):
        return _from_mapping(classes, len(classes))
    if isinstance(classes, set | frozenset):
        raise ModelError("classes is a set, which has no order; give the names as a list in the order of the outputs.")
    if getattr(classes, "ndim", 1) != 1 or isinstance(classes, bytes | bytearray) or not isinstance(classes, Iterable):
        raise ModelError(f"classes is given as {shown(classes)}; {_WANTED}.")
    names = tuple(islice(classes.tolist() if hasattr(classes, "tolist") else classes, MAX_NAMES + 1))
    if len(names) > MAX_NAMES:
        raise ModelError(f"classes holds more than {MAX_NAMES:,} names; {_WANTED}.")
    return tuple(map(_as_name, names))


def read_labels(classes: Classes | None, outputs: int, model: str) -> tuple[str, ...]:
    """The class names that a caller gives for a model.

    Args:
        classes: as `taken` has it.
        outputs: how many outputs the model's classifier has.
        model: what to call it in messages.

    Returns:
        The names; () if only their number was given.

    Raises:
        ModelError: if the file cannot be read, the names cannot be told, or the count is not the classifier's.
    """
    given = taken(classes)
    if given is None:
        return ()
    names = () if isinstance(given, int) else given if isinstance(given, tuple) else _from_file(Path(given))
    count = given if isinstance(given, int) else len(names)
    if count != outputs:
        raise ModelError(f"classes gives {_counted(count)}, but the classifier of {model!r} has {outputs}.")
    return names


def _how_many(classes: object) -> int | None:
    """A number of classes; None if it is something else than a number."""
    number = classes.item() if getattr(classes, "shape", None) == () and hasattr(classes, "item") else classes
    if isinstance(number, bool | float):
        raise ModelError(f"classes is {shown(number)}, which is not a number of classes; {_WANTED}.")
    return int(number) if isinstance(number, Integral) else None


def _as_name(name: object) -> str:
    """One name, on one line. Numbers are names too: those of digits, for example.

    Raises:
        ModelError: if it is no name, a very long one, or one with characters that nobody can read.
    """
    if isinstance(name, int) and abs(name) >= 10**20:  # Python refuses to write very long ones
        raise ModelError(f"classes holds {shown(name)}, which is not the name of a class; {_WANTED}.")
    if not isinstance(name, str | Integral) or isinstance(name, bool):
        raise ModelError(f"classes holds {shown(name)}, which is not the name of a class; {_WANTED}.")
    text = " ".join(str(name).split()) if any(map(_is_control, str(name))) else str(name)
    if len(text) > LONGEST_NAME or any(map(_is_control, text)):
        raise ModelError(
            f"classes holds the name {shown(text)}, which is too long or has characters that cannot be shown; give "
            f"names of at most {LONGEST_NAME} letters."
        )
    return text


def _is_control(letter: str) -> bool:
    """Return whether this is a control character, a line end, or half of a character."""
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs")


def _from_mapping(classes: Mapping, count: int) -> tuple[str, ...]:
    """The names in the order of their numbers, which are the keys (perhaps as text, as in JSON) or the values."""
    pairs = list(classes.items())
    by_value = [(_number(value), key) for key, value in pairs]
    by_key = [(_number(key), value) for key, value in pairs]
    # Folders that are called 0, 1, 10, 2 are classes 0 to 3: numbers that are numbers win over numbers that are text.
    is_index_of = all(_is_whole(value) and isinstance(key, str) for key, value in pairs)
    found = by_value if is_index_of or any(number is None for number, _ in by_key) else by_key
    if [*sorted(number for number, _ in found if number is not None)] != list(range(count)):
        raise ModelError(
            f"classes gives {_counted(count)} by number, but its numbers are not 0 to {max(0, count - 1)}, each once; "
            "give all of them, or the names as a list in the order of the outputs."
        )
    return tuple(_as_name(name) for _, name in sorted(found, key=lambda pair: pair[0]))


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _number(value: object) -> int | None:
    """A number, also one written as text; None if it is not one."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else None
    return int(value) if _is_whole(value) else None


def _from_file(path: Path) -> tuple[str, ...]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(
                f"{shown_path(path)} is too large for a list of class names; give a text file, one name a line."
            )
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The class names in {shown_path(path)} cannot be read; give a text file in UTF-8, one name a line."
        ) from error
    return tuple(_as_name(line.strip()) for line in text.split("\n")) if text else ()  # as Python reads line ends


def _counted(count: int) -> str:
    return "1 class" if count == 1 else f"{shown(count)} classes"
