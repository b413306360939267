"""Trace files with any content and the matching checksum."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from vitviz.trace import trace_file


def parts_of(path: Path) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays of a trace file, and the rest of the trace."""
    tensors, text = trace_file.read_trace_file(path)
    return tensors, json.loads(text)


def file_of(tensors: dict[str, np.ndarray], about: Any) -> bytes:
    """Trace file with these parts."""
    text = json.dumps(about)
    metadata = {"format": trace_file.FORMAT, "version": str(trace_file.VERSION), "trace": text}
    return save(tensors, metadata | {"sha256": trace_file.checksum(tensors, text)})
