"""The guided tour without a browser: its stops follow the model, links open it, and it can be left and resumed."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from vitviz.config import Rotary
from vitviz.ui.link import read_tour
from vitviz.ui.tour import read_stop
from vitviz.ui.tour.stops import stops
from vitviz.zoo import SHIPPED

from . import kinds
from .pages import query, start

CONFIGS = {
    **kinds.CONFIGS,
    "plain": kinds.PLAIN,
    "hybrid": replace(kinds.PLAIN, stem=True),
    "rotary": replace(kinds.PLAIN, learned_positions=False, rotary=Rotary()),
    "without positions": replace(kinds.PLAIN, learned_positions=False),
    "one head, one layer": replace(kinds.PLAIN, heads=1, depth=1),
}
COUNT = len(stops(kinds.PLAIN))


def said(kind: str) -> str:
    return "\n".join(f"{stop.title}. {stop.text} {stop.hint or ''}" for stop in stops(CONFIGS[kind]))


def taking(app: AppTest) -> bool:
    return app.session_state["tour"] is not None


# --- What is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_link_to_a_stop_fits_every_model(kind):
    pages = [stop.page for stop in stops(CONFIGS[kind])]
    assert pages == [stop.page for stop in stops(kinds.PLAIN)]
    assert pages == sorted(pages, key=["sequence", "attention", "explore"].index)
    assert all((stop.hint is None) == (stop.watch is None) for stop in stops(CONFIGS[kind]))


@pytest.mark.parametrize(
    ("kind", "speaks_of", "never_of"),
    [
        (
            "plain",
            ["class token", "8 × 8 pixels", "192 numbers", "24 learned filters", "All 3 heads"],
            ["turned by angles"],
        ),
        ("hybrid", ["convolutional network"], ["filters", "one vector", "slider"]),
        ("rotary", ["turned by angles"], ["learned vector"]),
        ("relative", ["learned number for how"], []),
        ("without positions", ["told nothing about places"], ["learned vector", "turned"]),
        ("differential", ["some are negative"], ["sum to 1"]),
        ("mean", ["the mean of the patches"], ["class token"]),
        ("pooled", ["one more attention"], ["class token", "“pool”"]),
        ("one head, one layer", ["one such block"], ["another head", "All 1", "Move through the layers,"]),
    ],
)
def test_the_words_follow_the_model(kind, speaks_of, never_of):
    text = said(kind)
    assert [words for words in speaks_of if words not in text] == []
    assert [words for words in never_of if words in text] == []


# --- Links and messages ----------------------------------------------------------------------------------------------


def test_a_link_counts_from_1():
    assert read_tour({"tour": "7", "layer": "3"}, COUNT) == (6, [])
    assert read_tour({"layer": "3"}, COUNT) == (None, [])


@pytest.mark.parametrize("text", ["0", str(COUNT + 1), "-1", "x", "", "1.5", "9" * 5000])
def test_a_link_to_no_stop_is_left_out_with_a_notice(text):
    stop, notices = read_tour({"tour": text}, COUNT)
    assert stop is None
    assert f"1 to {COUNT}" in notices[0]


@pytest.mark.parametrize("message", [None, True, -1, COUNT, 1.0, "3", [1], {"go": 1}])
def test_a_message_that_is_no_stop_is_refused(message):
    with pytest.raises(ValueError, match="no stop"):
        read_stop(message, COUNT)


def test_a_message_is_read():
    assert read_stop(0, COUNT) == 0


# --- In the app ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", SHIPPED)
@pytest.mark.parametrize("stop", [1, 9, COUNT])
def test_a_link_opens_the_tour_at_its_page(model, stop):
    app = start(model=model, tour=str(stop))
    assert not app.exception
    assert not app.warning
    assert query(app)["tour"] == str(stop)
    assert query(app)["model"] == model
    titles = [title.value for title in app.title]
    page = stops(kinds.PLAIN)[stop - 1].page
    assert titles == {"sequence": ["From image to sequence"], "attention": ["Attention"], "explore": []}[page]


def test_nonsense_is_said_and_opens_no_tour():
    app = start(tour="99")
    assert "tour" in app.warning[0].value
    assert not taking(app)
    assert "tour" not in query(app)


def test_the_tour_is_offered_until_it_is_taken():
    app = start()
    assert not taking(app)
    app.button(key="start_tour").click().run()
    assert not app.exception
    assert app.session_state["tour"] == 0
    assert [title.value for title in app.title] == ["From image to sequence"]
    assert query(app)["tour"] == "1"
    assert not [button for button in app.button if button.key in ("sidebar_tour", "start_tour")]


def test_it_goes_on_where_it_was_left():
    app = start()
    app.session_state["tour_left"] = 8
    app.run()
    assert app.button(key="sidebar_tour").label == "Resume the tour at stop 9"
    app.button(key="sidebar_tour").click().run()
    assert app.session_state["tour"] == 8
    assert [title.value for title in app.title] == ["Attention"]


def test_the_stop_stays_in_the_address_of_every_page():
    app = start(tour="4")
    app.switch_page("pages/explore.py").run()
    assert query(app)["tour"] == "4"
    assert taking(app), "whoever looks at another page has not left the tour"
