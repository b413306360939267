"""A page in one file and one entry: navigation, cards and links follow, and its setting outlives a page change."""

import shutil
from pathlib import Path

import pytest
import streamlit as st

from tests.support import app_pages as pages
from tests.support.app_pages import opened, query, start
from vitviz.notation.marks import parse_number
from vitviz.ui.app import link
from vitviz.ui.app.registry import PAGES, PageEntry, offered, page_at, register, unregister
from vitviz.ui.app.settings import Setting

FILE = """
import streamlit as st

from vitviz.ui.app import shell
from vitviz.ui.app.registry import page_at

shell.enter("pages/histogram.py")
(bins,) = page_at("histogram").settings
st.title("Histogram")
bins.draw(st.slider, "Bins", 1, 20)
"""
BINS = Setting("histogram_bins", 10, "bins", read=lambda text, _: 1 + parse_number(text, 20))
ENTRY = PageEntry("histogram", "Histogram", ":material/bar_chart:", "How are the weights distributed?", (BINS,))


@pytest.fixture(autouse=True)
def app_with_one_page_more(tmp_path, monkeypatch):
    root = Path(pages.APP).parent
    shutil.copy(root / "app.py", tmp_path)
    shutil.copytree(root / "pages", tmp_path / "pages")
    (tmp_path / "assets").mkdir()
    shutil.copy(root / "assets" / "icon.svg", tmp_path / "assets")
    (tmp_path / "pages" / "histogram.py").write_text(FILE, "utf-8")
    monkeypatch.setattr(pages, "APP", str(tmp_path / "app.py"))
    register(ENTRY)
    yield
    unregister(ENTRY.name)


def histogram(**parameters: str):
    app = opened("histogram", **parameters)
    assert not app.exception
    assert [title.value for title in app.title] == ["Histogram"]
    return app


def test_it_is_in_the_navigation_and_among_the_cards(monkeypatch):
    shown, navigation = [], st.navigation
    monkeypatch.setattr(st, "navigation", lambda entries, **how: shown.extend(entries) or navigation(entries, **how))
    cards = {card.proto.page: card.proto.label for card in start().get("page_link")}
    assert [entry.title for entry in shown] == [page.title for page in offered()]
    assert list(cards.values()) == [page.title for page in offered()[1:]]
    assert cards[ENTRY.name] == ENTRY.title


def test_a_link_opens_its_setting():
    app = histogram(bins="3")
    assert not app.warning
    assert app.slider(key="histogram_bins").value == 3
    assert query(app)["bins"] == "3"


def test_a_link_says_what_could_not_be_used():
    app = histogram(bins="21")
    assert app.slider(key="histogram_bins").value == 10
    assert app.warning[0].value.startswith("The link's bins “21” was ignored")
    assert "bins" not in query(app)
    assert not app.run().warning, "said once"


def test_its_parameter_is_known_where_names_are_misspelt():
    assert "bins" in link.parameter_names()
    (notice,) = link.find_misspelled(["bbins"])
    assert "“bins”" in notice


def test_its_setting_is_in_the_address_and_outlives_a_page_change():
    app = histogram()
    assert "bins" not in query(app), "nobody has chosen it"
    app.slider(key="histogram_bins").set_value(7).run()
    assert query(app)["bins"] == "7"
    app.switch_page("pages/start.py").run()
    assert "bins" not in query(app), "it is of the other page"
    app.switch_page("pages/histogram.py").run()
    assert app.slider(key="histogram_bins").value == 7
    assert query(app)["bins"] == "7"


def test_a_link_is_read_when_its_page_is_opened():
    app = start(bins="5").switch_page("pages/histogram.py").run()
    assert app.slider(key="histogram_bins").value == 5


def test_its_name_is_its_own():
    with pytest.raises(ValueError, match="histogram"):
        register(ENTRY)
    assert page_at("histogram") == ENTRY
    assert page_at("") == PAGES[0]
