"""File format of traces: safetensors with arrays and a JSON text, without the model.

| tensor                | shape                             | content                                                  |
| --------------------- | --------------------------------- | -------------------------------------------------------- |
| `queries.{layer}`     | head token channel, float32       | queries, after norm and RoPE, before scaling             |
| `keys.{layer}`        | head token channel, float32       | keys, after norm and RoPE                                |
| `pool_keys`           | head token channel, float32       | keys of the attention pooling                            |
| `output`              | class (or D), float32             | output of the model                                      |
| `pixels`              | H W channel, uint8                | input image before normalisation; or                     |
| `input`               | channel H W, float32              | input tensor, if a tensor was given                      |
| `recorded.{hook}`     | as in `model/hooks.py`, no batch  | recorded activations                                     |
| `edits.{i}`           | token channel, float32            | values of an `ActivationPatch`                           |
| `model.{weight}`      | as in the model                   | the few weights that attention needs                     |

The metadata hold the format version, the rest of the trace as JSON, and a checksum of everything.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..errors import TraceError
from ..errors.arguments import shown_path
from .atomic_write import save_file

FORMAT, VERSION = "vitviz trace", 2
_LONGEST_HEADER = 25_000_000  # bytes of names and metadata


def write_trace_file(path: Path, tensors: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write the parts of a trace to a file.

    Args:
        path: path of the file.
        tensors: arrays, by the names above.
        about: everything else, as data for JSON.

    Raises:
        TraceError: if the file cannot be written.
    """
    tensors = {name: np.ascontiguousarray(value).reshape(value.shape) for name, value in tensors.items()}
    text = json.dumps(about)
    metadata = {"format": FORMAT, "version": str(VERSION), "trace": text, "sha256": checksum(tensors, text)}
    save_file(path, save(tensors, metadata), "trace", TraceError)


def read_trace_file(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Read the parts of a trace from a file: the arrays, and everything else as JSON text.

    Raises:
        TraceError: if the file cannot be read, is damaged, is not a trace, or has another format version.
    """
    tensors, metadata = _read(path)
    name = path.name
    if metadata.get("format") != FORMAT:
        raise TraceError(f"{name!r} is not a trace of vitviz; open a file written by trace.save(path).")
    if metadata.get("version") != str(VERSION):
        raise TraceError(
            f"{name!r} has format version {metadata.get('version', '')[:20]!r}, but this vitviz reads version "
            f"{VERSION}; trace the image again."
        )
    text = metadata.get("trace", "")
    if metadata.get("sha256") != checksum(tensors, text):
        raise damaged(name)
    return tensors, text


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    try:
        with path.open("rb") as file:  # a file starts with the length of its header
            if int.from_bytes(file.read(8), "little") > _LONGEST_HEADER:
                raise damaged(path.name)
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            return {key: file.get_tensor(key) for key in file.keys()}, metadata  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, RuntimeError, KeyError, AttributeError, MemoryError) as error:
        raise damaged(path.name) from error
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise TraceError(f"The trace {shown_path(path)} cannot be opened ({reason}); check its path.") from error


def damaged(name: str) -> TraceError:
    """Create the error for a file that is damaged or not a trace."""
    return TraceError(f"{name!r} is damaged or not a trace of vitviz; save it again with trace.save(path).")


def checksum(tensors: Mapping[str, np.ndarray], text: str) -> str:
    """Compute the hexadecimal SHA-256 digest of the content of a file."""
    digest = sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return digest.hexdigest()
