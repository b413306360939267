"""Class names given by the caller."""

import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice
from numbers import Integral
from pathlib import Path

from ..errors import ModelError
from ..errors.arguments import shown, shown_path

# A text file with one name per line, the number of classes, the names in order, or a mapping between index and name.
Classes = str | Path | int | Iterable[str] | Mapping[int, str] | Mapping[str, int]
MAX_BYTES = 10_000_000
MAX_NAMES = 1_000_000
MAX_NAME = 1000  # characters; the longest ImageNet description with all synonyms has fewer than 200
_ADVICE = (
    "give the names in order, a text file with one name per line, the number of classes, or a dictionary from index to "
    "name"
)


def parse_classes(classes: object) -> str | Path | int | tuple[str, ...] | None:
    """Convert the argument `classes` to one of a few types.

    Args:
        classes: path of a text file with one name per line; the names in order, as any iterable; a dictionary or a
            pandas Series from index to name (Hugging Face's `id2label`) or from name to index (torchvision's
            `class_to_idx`), in any order; the number of classes, as an integer of Python, NumPy or PyTorch; or None.

    Returns:
        The path, the number of classes, the names, or None.

    Raises:
        ModelError: if it is none of these.
    """
    if classes is None or isinstance(classes, str | Path):
        return classes
    count = _as_count(classes)
    if count is not None:
        return count
    if hasattr(classes, "to_dict") and getattr(classes, "ndim", 0) == 1:  # a pandas Series
        return _from_mapping(classes.to_dict(), len(classes))
    if isinstance(classes, Mapping):
        return _from_mapping(classes, len(classes))
    if isinstance(classes, set | frozenset):
        raise ModelError("classes is a set, which has no order; give the names as a list in the order of the outputs.")
    if getattr(classes, "ndim", 1) != 1 or isinstance(classes, bytes | bytearray) or not isinstance(classes, Iterable):
        raise ModelError(f"classes is given as {shown(classes)}; {_ADVICE}.")
    names = tuple(islice(classes.tolist() if hasattr(classes, "tolist") else classes, MAX_NAMES + 1))
    if len(names) > MAX_NAMES:
        raise ModelError(f"classes holds more than {MAX_NAMES:,} names; {_ADVICE}.")
    return tuple(map(_as_name, names))


def read_labels(classes: Classes | None, outputs: int, model: str) -> tuple[str, ...]:
    """Read the class names of a model.

    Args:
        classes: argument of `parse_classes`.
        outputs: number of outputs of the classifier.
        model: name of the model for messages.

    Returns:
        The names; () if only the number of classes was given.

    Raises:
        ModelError: if the file cannot be read, the names are not valid, or their number is not that of the classifier.
    """
    given = parse_classes(classes)
    if given is None:
        return ()
    names = () if isinstance(given, int) else given if isinstance(given, tuple) else _from_file(Path(given))
    count = given if isinstance(given, int) else len(names)
    if count != outputs:
        raise ModelError(f"classes gives {_counted(count)}, but the classifier of {model!r} has {outputs}.")
    return names


def _as_count(classes: object) -> int | None:
    """Convert to a number of classes; None for anything but a number."""
    number = classes.item() if getattr(classes, "shape", None) == () and hasattr(classes, "item") else classes
    if isinstance(number, bool | float):
        raise ModelError(f"classes is {shown(number)}, which is not a number of classes; {_ADVICE}.")
    return int(number) if isinstance(number, Integral) else None


def _as_name(name: object) -> str:
    """Convert a class name to text on one line; integers are allowed, for example as names of digits.

    Raises:
        ModelError: if it is not a name, is too long, or has characters that cannot be displayed.
    """
    if isinstance(name, int) and abs(name) >= 10**20:  # Python refuses to convert very long integers to text
        raise ModelError(f"classes holds {shown(name)}, which is not a class name; {_ADVICE}.")
    if not isinstance(name, str | Integral) or isinstance(name, bool):
        raise ModelError(f"classes holds {shown(name)}, which is not a class name; {_ADVICE}.")
    text = " ".join(str(name).split()) if any(map(_is_control, str(name))) else str(name)
    if len(text) > MAX_NAME or any(map(_is_control, text)):
        raise ModelError(
            f"classes holds the name {shown(text)}, which is too long or has characters that cannot be displayed; give "
            f"names of at most {MAX_NAME} characters."
        )
    return text


def _is_control(letter: str) -> bool:
    """Return whether this is a control character, a line separator or a surrogate."""
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs")


def _from_mapping(classes: Mapping, count: int) -> tuple[str, ...]:
    """Sort the names by their indices, which are the keys (possibly as text, as in JSON) or the values."""
    pairs = list(classes.items())
    by_value = [(_number(value), key) for key, value in pairs]
    by_key = [(_number(key), value) for key, value in pairs]
    # The names themselves may be digits: folders named 0, 1, 10, 2 are classes 0 to 3. So integers take precedence over
    # digits in text.
    is_index_of = all(_is_whole(value) and isinstance(key, str) for key, value in pairs)
    found = by_value if is_index_of or any(number is None for number, _ in by_key) else by_key
    if [*sorted(number for number, _ in found if number is not None)] != list(range(count)):
        raise ModelError(
            f"classes gives {_counted(count)} by index, but the indices are not 0 to {max(0, count - 1)}, each once; "
            "give all of them, or a list of names in the order of the outputs."
        )
    return tuple(_as_name(name) for _, name in sorted(found, key=lambda pair: pair[0]))


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _number(value: object) -> int | None:
    """Convert an integer, possibly written as text; None for anything else."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else None
    return int(value) if _is_whole(value) else None


def _from_file(path: Path) -> tuple[str, ...]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(
                f"{shown_path(path)} is too large for a list of class names; give a text file with one name per line."
            )
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The class names in {shown_path(path)} cannot be read; give a text file in UTF-8 with one name per line."
        ) from error
    return (
        tuple(_as_name(line.strip()) for line in text.split("\n")) if text else ()
    )  # read_text has converted all line ends


def _counted(count: int) -> str:
    return "1 class" if count == 1 else f"{shown(count)} classes"
