"""Teacher's guide: opened on the first page, and about what the app has."""

import re
from itertools import pairwise
from pathlib import Path

from scripts.app_server import ROOT
from tests.support.app_pages import start
from vitviz.ui.app import class_images, teaching
from vitviz.ui.app.registry import PAGES

GUIDE = teaching.FILE.read_text("utf-8")


def test_the_first_page_opens_it():
    app = start()
    app.button(key="start_teaching").click().run()
    assert not app.exception
    assert any("45 minutes" in text.value and "| --- |" in text.value for text in app.markdown)


def test_an_installation_without_the_file_offers_nothing(monkeypatch):
    monkeypatch.setattr(teaching, "FILE", Path("nowhere.md"))
    assert "start_teaching" not in [button.key for button in start().button]


def test_it_names_what_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", GUIDE)) <= targets
    assert f"{class_images.VARIABLE}=" in GUIDE
    assert f"{class_images.LONGEST:.0f}" in GUIDE
    assert f"{class_images.MOST_IMAGES} images and {class_images.MOST_BYTES // 1_000_000} MB" in GUIDE
    titles = {page.title for page in PAGES}
    assert set(re.findall(r"\b(Image to sequence|Attention|Explore|Intervene|Explain|Lens|Tokens)\b", GUIDE)) <= titles


def test_its_plans_last_as_long_as_they_say():
    for minutes in (45, 20, 90):
        _, _, plan = GUIDE.partition(f"## {minutes} minutes\n")
        rows = re.findall(r"^\| (\d+)–(\d+) \|", plan.partition("\n## ")[0], re.MULTILINE)
        spans = [(int(first), int(last)) for first, last in rows]
        assert spans[-1][1] == minutes
        assert all(one[1] == other[0] for one, other in pairwise(spans))
        assert spans[0][0] == (45 if minutes == 90 else 0), "the longer one begins with the shorter"


def test_the_readme_links_to_it():
    assert "(docs/teaching.md)" in (ROOT / "README.md").read_text("utf-8")
