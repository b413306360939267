"""Linear heads read from files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelError, VitvizError
from ...errors.arguments import shown_path, typed
from ...images import Preprocessing
from .head_file import MOST_BYTES, decode, not_a_head
from .linear_head import SAVED_FIELDS, LinearHead
from .names import SUFFIX, name_of_file

_THUMBNAIL = re.compile(r"thumbnails\.(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,4})")


@typed
def open_head(path: str | Path) -> LinearHead:
    """Read a head that `LinearHead.save`, the app or `vitviz teach` wrote.

    Args:
        path: path of the file. Its name without suffix becomes the name of the head.

    Raises:
        ModelError: if the file cannot be read, is damaged, or is not a head.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # reading a pipe would block
            raise ModelError(f"The head {shown_path(path)} is not a regular file; give a file that ends in {SUFFIX}.")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be read"
        raise ModelError(f"The head {shown_path(path)} cannot be opened ({reason}); check its path.") from error
    return read_head(data, path.name)


@typed
def read_head(data: bytes, file_name: str) -> LinearHead:
    """Read a head from the content of a file.

    Args:
        data: content of the file.
        file_name: name of the file, for messages and as the name of the head.

    Raises:
        ModelError: if the content is damaged, is not that of a head, or has another format version.
    """
    arrays, about = decode(data, file_name)
    try:
        return _head(arrays, about, name_of_file(file_name))
    except (VitvizError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise not_a_head(file_name) from error


def _head(arrays: dict[str, np.ndarray], about: Mapping[str, Any], name: str) -> LinearHead:
    """Return the head with these parts; they are untrusted, and any error means that the file is not a head."""
    weight, bias = arrays.pop("weight"), arrays.pop("bias")
    if set(about) != set(SAVED_FIELDS) or {weight.dtype, bias.dtype} != {np.dtype(np.float32)}:
        raise ValueError(name)
    labels, counts, preprocessing = about["labels"], about["counts"], about["preprocessing"]
    is_list = isinstance(labels, list) and isinstance(counts, list)
    if not is_list or not all(isinstance(label, str) for label in labels):
        raise ValueError(name)
    if set(preprocessing) != {one.name for one in fields(Preprocessing)}:
        raise ValueError(name)
    used = {key: tuple(value) if isinstance(value, list) else value for key, value in preprocessing.items()}
    given = dict(about) | {"preprocessing": Preprocessing(**used)}
    return LinearHead(name=name, weight=weight, bias=bias, thumbnails=_thumbnails(arrays, len(labels)), **given)


def _thumbnails(arrays: Mapping[str, np.ndarray], classes: int) -> tuple[tuple[bytes, ...], ...]:
    """Return the thumbnails by class; () if there are none.

    Raises:
        ValueError: if an array is not a thumbnail, or the numbers have gaps.
    """
    found: dict[tuple[int, int], bytes] = {}
    for name, values in arrays.items():
        match = _THUMBNAIL.fullmatch(name)
        if not match or values.dtype != np.uint8 or values.ndim != 1:
            raise ValueError(name)
        found[int(match[1]), int(match[2])] = values.tobytes()
    images: list[list[bytes]] = [[] for _ in range(classes)] if found else []
    for index, number in sorted(found):
        if index >= classes or number != len(images[index]):
            raise ValueError(index)
        images[index].append(found[index, number])
    return tuple(map(tuple, images))
