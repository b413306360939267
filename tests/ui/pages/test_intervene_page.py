"""The page "Intervene", without a browser: its numbers are the library's, for every kind of model."""

import re

import numpy as np
import pytest

import vitviz
from tests.support import random_models as kinds
from tests.support.app_pages import choice_of, dropped, opened, picture, placed, query, show_instead
from tests.support.exhaustive import exhaustive
from tests.support.intervene_page import (
    DIGIT,
    assert_unedited,
    figures,
    fine,
    intervene,
    listed,
    undo_buttons,
    undo_labels,
)
from tests.ui.pages.test_attention_page import KINDS
from vitviz.analysis.ablation import class_score, distance, sweep_heads
from vitviz.analysis.predictions import predictions
from vitviz.model.edits import (
    ActivationCopy,
    HeadAblation,
    KeyMask,
    PatchAblation,
    SublayerAblation,
    Temperature,
    with_activations_from,
)
from vitviz.notation.edits import edit_label
from vitviz.notation.view import View, token_label
from vitviz.ui.app import state

pytestmark = pytest.mark.slow

ALL = "h3.2z,h3.3m,l5a,l6fm,p2-4k,p3-4m,t3.1x0.5,c1.1,c2f"


@pytest.fixture(scope="module")
def digit():
    return vitviz.load("digits").trace(state.samples()["digit-4"])


@pytest.mark.parametrize(
    "parameters", [exhaustive({}), DIGIT, exhaustive({"image": "rocket", "size": "280", "fit": "native"})]
)
def test_the_page_opens_with_the_head_off_that_changes_the_output_most(parameters):
    app = opened("intervene", **parameters)
    from vitviz.ui.pages.intervene.defaults import layers_tried  # which only a running app can import

    fine(app)
    (edit,) = app.session_state.edits
    trace = state.trace(choice_of(app))
    score = class_score(trace.model, 4) if parameters == DIGIT else distance(trace)
    effects = np.abs(sweep_heads(trace.model, trace, score))
    tried = effects[-layers_tried(trace) :]
    assert tried.size
    assert effects[edit.layer, edit.head] == pytest.approx(tried.max())
    assert "(1)" in listed(app)
    assert "edits" not in query(app), "it follows from what is looked at"
    app.button(key="undo_all").click().run()
    assert_unedited(app)
    assert query(app)["edits"] == "none"
    assert_unedited(opened("intervene", **query(app)))


@pytest.mark.parametrize("edits", ["h3.2z", "l5a,l6fm", "p2-4k,p3-4m"])
def test_the_head_that_moves_most_is_shown_until_one_is_chosen(edits, digit):
    app = intervene(**DIGIT, edits=edits)
    fine(app)
    edited = digit.rerun(edits=app.session_state.edits)
    moved = np.stack([np.abs(edited.attention(at, query=0) - digit.attention(at, query=0)).sum(-1) for at in range(6)])
    assert (app.session_state.view.layer, app.session_state.view.head) == np.unravel_index(moved.argmax(), moved.shape)
    app.selectbox(key="intervene_head").select(None).run()
    app.button(key="undo_all").click().run()
    assert app.session_state.view.head is None, "what was chosen stays"


def test_the_head_that_is_off_is_shown_if_nothing_can_move(digit):
    app = intervene(**DIGIT, edits="h6.3z")
    fine(app)
    assert placed(app, "attention_of_ablated_head")
    assert (app.session_state.view.layer, app.session_state.view.head) == (5, 2)


def test_the_first_edit_follows_the_image_until_something_is_changed():
    app = opened("intervene", **DIGIT)
    for name in ("digit-7", "digit-0"):
        app.session_state.picked = state.Picked(name, state.samples()[name], sample=True)
        app.run()
        trace = vitviz.load("digits").trace(state.samples()[name])
        effects = np.abs(sweep_heads(trace.model, trace, class_score(trace.model, int(name[-1]))))
        (edit,) = app.session_state.edits
        assert effects[edit.layer, edit.head] == pytest.approx(effects.max())
    app.button(key="undo_last").click().run()
    app.session_state.picked = state.Picked("digit-4", state.samples()["digit-4"], sample=True)
    assert_unedited(app.run())


@pytest.mark.parametrize("parameters", [{}, DIGIT, exhaustive({"image": "rocket", "size": "280", "fit": "native"})])
def test_the_page_opens_with_nothing_changed_if_the_link_says_so(parameters):
    app = intervene(**parameters)
    said = fine(app)
    assert_unedited(app)
    (caption,) = placed(app, "attention_of_head")
    assert re.search(r"(?<![\d.])0 %", caption)
    assert query(app)["edits"] == "none"
    if "model" not in parameters:
        assert 'data-cosine="1.000000000"' in said


def test_a_link_opens_its_edits_and_the_page_says_what_the_library_says(digit):
    app = intervene(**DIGIT, edits=ALL, second="digit-7", layer="6", head="1")
    said = fine(app)
    assert query(app)["edits"] == ALL
    assert query(app)["second"] == "digit-7"
    wishes = [ActivationCopy(0, 0), ActivationCopy(1, None, "mlp")]
    other = digit.model.trace(state.samples()["digit-7"]).activations(*(one.hook for one in wishes))
    edits = [
        HeadAblation(2, 1),
        HeadAblation(2, 2, "mean"),
        SublayerAblation(4),
        SublayerAblation(5, "mlp", "mean"),
        KeyMask(12),
        PatchAblation(20),
        Temperature(2, 0, 0.5),
        *with_activations_from(wishes, other),
    ]
    edited = digit.rerun(edits=edits)
    wanted = {one.label: one.probability for one in predictions(edited, 10)}
    shown = {
        label: (float(before), float(after))
        for label, before, after in re.findall(r'data-class="(\d)" data-before="([\d.]+)" data-after="([\d.]+)"', said)
    }
    assert len(shown) == 5
    had = {one.label: one.probability for one in predictions(digit, 10)}
    larger = {label: max(had[label], wanted[label]) for label in had}
    assert set(shown) == set(sorted(larger, key=larger.get)[-5:])
    for one in predictions(digit, 10):
        before, after = shown.get(one.label, (one.probability, wanted[one.label]))
        assert before == pytest.approx(one.probability, abs=1e-5)
        assert after == pytest.approx(wanted[one.label], abs=1e-5)
    from vitviz.ui.pages.intervene.before_after import prefix_label  # which only a running app can import

    maps = dict(re.findall(r'data-map="(\w+)" data-top="\d+" data-weight="(-?[\d.]+)"', said))
    change = (edited.attention(5, 0, 0) - digit.attention(5, 0, 0))[1:]
    assert float(maps["difference"]) == pytest.approx(change[np.abs(change).argmax()], abs=1e-5)
    assert [prefix_label(digit) in figure for figure in figures(app)] == [True] * 3
    assert float(maps["before"]) == pytest.approx(digit.attention(5, 0, 0)[1:].max(), abs=1e-5)
    assert float(maps["after"]) == pytest.approx(edited.attention(5, 0, 0)[1:].max(), abs=1e-5)
    assert "(9)" in listed(app)


def test_edits_are_undone_one_by_one_and_all_at_once(digit):
    app = intervene(**DIGIT, edits="h3.2z,l5a,p2-4k")
    assert edit_label(HeadAblation(2, 1), digit.config, digit.grid) in undo_labels(app)
    app.button(key="undo_l5a").click().run()
    assert query(app)["edits"] == "h3.2z,p2-4k"
    app.button(key="undo_all").click().run()
    assert query(app)["edits"] == "none"
    assert_unedited(app)


@pytest.mark.parametrize(
    "text", ["h7.1z", "h1.1z,h1.1m", "x", "p65k", "l1a,,", "<b>", ",".join(f"p{i}k" for i in range(1, 65))]
)
def test_edits_that_cannot_be_are_left_out_with_a_sentence(text):
    app = intervene(**DIGIT, edits=text)
    assert not app.exception
    assert not app.error
    assert len(app.warning) == 1
    assert "edits" in app.warning[0].value
    assert query(app)["edits"] == "none"


def test_a_second_image_that_is_no_sample_is_said():
    app = intervene(**DIGIT, edits="c1.1", second="own")
    assert len(app.warning) == 1
    assert all(word in app.warning[0].value for word in ("second", "own"))
    fine(app)
    assert query(app)["second"] == "digit-0"


def test_edits_are_kept_for_the_return_to_their_model_and_grid():
    app = intervene(image="cat", edits="h3.2z,p1-12k")
    app.selectbox(key="size").set_value(280).run()
    assert query(app)["edits"] == "h3.2z"
    fine(app)
    assert placed(app, "edits_away")
    app.selectbox(key="model").select("digits").run()
    assert "edits" not in query(app), "this model begins with its own"
    fine(app)
    app.selectbox(key="model").select("dinov2-small").run()
    assert query(app)["edits"] == "h3.2z,p1-12k", "the model's own size is 224 again"
    fine(app)
    app.selectbox(key="size").set_value(280).run()
    app.button(key="undo_all").click().run()
    app.selectbox(key="size").set_value(224).run()
    assert query(app)["edits"] == "p1-12k", "what has been undone does not come back"


def test_patches_that_stay_off_in_another_image_are_said():
    app = intervene(**DIGIT, edits="h3.2z,p2-4k")
    assert not placed(app, "patch_edits_kept")
    app.session_state["picked"] = state.Picked("digit-7", state.samples()["digit-7"], sample=True)
    assert placed(app.run(), "patch_edits_kept")
    assert query(app)["edits"] == "h3.2z,p2-4k"
    app.button(key="undo_p2-4k").click().run()
    assert not placed(app, "patch_edits_kept")


@pytest.mark.parametrize("tool", ["zero", "mean", "temperature", "copy"])
def test_every_tool_is_explained(tool):
    app = intervene(**DIGIT)
    app.segmented_control(key="intervene_tool").set_value(tool).run()
    from vitviz.ui.pages.intervene.controls import TOOL_HELP  # which only a running app can import

    assert TOOL_HELP[tool] in fine(app)
    offers_second = any(widget.key.startswith("second_input_upload_") for widget in app.main.file_uploader)
    assert offers_second == (tool == "copy")
    assert bool(app.select_slider) == (tool == "temperature")


def test_what_cannot_be_done_is_said_once():
    app = intervene(**DIGIT)
    app.session_state["edit_problem"] = "Only *heads* have a temperature."
    assert r"Only \*heads\* have a temperature." in [one.value for one in app.run().main.warning]
    assert not app.run().main.warning


def test_many_edits_are_listed_in_parts_and_all_can_be_undone():
    patches = [f"p{row}-{column}k" for row in range(1, 9) for column in range(1, 9)]
    app = intervene(**DIGIT, edits=",".join(patches[:63]))
    assert len(undo_labels(app)) == 24
    assert re.findall(r"\d+", app.button(key="edits_more").label) == ["39"]
    app.button(key="edits_more").click().run()
    assert len(undo_labels(app)) == 63
    app.button(key="undo_p1-1k").click().run()
    app.button(key="undo_last").click().run()
    assert query(app)["edits"] == ",".join(patches[1:62])
    fine(app)


def test_all_heads_of_a_layer_that_are_edited_alike_are_one_line():
    app = intervene(**DIGIT, edits="h1.1z,h1.2z,h1.3z,h2.1m,h1.4z,t4.1x2,t4.2x2,t4.3x2,t4.4x2,h2.2z,h2.3z,h2.4z,c6.1")
    assert [button.key.removeprefix("undo_") for button in undo_buttons(app)] == [
        "c6.1",
        "h2.4z",
        "h2.3z",
        "h2.2z",
        "t4.1x2,t4.2x2,t4.3x2,t4.4x2",
        "h1.1z,h1.2z,h1.3z,h1.4z",
        "h2.1m",
    ]
    numbers = [[int(number) for number in re.findall(r"\d+", label)] for label in undo_labels(app)]
    assert numbers == [[6, 1], [2, 4], [2, 3], [2, 2], [4, 2], [1], [2, 1]], "no head where all are meant"
    app.button(key="undo_h1.1z,h1.2z,h1.3z,h1.4z").click().run()
    assert query(app)["edits"].startswith("h2.1m,t4.1x2")
    app.button(key="undo_last").click().run()
    assert query(app)["edits"].endswith("h2.4z")


def test_the_temperature_of_the_head_that_was_clicked_last_can_be_changed(digit):
    app = intervene(**DIGIT, layer="3", head="2", edits="t3.2x0.5")
    app.segmented_control(key="intervene_tool").set_value("temperature").run()
    app.select_slider(key="intervene_temperature").set_value(5.0).run()
    assert query(app)["edits"] == "t3.2x5"
    assert edit_label(Temperature(2, 1, 5.0), digit.config, digit.grid) in undo_labels(app)
    app.selectbox(key="intervene_head").select(0).run()
    app.select_slider(key="intervene_temperature").set_value(0.1).run()
    assert query(app)["edits"] == "t3.2x5", "the head that is looked at has none"


def test_layer_head_and_token_can_be_chosen(digit):
    app = intervene(**DIGIT, edits="h3.2z", query="2-2")
    app.selectbox(key="intervene_layer").select(2).run()
    app.selectbox(key="intervene_head").select(1).run()
    said = fine(app)
    (caption,) = placed(app, "attention_of_ablated_head")
    assert View(2, 1, 1 + 8 + 1).label(digit) in caption
    assert len(re.findall(r'class="pixels"[^>]*layer 3\b', said)) == 2
    app.selectbox(key="intervene_query").select(0).run()
    fine(app)
    (caption,) = placed(app, "attention_of_ablated_head")
    assert View(2, 1, 0).label(digit) in caption
    app.selectbox(key="intervene_head").select(None).run()
    fine(app)
    (caption,) = placed(app, "attention_of_head")
    assert View(2, None, 0).label(digit) in caption


def test_a_view_from_the_other_side_is_shown_from_this_one(digit):
    app = intervene(**DIGIT, direction="to")
    fine(app)
    (caption,) = placed(app, "attention_of_head")
    assert token_label(digit, 0) in caption


def test_copies_need_an_image_of_the_same_grid():
    app = intervene(image="cat", fit="native", edits="h1.2z,c1.1", second="astronaut")
    assert "16 × 16 patches" in " ".join(one.value for one in app.warning)
    fine(app)
    assert query(app)["edits"] == "h1.2z,c1.1"


def test_a_second_image_of_the_visitors_own():
    app = intervene(image="cat", edits="c1.1")
    dropped(app, "second_input_upload", "evil.png", b"no", "image/png")
    assert len(app.main.error) == 1
    assert "evil.png" in app.main.error[0].value
    dropped(app, "second_input_upload", "my_photo.png", picture(), "image/png")
    said = fine(app)
    assert r"my\_photo.png" in said
    assert query(app)["second"] == "own2"


def test_the_image_of_the_sidebar_can_be_copied_from(monkeypatch):
    app = intervene(image="cat", edits="c1.1")
    from vitviz.ui.app.sidebar import OWN_LABEL  # which only a running app can import
    from vitviz.ui.widgets import second_image

    drawn, clicks = [], []

    def gallery(_, images, *, chosen, on_choose, labels, **__):
        drawn.append((chosen, [labels.get(name, name) for name in images]))
        if clicks:
            on_choose(clicks.pop())

    monkeypatch.setattr(second_image, "gallery", gallery)
    dropped(app, "sidebar_upload", "mine.png", picture())
    assert OWN_LABEL not in drawn[-1][1], "it is looked at"
    app.session_state.picked = state.Picked("cat", state.samples()["cat"], sample=True)
    app.run()
    assert drawn[-1][1][-1] == OWN_LABEL
    clicks.append("own")
    app.run()
    assert "mine.png" in fine(app.run())
    assert drawn[-1][0] == query(app)["second"] == "own"


# --- Other kinds -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=KINDS)
def other(request, monkeypatch):
    """Small random model of another kind, in place of the selected model."""
    config = KINDS[request.param]
    monkeypatch.setitem(kinds.CONFIGS, request.param, config)
    trace = kinds.trace_of(request.param)
    show_instead(monkeypatch, trace, request.param)
    return trace


def test_models_of_other_kinds(other):
    app = intervene(edits="h2.2z,l1f,p3k,p4k,t1.1x0.5,p5m")
    from vitviz.ui.pages.intervene.before_after import prefix_label  # which only a running app can import
    from vitviz.ui.pages.intervene.patch_edits import TOOL_HELP

    said = fine(app)
    config = other.config
    assert ("class token" in said) == config.class_token
    named = said + "".join(option for box in app.main.selectbox for option in box.options)
    assert ("register 1" in named) == (config.num_registers > 0 and config.pooling != "distilled")
    names_prefix = [bool(prefix_label(other)) and prefix_label(other) in figure for figure in figures(app)]
    assert names_prefix == [other.prefix > 0] * 3
    assert (TOOL_HELP["keys"].format("") not in said) == (config.pooling in ("mean", "token+mean", "attention"))
    for what in ("heads", "layers", "patches"):
        app.segmented_control(key="sweep_what").set_value(what).run()
        app.button(key="sweep_run").click().run()
        fine(app)
    if config.pooling == "attention":
        app.selectbox(key="intervene_layer").select(other.layers).run()
        assert "Pooling" in fine(app)
    app.selectbox(key="intervene_layer").select(0).run()
    app.selectbox(key="intervene_head").select(other.heads - 1).run()
    fine(app)
