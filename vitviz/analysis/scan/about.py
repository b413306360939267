"""Description of a scan, `run.json`: model, source, settings and versions."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import torch

from ... import __version__
from ...errors import ScanError
from ...errors.arguments import shown
from ...images import check_size
from ...trace.saved_weights import fingerprint
from ...trace.vision_transformer import VisionTransformer
from .folder import Folder
from .schema import ABOUT, FORMAT, VERSION
from .sources.source import Source
from .worker import Settings

COMPLETE, RUNNING = "complete", "running"


def description(model: VisionTransformer, source: Source, settings: Settings) -> dict[str, Any]:
    """Return the description of a scan that begins."""
    config, used = model.config, model.preprocessing
    weight = next(model.parameters())
    return {
        "format": FORMAT,
        "version": VERSION,
        "state": RUNNING,
        "created": now(),
        "finished": None,
        "source": {
            "kind": source.kind,
            "uri": source.uri,
            "labels": source.labels,
            "count": len(source),
            "digest": source.digest,
        },
        "model": {
            "name": model.name,
            "weights": fingerprint(model),
            "layers": config.depth,
            "heads": config.num_heads,
            "embed_dim": config.embed_dim,
            "feature_dim": config.feature_dim,
            "patch_size": config.patch_size,
            "prefix": config.num_prefix_tokens,
            "registers": config.num_registers,
            "class_token": config.class_token,
            "output_kind": model.output_kind,
            "classes": list(model.labels) or None,
            "linear_head": model.linear_head or None,
        },
        "preprocessing": used.options | {"centre": used.centre},
        "settings": {
            "size": list(check_size(settings.input.size, config.patch_size)),
            "fit": settings.input.fit,
            "shard_size": settings.shard_size,
            "patch_tokens": [layer + 1 for layer in settings.patch_tokens],
            "device": str(weight.device),
            "dtype": str(weight.dtype).removeprefix("torch."),
        },
        "label_names": None,
        "versions": {
            "vitviz": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "pyarrow": pa.__version__,
        },
        "rate": None,
    }


def read_about(folder: Folder) -> dict[str, Any]:
    """Read and check the description of a scan.

    Raises:
        ScanError: if the folder holds no scan, or one of a newer version.
    """
    try:
        about = json.loads(folder.read(ABOUT))
    except FileNotFoundError as error:
        raise ScanError(f"There is no scan in {shown(str(folder))}; give a folder that vitviz scan wrote.") from error
    except Exception as error:  # not JSON, or an error of the file system
        raise ScanError(f"The scan in {shown(str(folder))} cannot be read; its file {ABOUT} is damaged.") from error
    parts = ("source", "model", "preprocessing", "settings", "versions")
    if (
        not isinstance(about, dict)
        or about.get("format") != FORMAT
        or not isinstance(about.get("version"), int)
        or not all(isinstance(about.get(part), dict) for part in parts)
    ):
        raise ScanError(f"The file {ABOUT} in {shown(str(folder))} is not that of a scan; give another folder.")
    if about["version"] != VERSION:
        raise ScanError(
            f"The scan in {shown(str(folder))} has version {shown(about['version'])} of the format, and this vitviz "
            f"reads version {VERSION}; install the vitviz that wrote it, or scan again."
        )
    return about


def write_about(folder: Folder, about: dict[str, Any]) -> None:
    """Write the description of a scan."""
    folder.write(ABOUT, json.dumps(about, indent=1, ensure_ascii=False).encode())


def check_same(old: dict[str, Any], new: dict[str, Any], folder: Folder) -> None:
    """Check that a scan can be continued: it has the same model, source and settings, on any device.

    Raises:
        ScanError: if something differs; the message names it.
    """
    for part, keys in (
        ("model", ("name", "weights", "linear_head")),
        ("source", ("kind", "uri", "labels", "count", "digest")),
        ("preprocessing", tuple(new["preprocessing"])),
        ("settings", ("size", "fit", "shard_size", "patch_tokens", "dtype")),
    ):
        for key in keys:
            if old[part].get(key) != new[part][key]:
                difference = _difference(part, key, old[part].get(key), new[part][key])
                raise ScanError(
                    f"The scan in {shown(str(folder))} has {difference}; "
                    "continue it with the same model, source and settings, or choose another folder."
                )


def now() -> str:
    """Return the present time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _difference(part: str, key: str, old: object, new: object) -> str:
    if key in ("weights", "digest"):
        return {"weights": "other weights of the model", "digest": "other images in its source"}[key]
    return f"{key} {_text(old)} in its {part}, not {_text(new)}"


def _text(value: object) -> str:
    return shown(value) if isinstance(value, str) else json.dumps(value)
