"""Teacher's guide: opened on the first page, and about what the app has."""

import re
from itertools import pairwise
from pathlib import Path

from scripts.app_server import ROOT
from tests.support.app_pages import start
from vitviz.notation.variables import CLASS_HOURS
from vitviz.ui.app import class_images, teaching
from vitviz.ui.app.registry import PAGES
from vitviz.ui.pages.lesson.prediction import SKIPPED

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
    assert f"{CLASS_HOURS.name}=" in GUIDE
    assert f"{CLASS_HOURS.high:.0f}" in GUIDE
    assert f"{class_images.MOST_IMAGES} images and {class_images.MOST_BYTES // 1_000_000} MB" in GUIDE
    assert f"{class_images.MOST_OWNED} images by one person" in GUIDE
    titles = {page.title for page in PAGES}
    assert set(re.findall(r"\b(Image to sequence|Attention|Explore|Intervene|Explain|Lens|Tokens)\b", GUIDE)) <= titles


def test_it_names_buttons_that_exist():
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "vitviz" / "ui").rglob("*.py"))
    labels = set(re.findall(r"\*\*(.+?)\*\*", GUIDE))
    assert len(labels) > 5
    assert [label for label in labels if not re.search(rf"[\"']{re.escape(label)}\b", code)] == []


def test_its_plan_tells_of_each_prediction_that_hides_a_result():
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "vitviz" / "ui" / "pages").rglob("*.py"))
    known = {"tokens": "patch size", "shuffle": "shuffling", "strongest": "strongest", "temperature": "temperature"}
    assert set(re.findall(r"predicted\(\s*\"(\w+)\"", code)) == set(known)
    (before,) = re.findall(r"## Before the lesson\n(.*?)\n## ", GUIDE, re.DOTALL)
    assert all(word in before for word in known.values())
    assert f"**{SKIPPED}**" in before


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
