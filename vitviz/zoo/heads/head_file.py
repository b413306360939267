"""File format of linear heads: safetensors with two arrays, thumbnails and a JSON text, without the model.

| tensor                        | shape                   | content                            |
| ----------------------------- | ----------------------- | ---------------------------------- |
| `weight`                      | class feature, float32  | weight of the linear layer         |
| `bias`                        | class, float32          | its bias                           |
| `thumbnails.{class}.{number}` | byte, uint8             | JPEG files, if the author agreed   |

The metadata hold the format version and the other fields of `LinearHead` as JSON. A file is data only; reading it runs
no code.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...errors import ModelError, VitvizError
from ...errors.arguments import shown_path, typed
from ...images import Preprocessing
from ...trace.atomic_write import write_atomically
from .linear_head import LinearHead

FORMAT, VERSION = "vitviz linear head", "1"
SUFFIX = ".safetensors"
MOST_BYTES = 64_000_000  # of a file
_FIELDS = ("labels", "pooling", "output_kind", "model", "fingerprint", "preprocessing", "counts", "correct")


def head_bytes(head: LinearHead) -> bytes:
    """Return the content of a file of a head, with its thumbnails."""
    arrays = {"weight": head.weight, "bias": head.bias}
    for index, images in enumerate(head.thumbnails):
        arrays |= {f"thumbnails.{index}.{i}": np.frombuffer(image, np.uint8) for i, image in enumerate(images)}
    about = {name: getattr(head, name) for name in _FIELDS} | {"preprocessing": asdict(head.preprocessing)}
    metadata = {"format": FORMAT, "version": VERSION, "head": json.dumps(about)}
    return save({name: np.ascontiguousarray(value) for name, value in arrays.items()}, metadata)


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
        if path.stat().st_size > MOST_BYTES:
            raise not_a_head(path.name)
        data = path.read_bytes()
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
        ModelError: if the content is damaged or is not that of a head.
    """
    if len(data) > MOST_BYTES:
        raise not_a_head(file_name)
    try:
        arrays, metadata = load(data), _metadata(data)
        if metadata.get("format") != FORMAT:
            raise not_a_head(file_name)
        about = json.loads(metadata["head"])
        if metadata.get("version") != VERSION or set(about) != set(_FIELDS):
            raise not_a_head(file_name)
        thumbnails = _thumbnails(arrays, len(about["labels"]))
        if set(arrays) - {"weight", "bias"} or any(arrays[name].dtype != np.float32 for name in ("weight", "bias")):
            raise not_a_head(file_name)
        name = file_name.removesuffix(SUFFIX)
        return LinearHead(
            name=name,
            weight=arrays["weight"],
            bias=arrays["bias"],
            thumbnails=thumbnails,
            **_checked_fields(about),
        )
    except VitvizError as error:
        if isinstance(error, ModelError):
            raise
        raise not_a_head(file_name) from error
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError) as error:
        raise not_a_head(file_name) from error


def not_a_head(file_name: str) -> ModelError:
    """Create the error for a file that is damaged or not a head."""
    return ModelError(
        f"{shown_path(file_name)} is damaged or not a head of vitviz; give a file written by vitviz teach, the page "
        "Teach, or LinearHead.save."
    )


def _metadata(data: bytes) -> dict[str, str]:
    """Return the metadata in the header of a safetensors file that was parsed before."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__", {})


def _thumbnails(arrays: dict[str, np.ndarray], classes: int) -> tuple[tuple[bytes, ...], ...]:
    """Remove the thumbnails from the arrays and return them by class."""
    found: list[list[bytes]] = [[] for _ in range(classes)]
    names = [name for name in arrays if name.startswith("thumbnails.")]
    for name in sorted(names, key=lambda name: [int(part) for part in name.split(".")[1:]]):
        array = arrays.pop(name)
        if array.dtype != np.uint8 or array.ndim != 1:
            raise ValueError(name)
        found[int(name.split(".")[1])].append(array.tobytes())
    return tuple(map(tuple, found)) if names else ()


def _checked_fields(about: dict[str, Any]) -> dict[str, Any]:
    """Convert the fields in JSON to those of `LinearHead`."""
    preprocessing = {
        name: tuple(value) if isinstance(value, list) else value for name, value in about["preprocessing"].items()
    }
    return about | {
        "labels": tuple(about["labels"]),
        "counts": tuple(about["counts"]),
        "preprocessing": Preprocessing(**preprocessing),
    }
