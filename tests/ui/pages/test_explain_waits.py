"""Slow work on the page "Explain", without a browser: expected time, and coarse results before the final ones."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app_pages import choice_of, texts
from tests.ui.pages.test_explain_page import QUICK, SLOW, bodies, digit_trace, digits, press, rows
from vitviz.ui.app import cache
from vitviz.ui.app.jobs import background, durations
from vitviz.ui.pages.explain import comparison, maps
from vitviz.ui.pages.explain.settings import all_defaults
from vitviz.ui.pages.explain.targets import ClassSpec

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def nothing_is_known():
    cache.clear()


def steps_of(monkeypatch) -> list[tuple]:
    """Record all later computations in order: method and parameters of a map, steps of curves."""
    done = []
    explained, curved, random = maps.explain, comparison.curves, comparison.random_curves

    def note_map(*given, method, progress, **named):
        if progress is not None:
            done.append((method, named.get("window") or named["steps"]))
        return explained(*given, method=method, progress=progress, **named)

    monkeypatch.setattr(maps, "explain", note_map)
    monkeypatch.setattr(
        comparison, "curves", lambda *given, **named: done.append(named["steps"]) or curved(*given, **named)
    )
    monkeypatch.setattr(
        comparison, "random_curves", lambda *given, **named: done.append(named["steps"]) or random(*given, **named)
    )
    return done


def test_slow_work_comes_coarse_first_and_says_so(monkeypatch):
    done = steps_of(monkeypatch)
    app = digits()
    press(app, "explain_compute_occlusion_0")
    press(app, "explain_compute_integrated_gradients_0")
    press(app, "explain_compare_0")
    assert done == [
        *[("occlusion", side) for side in (4, 2, 1)],
        *[("integrated_gradients", steps) for steps in (8, 32)],
        *[4] * 7,
        *[16] * 7,
    ]
    assert 'data-testid="coarse"' not in bodies(app), "the final ones are there"


def test_a_coarse_map_is_labelled_and_kept_when_the_final_one_is_stopped(monkeypatch):
    monkeypatch.setattr(background, "watch", lambda place, asked: None)
    app = digits()
    for ask, step in [(one, step) for one in asked(app) for step in maps.steps(one)[:-1]]:
        background.compute(step, lambda done, total: None)
        press(app, f"explain_compute_{ask.method}_0")
        said = bodies(app)
        assert "coarse, not the final map" in said[said.index('data-testid="coarse"') :]
        assert app.button(key=f"explain_compute_{ask.method}_0").label == "Stop"
        press(app, f"explain_compute_{ask.method}_0")
        assert f'data-testid="coarse" data-method="{ask.method}"' in bodies(app)
        assert app.button(key=f"explain_compute_{ask.method}_0").label == "Compute"


def test_curves_with_few_points_are_labelled_and_none_of_them_is_called_the_best(monkeypatch):
    monkeypatch.setattr(background, "watch", lambda place, asked: None)
    app = digits()
    choice = choice_of(app)
    compared = comparison.Comparison(choice, ClassSpec(4), "mean", tuple(asked(app, QUICK)))
    for step in comparison._steps(compared, {}, {})[:5]:
        background.compute(step, lambda done, total: None)
    assert "only 5 points" in texts(app.run())
    assert len(rows(app)) == 5
    assert "<b>" not in bodies(app)[bodies(app).index('data-testid="areas"') :]
    press(app, "explain_compare_0")
    press(app, "explain_compare_0")
    assert "Coarse" in texts(app), "it is kept"


def asked(app: AppTest, methods=SLOW) -> list[maps.MapRequest]:
    choice = choice_of(app)
    return [maps.map_request(choice, method, all_defaults()[method], ClassSpec(4)) for method in methods]


def test_how_long_it_takes_is_said_and_follows_what_was_measured():
    app = digits()
    choice, trace = choice_of(app), digit_trace()
    durations.paces().note(durations.pace_key(choice, trace, "occlusion"), 1200.0, 100)
    assert durations.format_duration((64 + 16 + 4) * 12) in texts(app.run())
    before = durations.paces().get(durations.pace_key(choice, trace, "occlusion"))
    press(app, "explain_compute_occlusion_0")
    assert durations.paces().get(durations.pace_key(choice, trace, "occlusion")) < before, "it was quicker than that"


@pytest.mark.parametrize("button", ["explain_compare_0", "explain_compute_occlusion_0"])
def test_what_begins_is_what_is_chosen_when_the_click_arrives(button, monkeypatch):
    """A click right after a change hits a button drawn for the previous choice."""
    monkeypatch.setattr(background, "watch", lambda place, asked: None)
    app = digits()
    app.selectbox(key="explain_minus_0").set_value(9)
    press(app, button)
    assert "4 minus 9" in texts(app)
    assert app.button(key=button).label == "Stop"


def test_a_click_on_what_is_there_by_now_begins_nothing_later(monkeypatch):
    app = digits()
    press(app, "explain_compute_occlusion_0")
    app.session_state[background.KEY].begins = maps.PLACE, "explain_compute_occlusion_0"  # again, before it was drawn
    app.run()
    monkeypatch.setattr(background, "watch", lambda place, asked: None)
    app.selectbox(key="explain_minus_0").select(9).run()
    assert app.button(key="explain_compute_occlusion_0").label == "Compute"
