"""The live camera and a browser: what is sent, and what is taken from it."""

import base64
import json
from unittest.mock import Mock

import pytest

from tests.support.app_pages import picture
from tests.support.fake_browser import Browser, message
from vitviz.analysis.predictions import Prediction
from vitviz.ui.components import live_camera
from vitviz.ui.components.live_camera import Answer

FRAME = picture(16, "JPEG")
SENT = "data:image/jpeg;base64," + base64.b64encode(FRAME).decode()


@pytest.fixture
def heard():
    return Mock()


def browser(monkeypatch, heard, answer=None):
    return Browser(
        monkeypatch,
        live_camera.component,
        lambda: live_camera.live_camera(answer, side=64, on_frame=heard, key="it"),
    )


def test_a_frame_is_heard_once(monkeypatch, heard):
    page = browser(monkeypatch, heard)
    page.tell(message(1, "frame", SENT))
    page.tell(message(1, "frame", SENT))
    heard.assert_called_once_with(FRAME)


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        [SENT],
        "",
        "data:text/html;base64,PGI+",
        "data:image/jpeg;base64,not base64!",
        "data:image/jpeg;base64,é",
        "data:image/jpeg;base64," + "A" * live_camera.LARGEST_FRAME,
    ],
)
def test_what_is_no_frame_is_ignored(monkeypatch, heard, value):
    browser(monkeypatch, heard).tell(message(1, "frame", value))
    heard.assert_not_called()


def test_answers_are_sent_in_the_order_of_the_classes(monkeypatch, heard):
    answer = Answer([Prediction(0, "<b>mug</b>", 0.25), Prediction(1, "glass", 0.75)])
    page = browser(monkeypatch, heard, answer)
    page.draw()
    shown = json.loads(json.dumps(page.drawn["data"]))["answer"]["classes"]
    assert [tuple(one[:2]) for one in shown] == [("<b>mug</b>", 0.25), ("glass", 0.75)]


def test_a_problem_is_sent_instead(monkeypatch, heard):
    page = browser(monkeypatch, heard, Answer(problem="No image."))
    page.draw()
    assert page.drawn["data"]["answer"] == {"problem": "No image."}
