"""Entries of a lock file: requirements with versions and hashes."""

import re
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Entry:
    """Package of a lock file.

    Attributes:
        requirement: requirement with its version and marker.
        hashes: hashes of its files, such as `"sha256:..."`.
    """

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Normalised name."""
        return canonicalize_name(self.requirement.name)

    @property
    def specifier(self) -> str:
        """Version with its operator."""
        return str(self.requirement.specifier)

    @property
    def applies(self) -> bool:
        """True if the package is needed on this machine."""
        return self.requirement.marker is None or self.requirement.marker.evaluate()


def entries(text: str) -> list[Entry]:
    """Parse a requirements file. Lines that are neither comments nor requirements with hashes raise an error."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            found.append(Entry(Requirement(requirement), tuple(hashes)))
    return found
