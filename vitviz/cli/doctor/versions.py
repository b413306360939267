"""Checks of the installed versions."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from ... import __version__
from ..requirements import Part, install_command, installed, required, unmet
from .check import Check

EXTRAS: dict[Part, str] = {
    "data": "vitviz scan and the page Collection",
    "notebook": "Trace.show in a notebook",
    "ray": "vitviz scan --engine ray",
}


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


def check_extras() -> Iterator[Check]:
    """Compare the packages of the extras with their requirements. Nothing else needs these packages."""
    for extra, users in EXTRAS.items():
        versions = {one.name: installed(one) for one in required(extra)}
        found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        lacking = unmet(extra)
        if not lacking:
            yield Check(f"extra {extra}", "ok", versions, f"{found}, for {users}.")
            continue
        missing = ", ".join(map(str, lacking))
        advice = f"For {users}, run {install_command(lacking)}"
        outdated = any(versions[one.name] for one in lacking)
        status = "warning" if outdated else "ok"
        yield Check(f"extra {extra}", status, versions, f"Not installed, but required by {users}: {missing}.", advice)
