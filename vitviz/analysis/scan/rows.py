"""Rows of the tables of a scan, from the images of a batch and their measurements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ...trace.vision_transformer import VisionTransformer
from ..predictions import class_name, probabilities
from .loading import Loaded
from .measure import Measurements
from .schema import IMAGES, TOKENS

TOP = 5


def image_rows(model: VisionTransformer, images: Sequence[Loaded], measured: Measurements) -> pa.RecordBatch:
    """Return the rows of the table `images`."""
    maps, most = _in_8_bits(measured.class_map)
    geometry = [image.prepared.geometry for image in images]
    columns = {
        "position": [image.item.position for image in images],
        "path": [image.item.path for image in images],
        "sha256": [image.sha256 for image in images],
        "bytes": [image.bytes for image in images],
        "width": [one.original[0] for one in geometry],
        "height": [one.original[1] for one in geometry],
        "label": [image.item.label for image in images],
        "feature": _lists(measured.feature),
        "output": _lists(measured.output if model.is_classifier else None, len(images)),
        **_predictions(model, [image.item.label for image in images], measured.output),
        **{
            name: _lists(getattr(measured, name), len(images))
            for name in ("distance", "entropy", "to_class_token", "to_registers")
        },
        "outliers": [np.asarray(patches, np.int32) for patches in measured.outliers],
        "grid": [list(one.grid) for one in geometry],
        "class_map": maps,
        "class_map_max": most,
        "thumbnail": [image.thumbnail for image in images],
    }
    return _batch(columns, IMAGES)


def token_rows(images: Sequence[Loaded], measured: Measurements) -> pa.RecordBatch:
    """Return the rows of the table `tokens`, by image, then by layer."""
    rows = [
        (image.item.position, layer + 1, list(image.prepared.geometry.grid), tokens[i].astype("<f2").tobytes())
        for i, image in enumerate(images)
        for layer, tokens in sorted(measured.tokens.items())
    ]
    return _batch(dict(zip(TOKENS.names, zip(*rows, strict=True), strict=True)), TOKENS)


def _batch(columns: dict, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for field, column in ((field, columns[field.name]) for field in schema)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _lists(values: np.ndarray | None, count: int = 0) -> pa.Array:
    """Return numbers [image, ...] as one list of float32 for each image; nulls for None."""
    if values is None:
        return pa.nulls(count, pa.list_(pa.float32()))
    flat = np.ascontiguousarray(values, np.float32).reshape(len(values), -1)
    offsets = np.arange(len(flat) + 1, dtype=np.int32) * flat.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat.reshape(-1)))


def _predictions(model: VisionTransformer, labels: Sequence[str | None], output: np.ndarray | None) -> dict:
    """Return the columns of the predictions; nulls for a model without classes, or an output that is not finite."""
    nothing = [None] * len(labels)
    columns = {name: list(nothing) for name in ("top5", "top5_probability", "prediction", "correct")}
    if not model.is_classifier or output is None:
        return columns
    is_labelled = any(label is not None for label in labels)
    known = {class_name(model, i) for i in range(model.config.num_classes)} if is_labelled else set()
    for i, (logits, label) in enumerate(zip(output, labels, strict=True)):
        if not np.isfinite(logits).all():
            continue
        likely = probabilities(model, logits)
        best = np.argsort(-likely, kind="stable")[:TOP]
        name = class_name(model, int(best[0]))
        columns["top5"][i] = best.astype(np.int32)
        columns["top5_probability"][i] = likely[best].astype(np.float32)
        columns["prediction"][i] = name
        columns["correct"][i] = name == label if label in known else None
    return columns


def _in_8_bits(maps: np.ndarray) -> tuple[list[bytes], list[float]]:
    """Return attention maps [image, rows, columns] as bytes, and the weight of the byte 255 of each."""
    sizes = np.abs(maps, dtype=np.float32)
    most = sizes.reshape(len(sizes), -1).max(axis=1)
    scale = np.where((most > 0) & np.isfinite(most), most, 1)
    levels = np.rint(np.nan_to_num(sizes * (255 / scale)[:, None, None])).clip(0, 255).astype(np.uint8)
    return [one.tobytes() for one in levels], most.tolist()
