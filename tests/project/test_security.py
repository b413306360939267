"""SECURITY.md: its numbers and names are those of the code."""

import inspect
import re
import tomllib

from scripts.app_server import ROOT
from tests.support.facts import assert_mentions
from vitviz.images import limits
from vitviz.ui.app.serving.middleware import UploadLimit

TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
CONFIG = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())


def test_limits_are_those_of_the_code():
    files = inspect.signature(UploadLimit).parameters["most"].default
    uploads = CONFIG["server"]["maxUploadSize"]
    megapixels = limits.MAX_PIXELS // 1_000_000
    assert_mentions(TEXT, uploads, megapixels, limits.MAX_ASPECT, limits.MIN_SIDE, files)


def test_streamlit_is_configured_as_promised():
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert not {"enableCORS", "enableXsrfProtection"} & CONFIG["server"].keys(), "both are on by default"


def test_links_lead_to_files_and_sections():
    for path, section in re.findall(r"\]\(([\w./-]+)(?:#([\w-]+))?\)", TEXT):
        assert (ROOT / path).is_file(), path
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
        assert not section or section in [heading.lower().replace(" ", "-") for heading in headings]


def test_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall("`make ([a-z-]+)`", TEXT)) <= targets
