"""Widgets of Streamlit whose messages were tampered with: a value that is not offered is not taken."""

import json
import math

import pytest
import streamlit

from benchmarks.session import Session
from scripts.app_server import running_app
from tests.support.event_loops import run_to_its_end
from tests.support.session_state import SessionState
from vitviz.ui.app import settings
from vitviz.ui.app.settings import Setting


@pytest.fixture
def session(monkeypatch):
    found = SessionState()
    monkeypatch.setattr(streamlit, "session_state", found)
    settings.begin({})
    return found


def test_a_value_that_is_not_offered_is_not_taken(session):
    """Streamlit passes on what a browser sends for some widgets."""
    taken = []
    setting = Setting("a", 1, valid=lambda value, _: value in (1, 2))

    def widget(*, key, on_change, args):
        session[key] = sent
        on_change(*args)

    for sent, kept in ((2, 2), (3, 2), ("<b>", 2), (None, 2), (1, 1)):
        assert setting.draw(widget, then=lambda sent=sent: taken.append(sent)) == kept
    assert taken == [2, 1]


JUNK = {
    "int_value": 10**9,
    "double_value": math.nan,
    "string_value": "x" * 10_000,
    "bool_value": True,
    "trigger_value": True,
    "bytes_value": b"\xff" * 1000,
    "json_value": json.dumps({"outbox": {"session": "x", "messages": [{"number": 1e308}]}, "drawing": "x"}),
}
LISTS = {"double_array_value": [math.inf, -1.0], "int_array_value": [-1, 10**9], "string_array_value": ["<b>", ""]}


def test_a_tab_that_tampers_with_every_widget_harms_no_other_and_works_again():
    async def all_of_it(url: str) -> None:
        hostile, other = Session(url), Session(url)
        for tab in (hostile, other):
            await tab.connect()
            await tab.open("explore")
        for kind in (*JUNK, *LISTS):

            def fill(states, kind=kind) -> None:
                for name, _ in hostile.elements.values():
                    state = states.add()
                    state.id = name
                    if kind in LISTS:
                        getattr(state, kind).data.extend(LISTS[kind])
                    else:
                        setattr(state, kind, JUNK[kind])

            await hostile._run(fill)
        await hostile.leave()
        reloaded = Session(url)
        await reloaded.connect()
        for tab in (other, reloaded):
            tab.elements.clear()
            await tab.open("explore")
            assert "explorer" in tab.elements
            await tab.leave()

    with running_app() as url:
        run_to_its_end(all_of_it(url))
