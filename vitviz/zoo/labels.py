"""Class names: from timm's lists, from a pretrained configuration, or from the caller."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ModelError

Classes = str | Path | int | Sequence[str]  # a file with a name in each line, how many there are, or the names
MAX_BYTES = 10_000_000


def labels_of(pretrained: Mapping[str, Any]) -> tuple[str, ...]:
    """The class names of a timm model, from its pretrained configuration; () if nobody knows them.

    Names in the configuration win; else the number of classes tells which of ImageNet's label sets it is.
    """
    count, names = pretrained.get("num_classes"), pretrained.get("label_names")
    if names and len(names) == count:
        words = pretrained.get("label_descriptions") or {}
        return readable([str(words.get(name, name)) for name in names])
    return imagenet_labels(count) if count else ()


@lru_cache(maxsize=4)
def imagenet_labels(count: int) -> tuple[str, ...]:
    """The readable names of the ImageNet label set with this many classes; () if there is none."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset({"num_classes": count})
    if subset is None:
        return ()
    info = ImageNetInfo(subset)
    if info.num_classes() != count:
        return ()
    return readable([info.index_to_description(i) for i in range(count)])


def readable(descriptions: Sequence[str]) -> tuple[str, ...]:
    """The first synonym of each description: "tabby, tabby cat" becomes "tabby"; all of them where it names several."""
    first = [description.split(",")[0].strip() for description in descriptions]
    named = Counter(first)
    return tuple(
        short if named[short] == 1 else description for short, description in zip(first, descriptions, strict=True)
    )


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
