"""Scans of made-up numbers in the format of docs/data-format.md, as large as a benchmark or a test needs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SHARD = 10_000  # rows
WRONG = 0.15  # share of wrong predictions


def write_scan(
    folder: Path,
    count: int,
    *,
    layers: int = 12,
    heads: int = 6,
    dimension: int = 384,
    classes: Sequence[str] = tuple(f"class {number}" for number in range(20)),
    shard: int = SHARD,
    images: Mapping[str, bytes] | None = None,
    source: Path | None = None,
    described: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write a scan, in which images of a class are near to each other, and return its folder.

    Args:
        folder: folder to write to, which is created.
        count: number of images.
        layers: layers.
        heads: heads of each layer.
        dimension: channels of the feature.
        classes: names of the classes; empty for a model and images without any.
        shard: rows of a shard.
        images: files of the images by path, used in turn; by default there are none, and paths lead nowhere.
        source: folder of the images.
        described: changes to run.json, by key and, after a dot, key within.
        seed: seed of the numbers.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(1, len(classes)), dimension)).astype(np.float32)
    habits = random.uniform(2, 6, (2, layers * heads)).astype(np.float32)
    thumbnails = [_thumbnail(data) for data in (images or {}).values()] or [_colour(random) for _ in range(50)]
    for number, first in enumerate(range(0, count, shard)):
        positions = np.arange(first, min(count, first + shard))
        table = _shard(random, positions, centres, habits, classes, thumbnails, images or {})
        pq.write_table(table, folder / f"images-{number:05d}.parquet", compression="zstd", row_group_size=4096)
    text = run_json(count, layers, heads, dimension, classes, source)
    for key, value in (described or {}).items():
        *outer, inner = key.split(".")
        place = text
        for part in outer:
            place = place[part]
        place[inner] = value
    (folder / "run.json").write_text(json.dumps(text))
    return folder


def run_json(
    count: int, layers: int, heads: int, dimension: int, classes: Sequence[str], source: Path | None
) -> dict[str, Any]:
    """Return the contents of run.json."""
    return {
        "format": "vitviz-scan",
        "version": 1,
        "state": "complete",
        "created": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T01:00:00Z",
        "source": {
            "kind": "folder",
            "uri": str(source or "images"),
            "labels": "folders" if classes else None,
            "count": count,
        },
        "model": {
            "name": "digits" if classes else "dinov2-small",
            "weights": "0" * 64,
            "layers": layers,
            "heads": heads,
            "embed_dim": dimension,
            "feature_dim": dimension,
            "patch_size": 14,
            "prefix": 1,
            "registers": 0,
            "class_token": True,
            "output_kind": "classes" if classes else "feature",
            "classes": list(classes) or None,
            "linear_head": None,
        },
        "preprocessing": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "fit": "crop"},
        "settings": {
            "size": [224, 224],
            "fit": "crop",
            "shard_size": SHARD,
            "patch_tokens": [],
            "device": "cpu",
            "dtype": "float32",
        },
        "label_names": sorted(classes) or None,
        "versions": {"vitviz": "0", "torch": "0", "python": "0", "pyarrow": "0"},
        "rate": 100.0,
    }


def _shard(random, positions, centres, habits, classes, thumbnails, images) -> pa.Table:
    rows, heads = len(positions), habits.shape[1]
    label = random.integers(0, len(centres), rows)
    predicted = np.where(random.random(rows) < WRONG, random.integers(0, len(centres), rows), label)
    feature = centres[predicted] + random.normal(size=(rows, centres.shape[1])).astype(np.float32)
    logits = random.normal(size=(rows, max(1, len(classes)))).astype(np.float32)
    logits[np.arange(rows), predicted] += 5
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    top = np.argsort(-shares, axis=1)[:, :5]
    statistics = [habits[kind % 2] + random.normal(size=(rows, heads)).astype(np.float32) / 2 for kind in range(2)]
    counts = random.poisson(2, rows)
    files = list(images.items())
    paths = [files[at % len(files)][0] if files else f"{at % 100:02d}/{at:08d}.jpg" for at in positions]
    digests = {path: sha256(data).hexdigest() for path, data in files}
    names = np.array(classes or [""])
    has = bool(classes)
    return pa.table(
        {
            "position": positions.astype(np.int64),
            "path": paths,
            "sha256": [digests.get(path, f"{at:064x}") for path, at in zip(paths, positions, strict=True)],
            "bytes": np.full(rows, 100_000, np.int64),
            "width": np.full(rows, 640, np.int32),
            "height": np.full(rows, 480, np.int32),
            "label": pa.array(names[label] if has else [None] * rows, pa.string()),
            "feature": _lists(feature),
            "output": _lists(logits) if has else pa.nulls(rows, pa.list_(pa.float32())),
            "top5": _lists(top.astype(np.int32)) if has else pa.nulls(rows, pa.list_(pa.int32())),
            "top5_probability": _lists(np.take_along_axis(shares, top, axis=1).astype(np.float32))
            if has
            else pa.nulls(rows, pa.list_(pa.float32())),
            "prediction": pa.array(names[predicted] if has else [None] * rows, pa.string()),
            "correct": pa.array(label == predicted if has else [None] * rows, pa.bool_()),
            "distance": _lists(20 * statistics[0]),
            "entropy": _lists(statistics[1]),
            "to_class_token": _lists(random.random((rows, heads)).astype(np.float32) / 4),
            "to_registers": pa.nulls(rows, pa.list_(pa.float32())),
            "outliers": pa.ListArray.from_arrays(
                np.append(0, np.cumsum(counts)).astype(np.int32), random.integers(0, 256, counts.sum()).astype(np.int32)
            ),
            "grid": _lists(np.full((rows, 2), 16, np.int32)),
            "class_map": pa.array([random.bytes(256) for _ in range(rows)], pa.binary()),
            "class_map_max": np.full(rows, 0.1, np.float32),
            "thumbnail": pa.array([thumbnails[at % len(thumbnails)] for at in positions], pa.binary()),
        }
    )


def _lists(values: np.ndarray) -> pa.ListArray:
    offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, np.ascontiguousarray(values).ravel())


def _thumbnail(data: bytes) -> bytes:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((96, 96))
    return _webp(image)


def _colour(random: np.random.Generator) -> bytes:
    small = Image.fromarray(random.integers(0, 255, (4, 4, 3), dtype=np.uint8))
    return _webp(small.resize((96, 96), Image.Resampling.BICUBIC))


def _webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP")
    return buffer.getvalue()
