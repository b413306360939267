"""Work for a tab that was closed ends: of the page run itself, and, on a real server, of jobs."""

from types import SimpleNamespace

import pytest
from streamlit.runtime.scriptrunner import StopException

from tests.support.app_pages import opened
from vitviz.model.vit import Block
from vitviz.ui.app import cache, connections
from vitviz.ui.app.turns import one_at_a_time


@pytest.fixture
def closed(monkeypatch):
    """Make all tabs seem closed."""
    cache.clear()
    monkeypatch.setattr(connections, "is_connected", lambda _session: False)


def blocks_run(monkeypatch, after=lambda _count: None) -> list:
    """Record the blocks that run, and call a function with their number after each."""
    forward, run = Block.forward, []

    def counted(*arguments):
        result = forward(*arguments)
        run.append(1)
        after(len(run))
        return result

    monkeypatch.setattr(Block, "forward", counted)
    return run


def test_a_page_that_waited_for_its_turn_does_not_begin(closed, monkeypatch):
    run = blocks_run(monkeypatch)
    assert not opened("explore", model="digits", image="digit-4").exception
    assert run == []
    assert not one_at_a_time.is_mine()


def test_a_pass_of_a_page_ends_before_its_next_block(monkeypatch):
    cache.clear()

    def close(count: int) -> None:
        if count == 1:
            monkeypatch.setattr(connections, "is_connected", lambda _session: False)

    run = blocks_run(monkeypatch, close)
    assert not opened("explore", model="digits", image="digit-4").exception
    assert len(run) == 1
    monkeypatch.setattr(connections, "is_connected", lambda _session: True)
    app = opened("explore", model="digits", image="digit-4")
    assert not app.exception
    assert len(run) > 6, "the result of the pass that was stopped is not kept"


def test_only_runs_of_a_page_that_was_closed_are_stopped(monkeypatch):
    connections.stop_if_closed()  # not in a page run
    monkeypatch.setattr(connections, "get_script_run_ctx", lambda **_: SimpleNamespace(session_id="a"))
    monkeypatch.setattr(connections.runtime, "exists", lambda: True)
    monkeypatch.setattr(connections, "is_connected", lambda session: session == "a")
    connections.stop_if_closed()
    monkeypatch.setattr(connections, "is_connected", lambda session: session != "a")
    with pytest.raises(StopException):
        connections.stop_if_closed()
