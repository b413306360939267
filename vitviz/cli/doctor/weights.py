"""Checks of the shipped models: checksums, and a forward pass compared with stored numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import VitvizError
from ..requirements import install_command, required
from .check import Check

if TYPE_CHECKING:
    from ...zoo import ZooEntry


def check_models() -> Iterator[Check]:
    """Check the files and the outputs of all shipped models."""
    from ...zoo import SHIPPED

    for entry in SHIPPED.values():
        yield _checksum(entry)
        yield _forward_pass(entry)


def _checksum(entry: ZooEntry) -> Check:
    from ...zoo.shipped import sha256_of

    name, facts = f"weights of {entry.name}", {"file": str(entry.path), "expected_sha256": entry.sha256}
    advice = f"Install vitviz again; in a clone of the repository, run git checkout assets/models/{entry.weights}."
    try:
        facts |= {"bytes": entry.path.stat().st_size, "sha256": sha256_of(entry.path)}
    except OSError as error:
        return Check(name, "failure", facts, f"{entry.path} cannot be read: {error.strerror or error}.", advice)
    if facts["sha256"] != entry.sha256:
        summary = f"{entry.path} has {facts['bytes']} bytes and differs from the shipped file."
        return Check(name, "failure", facts, summary, advice)
    return Check(name, "ok", facts, f"{entry.weights} has the right checksum.")


def _forward_pass(entry: ZooEntry) -> Check:
    from ...zoo.integrity import TOLERANCE, largest_error

    name, facts = f"forward pass of {entry.name}", {"tolerance": TOLERANCE}
    began = time.perf_counter()
    try:
        error = largest_error(entry)
    except VitvizError as problem:
        return Check(name, "failure", facts, "The model could not be loaded.", str(problem))
    seconds = time.perf_counter() - began
    facts |= {"largest_error": error if math.isfinite(error) else None, "seconds": round(seconds, 3)}
    summary = f"Loaded and run in {seconds:.1f} s; the largest relative error is {error:.1e}."
    if error <= TOLERANCE:  # not true for NaN
        return Check(name, "ok", facts, summary)
    torch = install_command([one for one in required("library") if one.name == "torch"])
    advice = f"Do not trust the numbers of this installation; install PyTorch again with {torch} --force-reinstall"
    return Check(name, "failure", facts, summary, advice)
