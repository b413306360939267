"""Contents of a saved trace, as arrays and JSON."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import numpy as np

from ..model.edits import ActivationPatch, Edit
from .saved_weights import fingerprint, saved_weights


def arrays_and_json(trace: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Convert a trace to arrays and data for JSON; see `trace_file`.

    Args:
        trace: a `Trace`, whose module imports this one.
    """
    image, model = trace.image, trace.model
    tensors = {f"queries.{layer}": trace.queries(layer) for layer in range(trace.layers)}
    tensors |= {f"keys.{layer}": trace.keys(layer) for layer in range(trace.layers)}
    tensors |= {"output": trace.output} | {f"recorded.{name}": value for name, value in trace._recorded.items()}
    tensors |= {f"edits.{i}": edit.values for i, edit in enumerate(trace.edits) if isinstance(edit, ActivationPatch)}
    tensors |= {f"model.{name}": value.numpy() for name, value in saved_weights(model).items()}
    if trace._pool_keys is not None:
        tensors["pool_keys"] = trace._pool_keys.numpy()
    if image is not None:
        tensors["pixels"] = image.pixels
    else:
        tensors["input"] = trace._input.numpy()
    about = {
        "config": asdict(model.config),
        "name": model.name,
        "preprocessing": asdict(model.preprocessing),
        "labels": model.labels,
        "output_kind": model.output_kind,
        "notes": model.notes,
        "fingerprint": fingerprint(model),
        "grid": trace.grid,
        "image": None
        if image is None
        else {"geometry": asdict(image.geometry), "notes": image.notes, "fingerprint": image.fingerprint},
        "edited": trace.edited,
        "edits": [_edit_to_json(edit) for edit in trace.edits],
    }
    return tensors, about


def _edit_to_json(edit: Edit) -> dict[str, Any]:
    data = {one.name: getattr(edit, one.name) for one in fields(edit) if one.name not in ("values", "digest")}
    return {"kind": type(edit).__name__, **data}
