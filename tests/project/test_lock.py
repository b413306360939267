"""Lock file of the container image: complete, with hashes, and independent of a package index."""

import re
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.app_server import ROOT
from tests.support.locked import entries

LOCK = entries((ROOT / "requirements/lock.txt").read_text())
HERE = {entry.name: entry for entry in LOCK if entry.applies}


def requirements(name):
    return [Requirement(line) for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines()]


@pytest.mark.parametrize("name", ["library", "app", "data"])
def test_it_satisfies_the_requirements(name):
    for requirement in requirements(name):
        (version,) = HERE[canonicalize_name(requirement.name)].requirement.specifier
        assert version.version in requirement.specifier, requirement


@pytest.mark.parametrize("name", ["lock", "build"])
def test_every_package_has_one_version_and_hashes(name):
    for entry in entries((ROOT / f"requirements/{name}.txt").read_text()):
        (version,) = entry.requirement.specifier
        assert version.operator == "==", entry
        assert "*" not in version.version, entry
        assert entry.hashes, entry
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", one) for one in entry.hashes), entry


def test_no_package_is_there_twice():
    assert len({entry.name for entry in LOCK}) == len(LOCK)


@pytest.mark.parametrize("name", ["lock", "build"])
def test_it_names_no_address(name):
    text = (ROOT / f"requirements/{name}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash=)", text, re.MULTILINE), "an option, such as that of an index"


def test_what_the_packages_require_is_locked_too():
    """Checked with the metadata of the packages that are installed here in the locked version."""
    compared = 0
    for entry in HERE.values():
        try:
            installed = distribution(entry.name)
        except PackageNotFoundError:
            continue
        if installed.version.partition("+")[0] not in entry.requirement.specifier:
            continue
        compared += 1
        for requirement in map(Requirement, installed.requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                (version,) = HERE[canonicalize_name(requirement.name)].requirement.specifier
                assert requirement.specifier.contains(version.version, prereleases=True), (entry.name, requirement)
    assert compared, "no package is installed in its locked version; run make lock"
