"""Sweeps on the page "Intervene", without a browser."""

import base64
import csv
import io
import json
import re
import threading

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support.app_pages import placed, texts
from tests.support.facts import assert_mentions
from tests.support.intervene_page import DIGIT, fine, intervene
from vitviz.analysis.ablation import class_score, sweep_heads, sweep_layers, sweep_patches
from vitviz.analysis.ablation.sweep import each_head
from vitviz.ui.app import cache, state
from vitviz.ui.app.jobs import background

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digit():
    return vitviz.load("digits").trace(state.samples()["digit-4"])


def summary(app: AppTest) -> str:
    """Title of the results, and the largest of them."""
    (text,) = placed(app, "sweep_summary")
    return text.replace("\\", "")


@pytest.mark.parametrize(
    ("what", "count"),
    [("heads", 24), ("layers", 12), ("patches", 64)],
)
def test_a_sweep_runs_when_it_is_asked_for(what, count, digit):
    cache.clear()
    app = intervene(**DIGIT)
    app.segmented_control(key="sweep_what").set_value(what).run()
    assert app.button(key="sweep_run")
    assert re.search(rf"\b{count} passes", texts(app.main))
    assert not app.main.get("download_button")
    app.button(key="sweep_run").click().run()
    fine(app)
    assert class_score(digit.model, 4).label in summary(app)
    assert len(re.findall(r"\([+−][\d.]+(?:e[+−]\d+)?\)", summary(app))) == 3
    assert "sweep_run" not in [button.key for button in app.main.button], "it need not be run again"
    assert len(app.main.get("plotly_chart")) == (what != "patches")
    assert len(app.main.get("download_button")) == 1
    app.selectbox(key="sweep_how_patch" if what == "patches" else "sweep_how").select("mean").run()
    assert app.button(key="sweep_run")


@pytest.mark.parametrize(
    ("what", "key"), [("heads", "sweep_how"), ("layers", "sweep_how"), ("patches", "sweep_how_patch")]
)
def test_ablations_have_the_names_of_the_documentation(what, key):
    app = intervene(**DIGIT)
    app.segmented_control(key="sweep_what").set_value(what).run()
    ablation, mean = app.selectbox(key=key).options
    assert ablation == ("mask" if what == "patches" else "zero")
    assert_mentions(mean, "mean", "patches" if what == "patches" else "tokens")


def test_the_numbers_of_a_sweep_are_the_librarys(digit):
    cache.clear()
    app = intervene(**DIGIT)
    app.selectbox(key="sweep_quantity").select("logit").run()
    app.button(key="sweep_run").click().run()
    shown = json.loads(app.main.get("plotly_chart")[0].proto.spec)["data"][0]["z"]
    wanted = sweep_heads(digit.model, digit, class_score(digit.model, 4, "logit"))
    found = np.frombuffer(base64.b64decode(shown["bdata"]), shown["dtype"]).reshape(6, 4)
    assert found == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("what", ["heads", "layers", "patches"])
def test_another_class_needs_no_other_sweep(digit, what):
    cache.clear()
    app = intervene(**DIGIT)
    app.segmented_control(key="sweep_what").set_value(what).run()
    app.button(key="sweep_run").click().run()
    app.selectbox(key="sweep_quantity").select("logit").run()
    (box,) = [box for box in app.selectbox if (box.key or "").startswith("sweep_class")]
    box.select(7).run()
    fine(app)
    score = class_score(digit.model, 7, "logit")
    assert score.label in summary(app)
    sweep = {"heads": sweep_heads, "layers": sweep_layers, "patches": sweep_patches}[what]
    wanted = sweep(digit.model, digit, score)
    largest = float(np.abs(wanted).max())
    assert f"({wanted.flat[np.abs(wanted).argmax()]:+#.3g})".replace("-", "−") in summary(app)
    from vitviz.ui.pages.intervene.sweeps import Sweep  # which only a running app can import

    asked = Sweep(digit, what, "keys" if what == "patches" else "zero", score, (7, "logit"))
    assert asked.effects(list(asked.run())) == pytest.approx(wanted, abs=1e-5 * largest)


def test_of_too_many_outputs_only_the_score_is_kept(digit, monkeypatch):
    intervene(**DIGIT)
    from vitviz.ui.pages.intervene import sweeps

    score = class_score(digit.model, 4)
    asked = sweeps.Sweep(digit, "heads", "zero", score, (4, "probability"))
    kept = asked.effects(list(asked.run()))
    monkeypatch.setattr(sweeps, "MOST_KEPT", 100)
    assert next(asked.run()).shape == (4,)
    assert asked.key == ("heads", "zero", (4, "probability"))
    assert asked.effects(list(asked.run())) == pytest.approx(kept, abs=1e-6)


def test_a_stopped_sweep_says_so():
    cache.clear()
    app = intervene(**DIGIT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "_join", lambda *_: [])
        app.button(key="sweep_run").click().run()
    app.button(key="sweep_run").click().run()
    assert "Stopped; " in texts(app.main)
    assert "Stopped" not in texts(app.run().main)


def test_a_sweep_that_cannot_be_is_said_in_a_sentence_and_asked_for_no_more(monkeypatch):
    cache.clear()
    app = intervene(**DIGIT)
    from vitviz.ui.pages.intervene import sweeps

    def refuse(*_, **__):
        raise vitviz.errors.EditError("The only patch cannot be switched off.")

    monkeypatch.setitem(sweeps.EACH, "heads", refuse)
    app.button(key="sweep_run").click().run()
    assert [error.value for error in app.error] == ["The only patch cannot be switched off."]
    assert not app.run().error
    assert app.button(key="sweep_run")


def test_layers_that_are_done_are_drawn_while_the_others_are_not(digit, monkeypatch):
    cache.clear()
    app = intervene(**DIGIT)
    from vitviz.ui.pages.intervene import sweeps

    third, go = threading.Event(), threading.Event()

    def slow(*given, **named):
        for layer, found in enumerate(each_head(*given, **named)):
            if layer == 2:
                third.set()
                assert go.wait(60)
            yield found

    monkeypatch.setitem(sweeps.EACH, "heads", slow)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "again", st.stop)
        patch.setattr(background, "GLANCE", 0.2)
        app.button(key="sweep_run").click().run()
        assert third.wait(60)
        app.run()
    fine(app)
    (done,) = placed(app, "sweep_so_far")
    assert re.findall(r"\d+", done.rpartition("\n")[2]) == ["2", "6"]
    shown = json.loads(app.main.get("plotly_chart")[0].proto.spec)["data"]
    found = np.frombuffer(base64.b64decode(shown[0]["z"]["bdata"]), shown[0]["z"]["dtype"]).reshape(6, 4)
    assert found[:2] == pytest.approx(sweep_heads(digit.model, digit, class_score(digit.model, 4))[:2], abs=1e-5)
    assert np.isnan(found[2:]).all()
    assert len(shown[1]["text"]) == 8
    go.set()
    fine(app.run())
    assert not placed(app, "sweep_so_far")
    assert len(app.main.get("plotly_chart")) == 1


def test_the_csv_is_a_table_of_the_effects(digit):
    intervene(**DIGIT)
    from vitviz.ui.pages.intervene.sweeps import Sweep  # which only a running app can import

    effects = np.arange(24, dtype=np.float32).reshape(6, 4) / 7
    rows = list(csv.DictReader(io.StringIO(Sweep(digit, "heads", "zero", class_score(digit.model, 4)).csv(effects))))
    assert len(rows) == 24
    assert rows[5] | {"effect": ""} == {
        "layer": "2",
        "head": "2",
        "ablation": "zero",
        "effect": "",
        "score": "probability of 4",
    }
    assert float(rows[5]["effect"]) == pytest.approx(5 / 7, abs=1e-6)
