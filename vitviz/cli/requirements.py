"""Packages that vitviz requires, and their installed versions."""

from __future__ import annotations

import importlib.metadata
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # imported in `required` only, so that `vitviz doctor` can report that it is missing
    from packaging.requirements import Requirement

Part = Literal["library", "app", "data", "notebook", "ray"]

_FOLDER = Path(__file__).parents[2] / "requirements"  # of a checkout


def required(part: Part) -> list[Requirement]:
    """Return the requirements of the library, or the further ones of the app or of another extra.

    They are read from the folder `requirements` of a checkout, or from the metadata of an installed package.
    """
    from packaging.requirements import Requirement

    file = _FOLDER / f"{part}.txt"
    if file.is_file():
        lines = file.read_text(encoding="utf-8").splitlines()
        return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    every = [Requirement(line) for line in importlib.metadata.requires("vitviz") or ()]
    of_library = [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]
    if part == "library":
        return of_library
    return [one for one in every if one not in of_library and one.marker.evaluate({"extra": part})]


def installed(requirement: Requirement) -> str | None:
    """Return the installed version of a required package; None if it is not installed."""
    try:
        return importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return None


def unmet(part: Part) -> list[Requirement]:
    """Return the requirements that are not installed, or in another version."""
    versions = ((one, installed(one)) for one in required(part))
    return [one for one, version in versions if version is None or not one.specifier.contains(version, True)]


def install_command(requirements: Sequence[Requirement]) -> str:
    """Return a shell command that installs these requirements into the Python environment of this process."""
    return shlex.join([sys.executable, "-m", "pip", "install", *(_without_marker(one) for one in requirements)])


def _without_marker(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"
