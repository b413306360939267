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
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...errors import ModelError
from ...errors.arguments import shown, shown_path
from ...trace.trace_file import checksum

FORMAT, VERSION = "vitviz linear head", 1
MOST_BYTES = 64_000_000  # of a file
LONGEST_HEADER = 16_000_000  # bytes of names and metadata


def encode(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], name: str) -> bytes:
    """Return the content of a file of a head.

    Args:
        arrays: arrays, by the names above.
        about: everything else, as data for JSON.
        name: name of the head, for messages.

    Raises:
        ModelError: if the file would be larger than `decode` accepts.
    """
    arrays = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
    text = json.dumps(about, default=int)  # a size may be integers of NumPy
    metadata = {"format": FORMAT, "version": str(VERSION), "head": text, "sha256": checksum(arrays, text)}
    data = save(arrays, metadata)
    if len(data) > MOST_BYTES or int.from_bytes(data[:8], "little") > LONGEST_HEADER:
        raise ModelError(
            f"The head {shown(name)} is too large for a file of {MOST_BYTES // 1_000_000} MB; use fewer or shorter "
            "class names, or no thumbnails."
        )
    return data


def decode(data: bytes, file_name: str) -> tuple[dict[str, np.ndarray], Any]:
    """Return the arrays and everything else in the content of a file; both are untrusted.

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
            return arrays, json.loads(text)
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise not_a_head(file_name) from error
    except (OverflowError, RecursionError, MemoryError) as error:
        raise not_a_head(file_name) from error
    raise ModelError(
        f"The head {shown_path(file_name)} has format version {shown(version, 20)}, but this vitviz reads version "
        f"{VERSION}; fit it again."
    )


def not_a_head(file_name: str) -> ModelError:
    """Create the error for a file that is damaged or not a head."""
    return ModelError(
        f"{shown_path(file_name)} is damaged or not a head of vitviz; give a file written by vitviz teach, the page "
        "Teach, or LinearHead.save."
    )


def _metadata(data: bytes) -> dict[str, str]:
    """Return the metadata in the header of a safetensors file that was parsed before."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])["__metadata__"]
