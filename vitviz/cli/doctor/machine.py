"""Check of the free memory of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import VitvizError
from ...notation.variables import CACHE_MB
from .check import Check

LIBRARY_MB = 500  # PyTorch and a shipped model
APP_MB = 850  # the app with a shipped model, without cached results


def check_memory(root: Path = Path("/")) -> Iterator[Check]:
    """Compare the available memory with the needs of the app.

    Args:
        root: folder that contains the system's folders `proc` and `sys`.
    """
    available, needed = available_memory(root), APP_MB + _cache_mb()
    if available is None:
        yield Check("memory", "ok", {"available_mb": None, "app_mb": needed}, "This system does not state it.")
        return
    megabytes = available // 1_000_000
    facts = {"available_mb": megabytes, "app_mb": needed}
    summary = f"{megabytes} MB are available; the app may take {needed} MB, with its cache of {needed - APP_MB} MB."
    if megabytes >= needed:
        yield Check("memory", "ok", facts, summary)
        return
    if megabytes < LIBRARY_MB:
        advice = f"Close other programs or use a machine with more memory: a model needs about {LIBRARY_MB} MB."
        yield Check("memory", "failure", facts, summary, advice)
        return
    most = megabytes - APP_MB
    if most >= CACHE_MB.low:
        advice = f"Set {CACHE_MB.name} to at most {most}, or free memory."
    else:
        advice = "Free memory before you start the app; the command line and the library can be used."
    yield Check("memory", "warning", facts, summary, advice)


def available_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that this process can still allocate; None if the system does not state them.

    Args:
        root: folder that contains the system's folders `proc` and `sys`.
    """
    found = [_of_machine(root), _of_container(root)]
    return min((one for one in found if one is not None), default=None)


def _of_machine(root: Path) -> int | None:
    match = re.search(r"^MemAvailable:\s+(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE)
    return 1024 * int(match[1]) if match else None


def _of_container(root: Path) -> int | None:
    """Return what is left of a container's limit; None if there is no limit. Cached files count as available."""
    version_2 = "sys/fs/cgroup", "memory.max", "memory.current"
    version_1 = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
    for folder, limit, usage in (version_2, version_1):
        most, used = (_read(root / folder / file).strip() for file in (limit, usage))
        if most.isdecimal() and used.isdecimal():
            files = re.search(r"^(?:total_)?inactive_file (\d+)", _read(root / folder / "memory.stat"), re.MULTILINE)
            return max(0, int(most) - int(used) + (int(files[1]) if files else 0))
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _cache_mb() -> int:
    try:
        return CACHE_MB.value()
    except VitvizError:  # reported by another check
        return int(CACHE_MB.default)
