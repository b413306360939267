"""Time slider without a browser: the same image, head and query at each checkpoint, with its own numbers."""

import re

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import vitviz
from scripts.digits_run import KEPT
from tests.support.app_pages import choice_of, explore, opened, placed, query, texts
from tests.support.exhaustive import exhaustive
from tests.support.training_runs import weights, write_run
from vitviz import zoo
from vitviz.ui.app import state
from vitviz.viz.explorer.payload import vectors as sent_vectors
from vitviz.zoo.shipped_run import RUNS

FIRST, MIDDLE = (f"{RUNS['digits']}/step-{step:05}" for step in (KEPT[0], KEPT[3]))
PAGES = ("explore", "lens", "tokens")


def fine(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error
    assert "nan" not in texts(app).split()
    return app


def slider(app: AppTest):
    return app.select_slider(key="training_step")


def numbers(app: AppTest) -> dict[str, str]:
    """Numbers above the curves, by title."""
    return dict(
        re.fullmatch(r"(.+): \*\*(.+)\*\*", text).groups() for text in placed(app, "training_curves") if "**" in text
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_slider_shows_the_same_image_head_and_query(page):
    app = fine(opened(page, model="digits", image="digit-8", layer="2", head="3", query="4-5"))
    before = {name: value for name, value in query(app).items() if name != "model"}
    with pytest.raises(KeyError):
        slider(app)
    app.toggle(key="training_shown").set_value(True).run()
    assert slider(fine(app)).value == "digits"
    slider(app).set_value(MIDDLE).run()
    assert query(fine(app)) == before | {"model": MIDDLE}
    assert choice_of(app).model == MIDDLE
    assert slider(app).value == MIDDLE
    alone = vitviz.load(MIDDLE).trace(state.samples()["digit-8"])
    np.testing.assert_array_equal(state.trace(choice_of(app)).attention(1, 2), alone.attention(1, 2))
    curves = vitviz.training_curves(vitviz.load_run("digits"), state.samples()["digit-8"])
    at = zoo.run_names("digits").index(MIDDLE)
    head, token = (int(query(app).get(name, default)) - 1 for name, default in (("head", 3), ("layer", 2)))
    assert (head, token) == (2, 1)
    shown = numbers(app)
    assert shown["Entropy"] == f"{curves.entropy_of(1, 2, 1 + 3 * 8 + 4)[at]:.2f} bit"
    assert shown["Attention distance"] == f"{curves.distance_of(1, 2, 1 + 3 * 8 + 4)[at]:.1f} px"
    assert shown["Accuracy"].startswith(f"{100 * curves.accuracy[at]:.1f}".rstrip("0").rstrip("."))
    assert "Position probe, R²" in shown
    assert len(app.get("plotly_chart")) >= 4


def test_the_explorer_receives_the_queries_and_keys_of_the_checkpoint(monkeypatch):
    sent, vectors = [], state.explorer_vectors
    monkeypatch.setattr(state, "explorer_vectors", lambda *given: sent.append(vectors(*given)) or sent[-1])
    app = fine(explore(model=MIDDLE, image="digit-3"))
    slider(app).set_value(FIRST).run()
    fine(app)
    for name, shown in ((MIDDLE, sent[0]), (FIRST, sent[-1])):
        alone = sent_vectors(vitviz.load(name).trace(state.samples()["digit-3"]), shown.layers)
        assert (shown.q, shown.k) == (alone.q, alone.k), name


def test_a_view_that_nobody_has_chosen_stays_too():
    app = fine(explore(model="digits", image="digit-0"))
    view = {name: query(app).get(name) for name in ("layer", "head", "query")}
    app.toggle(key="training_shown").set_value(True).run()
    for name in (FIRST, MIDDLE):
        slider(app).set_value(name).run()
        assert {name: query(fine(app)).get(name) for name in view} == view


def test_the_class_of_the_lens_stays():
    app = fine(opened("lens", model=MIDDLE, image="digit-8"))
    app.selectbox(key="lens_class_digits").set_value(3).run()
    slider(app).set_value(FIRST).run()
    assert fine(app).selectbox(key="lens_class_digits").value == 3
    assert query(app)["lens"] == "3"


def test_a_link_opens_a_checkpoint_with_its_slider():
    app = fine(explore(model=FIRST, image="digit-3"))
    assert slider(app).value == FIRST
    assert app.selectbox(key="model").value == FIRST
    assert query(app)["model"] == FIRST
    app.selectbox(key="model").select("dinov2-small").run()
    with pytest.raises(KeyError):
        slider(fine(app))


@pytest.mark.parametrize("name", ["digits-run/step-1", "digits-run/../digits", "digits-run/"])
def test_a_link_to_a_step_that_does_not_exist_opens_the_default_model(name):
    assert query(fine(explore(model=name)))["model"] == "dinov2-small"


def test_other_models_have_no_slider():
    app = fine(explore())
    assert placed(app, "training") in (None, [])
    with pytest.raises(KeyError):
        app.toggle(key="training_shown")


def test_playing_shows_one_checkpoint_after_the_other_and_stops_at_the_end(monkeypatch):
    app = fine(explore(model=FIRST, image="digit-3"))
    from vitviz.ui.pages.training import time_slider  # which only a running app can import

    shown, go_to = [], time_slider.go_to
    monkeypatch.setattr(time_slider, "go_to", lambda name: (shown.append(name), go_to(name)))
    app.button(key="training_play").click().run()
    assert shown == [], "not before a moment has passed"
    assert app.button(key="training_play").label == "Pause"
    monkeypatch.setattr(time_slider, "is_due", lambda: True)
    fine(app.run())
    assert shown == list(zoo.run_names("digits")[1:])
    assert slider(app).value == "digits"
    assert app.button(key="training_play").label == "Play"
    monkeypatch.setattr(time_slider, "is_due", lambda: False)
    app.button(key="training_play").click().run()
    assert slider(app).value == FIRST, "again from the first one"
    app.button(key="training_play").click().run()
    assert app.button(key="training_play").label == "Play"


def test_the_question_has_the_computed_answer():
    app = fine(explore(model=MIDDLE, image="digit-4"))
    curves = vitviz.training_curves(vitviz.load_run("digits"), state.samples()["digit-4"])
    found = vitviz.first_local_head(curves)
    (radio,) = [one for one in app.radio if one.key.startswith("question_local_head")]
    radio.set_value(radio.options.index(curves.steps[found.checkpoint])).run()
    app.button(key="check_local_head").click().run()
    assert any("Right" in one.value for one in fine(app).success)
    slider(app).set_value(FIRST).run()
    assert any("Right" in one.value for one in fine(app).success), "the answer is about the run"


# --- An engineer's own run -------------------------------------------------------------------------------------------


@pytest.fixture
def offered(tmp_path, monkeypatch):
    folder = write_run(tmp_path / "offered" / "run7", ["step-900.pth", "step-1000.pth", "step-20.pth"])
    torch.save(weights(7), folder / "best.pth")
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(folder.parent))
    return folder


@pytest.mark.parametrize("page", ["explore", exhaustive("lens"), exhaustive("tokens")])
def test_a_folder_of_checkpoints_is_a_run(page, offered):
    app = fine(opened(page, model="run7/step-20.pth", image="coffee", query="1-2"))
    assert slider(app).options == ["step-20", "step-900", "step-1000"]
    slider(app).set_value("run7/step-1000.pth").run()
    assert query(fine(app))["model"] == "run7/step-1000.pth"
    assert (query(app)["image"], query(app).get("query", "1-2")) == ("coffee", "1-2")
    alone = vitviz.load(offered / "step-1000.pth").trace(state.samples()["coffee"])
    np.testing.assert_array_equal(state.trace(choice_of(app)).attention(1, 2), alone.attention(1, 2))
    shown = numbers(app)
    assert "Accuracy" not in shown, "nobody knows it"
    assert {"Entropy", "Attention distance", "Position probe, R²"} <= set(shown)


def test_a_checkpoint_outside_of_the_run_has_no_slider(offered):
    app = fine(explore(model="run7/best.pth"))
    with pytest.raises(KeyError):
        slider(app)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: torch.save(weights(0, depth=1), path), "different configurations"),
        (lambda path: path.write_bytes(b"PK\x03\x04 nothing"), "damaged"),
    ],
)
def test_a_checkpoint_that_does_not_belong_to_the_run_is_said(damage, why, offered):
    damage(offered / "step-900.pth")
    app = explore(model="run7/step-20.pth", image="coffee")
    assert not app.exception
    assert any("step-900.pth" in error.value for error in app.error), "the curves need it"
    slider(app).set_value("run7/step-900.pth").run()
    assert not app.exception
    assert any(why in warning.value and "step-900.pth" in warning.value for warning in app.warning)
    assert query(app)["model"] == "run7/step-20.pth"
    assert slider(app).value == "run7/step-20.pth"
