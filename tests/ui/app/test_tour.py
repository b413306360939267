"""Tour and lesson without a browser: stops follow the model, links open them, and they can be left and resumed."""

from dataclasses import replace

import pytest
import torch
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support import random_models as kinds
from tests.support.app_pages import opened, query, start
from tests.support.facts import assert_mentions
from vitviz.model.config import RoPE
from vitviz.ui.app.link import read_guide
from vitviz.ui.app.tour import GUIDES, read_stop
from vitviz.zoo import SHIPPED

CONFIGS = {
    **kinds.CONFIGS,
    "plain": kinds.PLAIN,
    "hybrid": replace(kinds.PLAIN, stem=True),
    "rotary": replace(kinds.PLAIN, position_embedding=False, rope=RoPE()),
    "without positions": replace(kinds.PLAIN, position_embedding=False),
    "one head, one layer": replace(kinds.PLAIN, num_heads=1, depth=1),
}
COUNTS = {name: len(guide.stops(kinds.PLAIN)) for name, guide in GUIDES.items()}
COUNT = COUNTS["lesson"]
lesson = GUIDES["lesson"].stops


def said(kind: str) -> str:
    return "\n".join(f"{stop.title}. {stop.text} {stop.hint or ''}" for stop in lesson(CONFIGS[kind]))


def taking(app: AppTest) -> bool:
    return app.session_state["tour"] is not None


# --- What is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("guide", GUIDES)
def test_a_link_to_a_stop_fits_every_model(guide, kind):
    stops = GUIDES[guide].stops(CONFIGS[kind])
    pages = [stop.page for stop in stops]
    assert pages == [stop.page for stop in GUIDES[guide].stops(kinds.PLAIN)]
    assert pages == sorted(pages, key=["sequence", "attention", "explore"].index)
    assert all((stop.hint is None) == (stop.watch is None) for stop in stops)
    assert all(stop.target for stop in stops), "something small enough for the card to stand beside"


def test_the_tour_is_short_and_stays_in_the_explorer():
    stops = GUIDES["tour"].stops(kinds.PLAIN)
    assert [stop.page for stop in stops] == ["explore"] * 5
    words = sum(len(f"{stop.title} {stop.text} {stop.hint or ''}".split()) for stop in stops)
    assert words < 150, "read in a minute, so that another is left to try"


@pytest.mark.parametrize(
    ("kind", "speaks_of", "never_of"),
    [
        (
            "plain",
            ["class token", "8 × 8 pixels", "192 numbers", "24 learned filters", "all 3 heads"],
            ["RoPE"],
        ),
        ("hybrid", ["convolutional network"], ["filters", "one vector", "slider"]),
        ("rotary", ["RoPE"], ["position embedding"]),
        ("relative", ["relative position bias"], []),
        ("without positions", ["no information about positions"], ["position embedding", "RoPE"]),
        ("differential", ["some are negative"], ["sum to 1"]),
        ("mean", ["the mean of the patches"], ["class token"]),
        ("pooled", ["attention pooling"], ["class token", "“pool”"]),
        ("one head, one layer", ["one such block"], ["another head", "all 1 ", "Move through the layers,"]),
    ],
)
def test_the_words_follow_the_model(kind, speaks_of, never_of):
    text = said(kind)
    assert [words for words in speaks_of if words not in text] == []
    assert [words for words in never_of if words in text] == []


SQRT = {"plain": "√d", "differential": "√(d/2)", "relative": "√d, plus a learned bias"}


@pytest.mark.parametrize("kind", SQRT)
def test_the_score_is_that_of_the_model(kind):
    assert_mentions(said(kind), "dot product", SQRT[kind])
    assert "your patch's" not in said(kind)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_outputs_of_heads_pass_the_output_projection(kind):
    assert_mentions(said(kind), "output projection", "added")
    assert ("concatenated" in said(kind)) == (CONFIGS[kind].num_heads > 1)


def test_the_projection_has_a_bias_if_the_model_has_one():
    trace = kinds.trace_of("mean")
    (stop,) = [one for one in lesson(trace.config, trace.model) if "filters" in one.text]
    assert "bias" in stop.text
    without = vitviz.VisionTransformer(trace.config, "without")
    torch.nn.init.zeros_(without.patch_embed.proj.bias)
    (stop,) = [one for one in lesson(trace.config, without) if "filters" in one.text]
    assert "bias" not in stop.text


def test_layer_scale_is_named_if_the_model_has_it():
    model = vitviz.VisionTransformer(kinds.PLAIN, "scaled")
    assert not any("LayerScale" in stop.text for stop in lesson(model.config, model))
    model.blocks[0].ls1.gamma.data.fill_(0.5)
    (stop,) = [one for one in lesson(model.config, model) if "LayerScale" in one.text]
    assert_mentions(stop.text, "output projection", "LayerScale", "added")


@pytest.mark.parametrize(("kind", "classes"), [("classes", True), ("independent", True), ("embedding", False)])
def test_only_a_classifier_has_classes(kind, classes):
    model = vitviz.VisionTransformer(kinds.PLAIN, "of this kind", output_kind=kind)
    text = " ".join(stop.text for stop in lesson(model.config, model))
    assert ("classes" in text) == classes
    assert "classes" not in " ".join(stop.text for stop in lesson(replace(kinds.PLAIN, num_classes=0)))


def test_two_classifiers_are_not_averaged_tokens():
    assert_mentions(said("distilled"), "class token", "distillation token", "classifier of its own")


# --- Links and messages ----------------------------------------------------------------------------------------------


def test_a_link_counts_from_1():
    assert read_guide({"guide": "lesson-7", "layer": "3"}, COUNTS) == (("lesson", 6), [])
    assert read_guide({"guide": "tour-5"}, COUNTS) == (("tour", 4), [])
    assert read_guide({"layer": "3"}, COUNTS) == (None, [])


@pytest.mark.parametrize("stop", range(1, COUNT + 1))
def test_an_older_link_opens_its_stop_of_the_lesson(stop):
    assert read_guide({"tour": str(stop)}, COUNTS) == (("lesson", stop - 1), [])


@pytest.mark.parametrize(
    "text", ["0", str(COUNT + 1), "-1", "x", "", "1.5", "9" * 5000, "lesson-3", "tour-2", "<b>", "1-1"]
)
def test_an_older_link_to_no_stop_is_left_out_with_a_notice(text):
    stop, notices = read_guide({"tour": text}, COUNTS)
    assert stop is None
    assert f"1 to {COUNT}" in notices[0]


@pytest.mark.parametrize(
    "text",
    ["7", "tour", "tour-", "tour-0", "tour-6", f"lesson-{COUNT + 1}", "lesson--1", "walk-1", "", "tour-1-1", "-"],
)
def test_a_link_to_no_stop_is_left_out_with_a_notice(text):
    stop, notices = read_guide({"guide": text}, COUNTS)
    assert stop is None
    assert f"tour-1 to tour-5 or lesson-1 to lesson-{COUNT}" in notices[0]


@pytest.mark.parametrize("message", [None, True, -1, COUNT, 1.0, "3", [1], {"go": 1}])
def test_a_message_that_is_no_stop_is_refused(message):
    with pytest.raises(ValueError, match="stops"):
        read_stop(message, COUNT)


def test_a_message_is_read():
    assert read_stop(0, COUNT) == 0


# --- In the app ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", SHIPPED)
@pytest.mark.parametrize(("guide", "stop"), [("lesson", 1), ("lesson", 9), ("lesson", COUNT), ("tour", 1), ("tour", 5)])
def test_a_link_opens_a_guide_at_its_page(model, guide, stop):
    app = start(model=model, guide=f"{guide}-{stop}")
    assert not app.exception
    assert not app.warning
    assert query(app)["guide"] == f"{guide}-{stop}"
    assert query(app)["model"] == model
    titles = [title.value for title in app.title]
    page = GUIDES[guide].stops(kinds.PLAIN)[stop - 1].page
    assert titles == {"sequence": ["From image to sequence"], "attention": ["Attention"], "explore": []}[page]


def test_an_older_link_becomes_one_of_today():
    app = start(tour="9")
    assert not app.warning
    assert [title.value for title in app.title] == ["Attention"]
    assert (query(app).get("tour"), query(app)["guide"]) == (None, "lesson-9")


@pytest.mark.parametrize("link", [{"tour": "99"}, {"guide": "tour-9"}])
def test_nonsense_is_said_and_opens_nothing(link):
    app = start(**link)
    assert next(iter(link)) in app.warning[0].value
    assert not taking(app)
    assert not {"tour", "guide"} & set(query(app))


@pytest.mark.parametrize(("guide", "titles"), [("tour", []), ("lesson", ["From image to sequence"])])
def test_a_guide_is_offered_until_it_is_taken(guide, titles):
    app = start()
    assert not taking(app)
    app.button(key=f"start_{guide}").click().run()
    assert not app.exception
    assert app.session_state["tour"] == (guide, 0)
    assert [title.value for title in app.title] == titles
    assert query(app)["guide"] == f"{guide}-1"
    assert not [button for button in app.button if button.key in ("sidebar_tour", "start_tour", "start_lesson")]


@pytest.mark.parametrize(("guide", "page", "title"), [("lesson", "sequence", ["Attention"]), ("tour", "explore", [])])
def test_it_goes_on_where_it_was_left(guide, page, title):
    app = opened(page)
    app.session_state["tour_left"] = {"lesson": 8, "tour": 2}
    app.run()
    left = app.session_state["tour_left"][guide]
    assert app.button(key="sidebar_tour").label == f"Resume the {guide} at stop {left + 1}"
    app.button(key="sidebar_tour").click().run()
    assert app.session_state["tour"] == (guide, left)
    assert [title.value for title in app.title] == title


def test_the_stop_stays_in_the_address_of_every_page():
    app = start(guide="lesson-4")
    app.switch_page("pages/explore.py").run()
    assert query(app)["guide"] == "lesson-4"
    assert taking(app), "whoever looks at another page has not left the lesson"
