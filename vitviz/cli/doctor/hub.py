"""Checks of model downloads: cache folder, free disk, and the Hugging Face hub."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...errors import VitvizError
from ...notation.variables import MAX_DOWNLOAD_GB
from .check import Check

LEAST_MB = 100  # a small model
OFFLINE = "HF_HUB_OFFLINE"


def check_hub() -> Iterator[Check]:
    """Check that models can be downloaded, unless downloads are disabled."""
    from huggingface_hub import constants

    cache, is_offline = Path(constants.HF_HUB_CACHE), constants.HF_HUB_OFFLINE
    largest = 0.0 if is_offline else _largest_gb()
    yield _cache(cache, bool(largest))
    yield _disk(cache, largest)
    yield _reachable(constants.ENDPOINT, is_offline)


def _cache(cache: Path, is_needed: bool) -> Check:
    facts = {"folder": str(cache), "writable": True}
    try:
        with tempfile.TemporaryFile(dir=_existing(cache)):
            return Check("model cache", "ok", facts, f"Models can be stored in {cache}.")
    except OSError as error:
        facts |= {"writable": False}
        summary = f"Nothing can be written to {cache}: {error.strerror or error}."
    if not is_needed:
        return Check("model cache", "ok", facts, f"{summary} Downloads are disabled.")
    advice = (
        f"Set HF_HOME to a folder that this user can write to, or disable downloads with {MAX_DOWNLOAD_GB.name}=0 or "
        f"{OFFLINE}=1."
    )
    return Check("model cache", "failure", facts, summary, advice)


def _disk(cache: Path, largest: float) -> Check:
    try:
        free = shutil.disk_usage(_existing(cache)).free // 1_000_000
    except OSError as error:
        return Check("disk", "warning", {"free_mb": None}, f"The free space is not known: {error.strerror or error}.")
    facts, summary = {"free_mb": free, "largest_download_mb": round(1000 * largest)}, f"{free} MB are free."
    if free >= 1000 * largest:
        return Check("disk", "ok", facts, summary)
    advice = f"Free disk space, set HF_HOME to a folder on another disk, or lower {MAX_DOWNLOAD_GB.name}."
    if free < LEAST_MB:
        summary = f"{summary} A small model takes {LEAST_MB} MB."
        return Check("disk", "failure", facts, summary, advice)
    summary = f"{summary} The largest model that may be downloaded takes {largest:g} GB."
    return Check("disk", "warning", facts, summary, advice)


def _reachable(address: str, is_offline: bool) -> Check:
    from ...zoo.hub import can_reach_hub

    facts = {"address": address, "offline": is_offline, "reachable": can_reach_hub()}
    if facts["reachable"]:
        return Check("hub", "ok", facts, f"{address} answers.")
    reason = f"{OFFLINE} is set" if is_offline else f"{address} does not answer"
    return Check("hub", "ok", facts, f"{reason}: only models on this disk can be loaded.")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest parent that exists, in which the folder would be created."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _largest_gb() -> float:
    """Return the gigabytes of the largest download. The default is that for this machine only."""
    try:
        return MAX_DOWNLOAD_GB.value("2")
    except VitvizError:  # reported by another check
        return 2.0
