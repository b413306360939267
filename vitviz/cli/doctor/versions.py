"""Check of the installed versions."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from ... import __version__
from ..requirements import install_command, installed, required, unmet
from .check import Check


def check_versions() -> Iterator[Check]:
    """Compare the installed packages with the requirements. Without those of the app, the library still works."""
    versions = {"python": platform.python_version(), "vitviz": __version__}
    versions |= {one.name: installed(one) for part in ("library", "app") for one in required(part)}
    summary = ", ".join(f"{name} {version}" for name, version in versions.items() if version) + "."
    of_library, of_app = unmet("library"), unmet("app")
    if not of_library and not of_app:
        yield Check("versions", "ok", versions, summary)
        return
    status, what = ("failure", "vitviz") if of_library else ("warning", "the app, though not by the library")
    missing = ", ".join(str(one) for one in (*of_library, *of_app))
    advice = f"Run {install_command([*of_library, *of_app])}"
    yield Check("versions", status, versions, f"{summary} Missing, but required by {what}: {missing}.", advice)
