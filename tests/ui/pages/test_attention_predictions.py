"""Predictions on the page "Attention": asked once for an image, however the page was opened, then never again."""

import re

import numpy as np
import pytest
import torch

from tests.support.app_pages import choice_of, explore, placed, query, texts
from tests.support.attention_page import attention, fine, predict, predictions, revealed, shown_view
from tests.support.exhaustive import exhaustive
from vitviz.notation.marks import parse_token, percent
from vitviz.ui.app import state
from vitviz.ui.pages.attention import head_view
from vitviz.ui.pages.attention.on_image import predicted_patches

LINKS = (
    {"layer": "3", "head": "2", "query": "4-5"},
    {"layer": "12", "head": "1"},
    {"query": "cls"},
    {"model": "digits", "image": "digit-4", "layer": "4", "query": "cls"},
)


@pytest.fixture
def overlays(monkeypatch):
    """Overlays of all pickers that were drawn last, by key."""
    shown, picker = {}, head_view.patch_picker

    def recorded(*given, key, **more):
        shown[key] = more["overlay"]
        return picker(*given, key=key, **more)

    monkeypatch.setattr(head_view, "patch_picker", recorded)
    return shown


def test_the_weights_are_shown_after_the_prediction(overlays):
    app = attention()
    assert overlays["attention_picker"] is None
    predict(app, "strongest", "A")
    trace, (layer, head) = state.trace(choice_of(app)), shown_view(app)
    weights = trace.attention(layer, head, trace.prefix + 8 * 16 + 8)
    np.testing.assert_allclose(overlays["attention_picker"].values.ravel(), weights[1:], rtol=1e-4)
    (said,) = placed(app, "prediction_strongest")
    listed = re.findall(r"([ABC]) \(patch \((\d+), (\d+)\)\) ([\d.]+ %)", said)
    found = {letter: float(weights[1 + 16 * (int(row) - 1) + int(column) - 1]) for letter, row, column, _ in listed}
    assert [share for *_, share in listed] == [percent(weight) for weight in found.values()]
    assert re.search(r"largest weight is at (\w)", said)[1] == max(found, key=found.get)
    assert max(found.values()) == pytest.approx(weights[1:].max())


@pytest.mark.parametrize("link", LINKS)
def test_a_link_asks_too(link, overlays):
    app = attention(**link)
    choice, (layer, head) = choice_of(app), shown_view(app)
    token = parse_token(query(app)["query"], state.trace(choice))
    asks = bool(predicted_patches(head_view.at(choice, head_view.Place(layer, head, token, 0))))
    assert asks == bool(predictions(app, "strongest")) == (overlays["attention_picker"] is None)
    revealed(app)
    assert overlays["attention_picker"] is not None
    again = attention(**query(app))  # a reload, or somebody else with this link
    assert bool(predictions(again, "strongest")) == asks


@pytest.mark.parametrize("answer", ["A", exhaustive("B"), exhaustive("Show me")])
def test_after_the_first_prediction_other_heads_and_tokens_are_shown_at_once(answer, overlays):
    app = predict(attention(layer="12", head="1", query="9-9"), "strongest", answer)
    first = placed(app, "prediction_strongest")
    assert (first is None) == (answer == "Show me")
    app.selectbox(key="attention_head").select(3).run()
    assert not predictions(app, "strongest")
    assert overlays["attention_picker"] is not None
    app.pills(key="query_token").set_value(0).run()
    assert not predictions(app, "strongest")
    app.pills(key="query_token").set_value(head_view.PATCH).run()
    app.selectbox(key="attention_head").select(0).run()
    assert placed(app, "prediction_strongest") == first
    fine(app)


def test_another_image_asks_again(overlays):
    app = predict(attention(layer="12", head="1", query="9-9"), "strongest")
    assert overlays["attention_picker"] is not None
    state_before = choice_of(app)
    app.session_state.picked = state.Picked("coffee", state.samples()["coffee"], sample=True)
    app.run()
    assert choice_of(app) != state_before
    assert predictions(app, "strongest")
    assert overlays["attention_picker"] is None


def test_a_pin_on_explore_asks_too():
    app = explore(query="4-5").switch_page("pages/attention.py").run()
    assert predictions(app, "strongest")
    assert placed(app, "opened_by_rule") is None


@pytest.mark.parametrize("answer", ["It grows", "It shrinks", "It stays the same", "Show me"])
def test_the_temperature_is_predicted_first(answer):
    app = attention(layer="12")
    assert not [widget for widget in app.select_slider if widget.key == "what_if_temperature"]
    predict(app, "temperature", answer)
    app.select_slider(key="what_if_temperature").set_value(2.0).run()
    said = placed(app, "prediction_temperature")
    assert (said is None) == (answer == "Show me")
    trace = state.trace(choice_of(app))
    scores = trace.scores(11, 0, trace.prefix + 8 * 16 + 8)
    largest = [percent(float(torch.softmax(torch.tensor(scores) / T, 0).max())) for T in (1.0, 2.0)]
    if said:
        assert re.findall(r"[\d.]+ %", said[0]) == largest
        assert said[0].startswith("Yes") == (answer == "It shrinks")
    assert largest[1] in placed(app, "temperature_row")[0]


@pytest.mark.parametrize("temperature", [0.0, 0.1, 10.0, np.inf])
def test_what_if_temperatures(temperature):
    app = revealed(attention())
    app.select_slider(key="what_if_temperature").set_value(temperature).run()
    fine(app)
    (caption,) = placed(app, "temperature_row")
    assert re.search(r"\b1\.0000\b", caption)
    if temperature == 0:
        assert "100.0 %" in caption
    if temperature == np.inf:
        assert "0.389 %" in caption  # one of 257


def test_the_memory_is_stated_before_and_after_the_prediction():
    app = attention()
    (before,) = placed(app, "memory")
    assert "long-term memory" in before
    predict(app, "strongest")
    assert placed(app, "memory") == [before]
    assert "long-term memory" in texts(app)
