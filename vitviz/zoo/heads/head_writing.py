"""Writing of files of linear heads; see `vitviz.zoo.heads.head_file`, which describes the format."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from ...errors import ModelError
from ...errors.arguments import shown, shown_path
from ...trace.atomic_write import write_atomically
from ...trace.trace_file import checksum

FORMAT, VERSION = "vitviz linear head", 1
MOST_BYTES = 64_000_000  # of a file
LONGEST_HEADER = 16_000_000  # bytes of names and metadata
FIELDS = ("labels", "pooling", "output_kind", "model", "fingerprint", "preprocessing", "counts", "correct")


def content_of(head: Any) -> bytes:
    """Return the content of a file of a `LinearHead`; see `vitviz.zoo.heads.head_bytes`."""
    arrays = {"weight": head.weight, "bias": head.bias}
    for index, images in enumerate(head.thumbnails):
        arrays |= {f"thumbnails.{index}.{i}": np.frombuffer(image, np.uint8) for i, image in enumerate(images)}
    arrays = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    about = {name: getattr(head, name) for name in FIELDS} | {"preprocessing": asdict(head.preprocessing)}
    text = json.dumps(about, default=int)  # a size may be integers of NumPy
    metadata = {"format": FORMAT, "version": str(VERSION), "head": text, "sha256": checksum(arrays, text)}
    data = save(arrays, metadata)
    if len(data) > MOST_BYTES or int.from_bytes(data[:8], "little") > LONGEST_HEADER:
        raise ModelError(
            f"The head {shown(head.name)} is too large for a file of {MOST_BYTES // 1_000_000} MB; use fewer or "
            "shorter class names, or no thumbnails."
        )
    return data


def write_head(head: Any, path: Path) -> None:
    """Write a head to a file; see `LinearHead.save`."""
    try:
        write_atomically(path, content_of(head))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"The head cannot be written to {shown_path(path)} ({reason}); give the path of a file in a writable "
            "folder."
        ) from error
