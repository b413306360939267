"""Thumbnails of a chart and a browser: what is sent, and what is taken from it."""

from unittest.mock import Mock

import pytest

from tests.support.app_pages import picture
from tests.support.fake_browser import Browser, message
from vitviz.ui.components import hover_thumbnail as component
from vitviz.ui.components.hover_thumbnail import Thumbnail, hover_thumbnail
from vitviz.viz.inline import data_url


def browser(monkeypatch, heard, answer=None):
    return Browser(
        monkeypatch,
        component.component,
        lambda: hover_thumbnail("map", answer, most=9, on_hover=heard, key="it"),
    )


def test_a_position_is_heard_once(monkeypatch):
    heard = Mock()
    browser(monkeypatch, heard).tell(message(1, "hover", 9.0), message(1, "hover", 9.0))
    heard.assert_called_once_with(9)


@pytest.mark.parametrize("value", [None, "3", -1, 10, 2.5, True, float("nan"), float("inf"), [3], {"position": 3}])
def test_what_is_no_position_is_ignored(monkeypatch, value):
    heard = Mock()
    browser(monkeypatch, heard).tell(message(1, "hover", value))
    heard.assert_not_called()


def test_the_answer_is_sent_with_its_position(monkeypatch):
    data = picture(16, "JPEG")
    page = browser(monkeypatch, Mock(), Thumbnail(4, data))
    page.draw()
    assert page.drawn["data"]["answer"] == {"position": 4, "picture": data_url(data)}
