"""Opening of a finished or running scan: its description in run.json, and its tables.

Both are checked before use, because a scan may come from anybody. Nothing in run.json is trusted beyond its type.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ....errors import ScanError
from ....errors.arguments import shown, shown_path
from ..schema import ABOUT, FORMAT, VERSION, shard_of
from . import database

MOST_TEXT = 20_000_000  # bytes of run.json, which holds the names of all classes
MOST_HEADS = 100_000  # layers x heads; the largest ViTs have some 3,000
LONGEST = 200  # characters of a label or path on screen
LISTS = ("distance", "entropy", "to_class_token", "to_registers")  # columns with one number per head
_COLUMNS = {
    "position": "BIGINT",
    "path": "VARCHAR",
    "sha256": "VARCHAR",
    "bytes": "BIGINT",
    "width": "INTEGER",
    "height": "INTEGER",
    "label": "VARCHAR",
    "feature": "FLOAT[]",
    "output": "FLOAT[]",
    "top5": "INTEGER[]",
    "top5_probability": "FLOAT[]",
    "prediction": "VARCHAR",
    "correct": "BOOLEAN",
    **dict.fromkeys(LISTS, "FLOAT[]"),
    "outliers": "INTEGER[]",
    "grid": "INTEGER[]",
    "class_map": "BLOB",
    "class_map_max": "FLOAT",
    "thumbnail": "BLOB",
}


@dataclass(frozen=True)
class ScanRun:
    """Description of a scan.

    Attributes:
        folder: folder of the scan.
        complete: whether all images of the source were looked at.
        count: images in the source; None if unknown.
        source_kind, source_uri: kind and address of the source, not checked.
        model: name of the model, not checked.
        weights: SHA-256 of its weights, hexadecimal.
        layers, heads: layers, and heads of each.
        feature_dim: channels of the feature.
        size: input size, (height, width) in pixels.
        fit: fit of the images to that size.
        label_names: names of the labels; empty without labels.
        classes: names of the classes; empty if the model has none, or none with names.
        shards: files of the table of images, in order.
        digest: digest of the description and of the names, sizes and times of the shards.
    """

    folder: Path
    complete: bool
    count: int | None
    source_kind: str
    source_uri: str
    model: str
    weights: str
    layers: int
    heads: int
    feature_dim: int
    size: tuple[int, int]
    fit: str
    label_names: tuple[str, ...]
    classes: tuple[str, ...]
    shards: tuple[str, ...]
    digest: str

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name


def open_run(folder: Path) -> ScanRun:
    """Open a scan.

    Args:
        folder: folder with run.json and the tables.

    Raises:
        ScanError: if it is not a scan of version 1, has no images yet, or has tables without the columns of
            docs/data-format.md.
    """
    text = _read(folder / ABOUT)
    described = _parse(text, folder)
    shards = sorted(path for path in folder.glob("images-*.parquet") if shard_of(path.name) is not None)
    if not shards:
        raise ScanError(f"The scan {shown(folder.name)} has no images yet; wait until its first shard is written.")
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in shards]
    digest = sha256(text + repr(states).encode()).hexdigest()
    run = _described(described, folder, tuple(map(str, shards)), digest)
    _check_columns(run)
    return run


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_TEXT + 1)
    except OSError as error:
        raise ScanError(f"The file {shown_path(file)} cannot be read; check the folder of the scan.") from error
    if len(text) > MOST_TEXT:
        raise ScanError(f"{shown_path(file)} has more than {MOST_TEXT:,} bytes; scan the images again.")
    return text


def _parse(text: bytes, folder: Path) -> dict[str, Any]:
    try:
        described = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(folder, "it is not JSON") from error
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise ScanError(f"The folder {shown(folder.name)} is no scan; choose one that vitviz scan has written.")
    if described.get("version") != VERSION:
        raise ScanError(
            f"The scan {shown(folder.name)} has version {shown(described.get('version'))} of the format, and this is "
            f"for version {VERSION}; install another version of vitviz, or scan the images again."
        )
    return described


def _described(described: dict[str, Any], folder: Path, shards: tuple[str, ...], digest: str) -> ScanRun:
    def get(kind: type, *keys: str) -> Any:
        value: Any = described
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _invalid(folder, f"{'.'.join(keys)} is {shown(value)}")
        return value

    def names(value: object) -> tuple[str, ...]:
        return tuple(map(str, value)) if isinstance(value, list) else ()

    layers, heads, dimension = (get(int, "model", key) for key in ("layers", "heads", "feature_dim"))
    size = get(list, "settings", "size")
    if min(layers, heads, dimension) < 1 or layers * heads > MOST_HEADS or dimension > MOST_HEADS:
        raise _invalid(folder, f"it has {layers} layers, {heads} heads and {dimension} channels")
    if len(size) != 2 or not all(type(side) is int and 0 < side < MOST_HEADS for side in size):
        raise _invalid(folder, f"settings.size is {shown(size)}")
    source = described.get("source") if isinstance(described.get("source"), dict) else {}
    count = source.get("count")
    return ScanRun(
        folder,
        described.get("state") == "complete",
        count if type(count) is int and count >= 0 else None,
        str(source.get("kind", "")),
        str(source.get("uri", "")),
        get(str, "model", "name"),
        get(str, "model", "weights"),
        layers,
        heads,
        dimension,
        (size[0], size[1]),
        get(str, "settings", "fit"),
        names(described.get("label_names")),
        names(described["model"].get("classes")),
        shards,
        digest,
    )


def _check_columns(run: ScanRun) -> None:
    """Check the columns of the first shard, from which a query over all shards takes its columns."""
    found = database.query("DESCRIBE SELECT * FROM read_parquet($file)", {"file": run.shards[0]})
    kinds = dict(zip(found["column_name"], found["column_type"], strict=True))
    missing = [name for name in _COLUMNS if name not in kinds]
    if missing:
        raise ScanError(
            f"The scan {shown(run.name)} has no column {shown(missing[0])}; scan the images again with this version."
        )
    wrong = [name for name, kind in _COLUMNS.items() if not _fits(kinds[name], kind)]
    if wrong:
        raise ScanError(
            f"The column {shown(wrong[0])} of the scan {shown(run.name)} has the type {kinds[wrong[0]][:40]} in place "
            f"of {_COLUMNS[wrong[0]]}; scan the images again."
        )


def _fits(found: str, wanted: str) -> bool:
    """Return True for the type, a list of another length, or the type that an empty column has."""
    list_of = wanted.removesuffix("[]")
    return found in (wanted, '"NULL"', "NULL") or (wanted.endswith("[]") and found.startswith(f"{list_of}["))


def _invalid(folder: Path, why: str) -> ScanError:
    return ScanError(f"The file run.json of the scan {shown(folder.name)} is invalid ({why}); scan the images again.")


def short(text: str, most: int = LONGEST) -> str:
    """Return a label or path for the screen: without invisible characters, at most `most` characters.

    Names in a scan may be anything, and nothing may turn the reading direction or fill the page.
    """
    visible = "".join(char if char.isprintable() else " " for char in text[: 4 * most])
    return visible if len(visible) <= most and len(text) <= 4 * most else f"{visible[: most - 1]}…"


def finite(value: float | None) -> float | None:
    """Return a number of a table; None for null, NaN and infinity."""
    return None if value is None or not math.isfinite(value) else float(value)
