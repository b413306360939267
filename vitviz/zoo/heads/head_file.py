"""File format of linear heads: safetensors with two arrays, thumbnails and a JSON text, without the model.

| tensor                        | shape                   | content                            |
| ----------------------------- | ----------------------- | ---------------------------------- |
| `weight`                      | class feature, float32  | weight of the linear layer         |
| `bias`                        | class, float32          | its bias                           |
| `thumbnails.{class}.{number}` | byte, uint8             | JPEG files, if the author agreed   |

The metadata hold the format version, the other fields of `LinearHead` as JSON, and a checksum of everything. A file is
data only; reading it runs no code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...errors import ModelError, VitvizError
from ...errors.arguments import shown, shown_path, typed
from ...images import Preprocessing
from ...trace.atomic_write import write_atomically
from ...trace.trace_file import checksum
from .linear_head import LinearHead
from .names import SUFFIX, name_of_file

FORMAT, VERSION = "vitviz linear head", 1
MOST_BYTES = 64_000_000  # of a file
LONGEST_HEADER = 16_000_000  # bytes of names and metadata
_FIELDS = ("labels", "pooling", "output_kind", "model", "fingerprint", "preprocessing", "counts", "correct")
_THUMBNAIL = re.compile(r"thumbnails\.(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,4})")


@typed
def head_bytes(head: LinearHead) -> bytes:
    """Return the content of a file of a head, with its thumbnails.

    Raises:
        ModelError: if the file would be larger than `read_head` accepts.
    """
    arrays = {"weight": head.weight, "bias": head.bias}
    for index, images in enumerate(head.thumbnails):
        arrays |= {f"thumbnails.{index}.{i}": np.frombuffer(image, np.uint8) for i, image in enumerate(images)}
    arrays = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    about = {name: getattr(head, name) for name in _FIELDS} | {"preprocessing": asdict(head.preprocessing)}
    text = json.dumps(about, default=int)  # a size may be integers of NumPy
    metadata = {"format": FORMAT, "version": str(VERSION), "head": text, "sha256": checksum(arrays, text)}
    data = save(arrays, metadata)
    if len(data) > MOST_BYTES or int.from_bytes(data[:8], "little") > LONGEST_HEADER:
        raise ModelError(
            f"The head {shown(head.name)} is too large for a file of {MOST_BYTES // 1_000_000} MB; use fewer or "
            "shorter class names, or no thumbnails."
        )
    return data


def write_head(head: LinearHead, path: Path) -> None:
    """Write a head to a file; see `LinearHead.save`."""
    try:
        write_atomically(path, head_bytes(head))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"The head cannot be written to {shown_path(path)} ({reason}); give the path of a file in a writable "
            "folder."
        ) from error


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
    try:
        if len(data) > MOST_BYTES or int.from_bytes(data[:8], "little") > LONGEST_HEADER:
            raise ValueError(file_name)
        arrays, metadata = load(data), _metadata(data)
        if metadata["format"] != FORMAT:
            raise ValueError(file_name)
        version, text = metadata["version"], metadata["head"]
        if version == str(VERSION):
            if metadata["sha256"] != checksum(arrays, text):
                raise ValueError(file_name)
            return _head(arrays, json.loads(text), name_of_file(file_name))
    except (SafetensorError, VitvizError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise _not_a_head(file_name) from error
    except (RecursionError, MemoryError) as error:
        raise _not_a_head(file_name) from error
    raise ModelError(
        f"The head {shown_path(file_name)} has format version {shown(version, 20)}, but this vitviz reads version "
        f"{VERSION}; fit it again."
    )


def _not_a_head(file_name: str) -> ModelError:
    return ModelError(
        f"{shown_path(file_name)} is damaged or not a head of vitviz; give a file written by vitviz teach, the page "
        "Teach, or LinearHead.save."
    )


def _metadata(data: bytes) -> dict[str, str]:
    """Return the metadata in the header of a safetensors file that was parsed before."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])["__metadata__"]


def _head(arrays: dict[str, np.ndarray], about: Mapping[str, Any], name: str) -> LinearHead:
    """Return the head with these parts; they are untrusted, and any error means that the file is not a head."""
    weight, bias = arrays.pop("weight"), arrays.pop("bias")
    if set(about) != set(_FIELDS) or {weight.dtype, bias.dtype} != {np.dtype(np.float32)}:
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
