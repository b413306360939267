"""Tables and names of the files of a scan; docs/data-format.md describes them."""

from __future__ import annotations

import re

import pyarrow as pa

FORMAT, VERSION = "vitviz-scan", 1
ABOUT, ERRORS_FILE = "run.json", "errors.parquet"
ERRORS_KEY = b"vitviz.errors"  # metadata of a shard of `images`: JSON of its rows of `errors`

_FLOATS, _NUMBERS = pa.list_(pa.float32()), pa.list_(pa.int32())
IMAGES = pa.schema(
    [
        ("position", pa.int64()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("label", pa.string()),
        ("feature", _FLOATS),
        ("output", _FLOATS),
        ("top5", _NUMBERS),
        ("top5_probability", _FLOATS),
        ("prediction", pa.string()),
        ("correct", pa.bool_()),
        ("distance", _FLOATS),
        ("entropy", _FLOATS),
        ("to_class_token", _FLOATS),
        ("to_registers", _FLOATS),
        ("outliers", _NUMBERS),
        ("grid", _NUMBERS),
        ("class_map", pa.binary()),
        ("class_map_max", pa.float32()),
        ("thumbnail", pa.binary()),
    ]
)
TOKENS = pa.schema(
    [
        ("position", pa.int64()),
        ("layer", pa.int32()),
        ("grid", _NUMBERS),
        ("tokens", pa.binary()),
    ]
)
ERRORS = pa.schema([("position", pa.int64()), ("path", pa.string()), ("error", pa.string())])


def images_file(shard: int) -> str:
    """Return the name of a shard of the table `images`."""
    return f"images-{shard:05d}.parquet"


def tokens_file(shard: int) -> str:
    """Return the name of a shard of the table `tokens`."""
    return f"tokens-{shard:05d}.parquet"


def shard_of(name: str) -> int | None:
    """Return the number of a shard of the table `images` by the name of its file; None for any other file."""
    match = re.fullmatch(r"images-(\d{5,})\.parquet", name)
    return int(match[1]) if match else None
