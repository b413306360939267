"""CITATION.cff and THIRD_PARTY.md: complete, and in agreement with the rest of the repository."""

import json
import re
import tomllib

import yaml

from tests.support.documents import ROOT
from vitviz.zoo import SHIPPED

LISTED = (ROOT / "THIRD_PARTY.md").read_text("utf-8")


def test_every_requirement_is_listed():
    """Those of the project; the lock file also has what these require."""
    names = ("library", "app", "dev", "exhaustive", "peers", "build")
    files = [ROOT / "requirements" / f"{name}.txt" for name in names]
    lines = [line for file in files for line in file.read_text().splitlines() if re.match(r"[a-zA-Z]", line)]
    names = {re.match(r"[\w.-]+", line)[0] for line in lines if "--hash" not in line}
    rows = set(re.findall(r"^\| ([\w.-]+) \| \S", LISTED, re.MULTILINE))
    assert names
    assert names <= rows
    packages = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert [name for name in packages if name not in LISTED] == []


def test_all_weights_and_images_are_listed():
    assert [entry.weights for entry in SHIPPED.values() if f"`{entry.weights}`" not in LISTED] == []
    photographs = [path.name for path in (ROOT / "assets" / "images").glob("*.jpg")]
    assert photographs
    assert [name for name in photographs if f"`{name}`" not in LISTED] == []


def test_the_citation_is_that_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys(), "required by the format, version 1.2.0"
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert [author["name"] in (ROOT / "LICENSE").read_text("utf-8") for author in citation["authors"]] == [True]
