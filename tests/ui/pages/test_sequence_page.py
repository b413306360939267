"""The page "Image to sequence": every sum on it holds, for many kinds of models and images."""

import html
import re

import numpy as np
import pytest

import vitviz
from tests.support.app_pages import choice_of, placed, query, settings
from tests.support.sequence_page import PIXEL_PARTS, assert_all_hold, choose, drawn_html, formulas, story, widget, words
from vitviz.ui.app import state
from vitviz.ui.pages.lesson.prediction import SKIPPED
from vitviz.ui.pages.sequence import page, pixels, projection, shuffling, what_if
from vitviz.ui.pages.sequence.settings import RESPONSES
from vitviz.ui.widgets import symbols
from vitviz.ui.widgets.strips import number
from vitviz.ui.widgets.sums import product, round_consistently
from vitviz.walkthrough import sequence


@pytest.mark.parametrize(
    ("model", "image", "side"),
    [
        ("dinov2-small", "cat", 16),
        ("dinov2-small", "pagoda", 16),
        ("digits", "digit-4", 8),
    ],
)
def test_the_story_is_told_with_real_numbers(model, image, side):
    app = story(model=model, image=image)
    assert_all_hold(app)
    assert re.search(rf"\b{side} rows\D+ {side} patches", words(app))


@pytest.mark.parametrize("dimension", [1, 200, 384])
def test_a_number_of_the_token_is_the_librarys(dimension):
    app = story(image="coffee")
    settings(app)["patch"] = (2, 3)
    app.slider(key="dimension").set_value(dimension).run()
    assert_all_hold(app)
    trace = vitviz.load("dinov2-small").trace(state.samples()["coffee"], size=224, record=("embed.*",))
    made = sequence.project(trace, 2 * 16 + 3, dimension - 1)
    (red, green, blue, bias), total = round_consistently(
        [*made.products.sum(axis=(0, 1)).tolist(), made.bias], made.total
    )
    assert f"red {red} + green {green} + blue {blue} + bias {bias} = **{total}**" in words(app)
    assert total == number(made.total)
    recorded = trace.activation("embed.patches")[2 * 16 + 3, dimension - 1]
    assert f"model **{number(recorded)}**" in words(app)


def test_where_each_pixel_went():
    app = story(image="cat")
    app.slider(key="vector_index").set_value(3 * (14 * 2 + 5) + 2).run()
    trace = vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224, record=("embed.*",))
    made = sequence.project(trace, 8 * 16 + 8, 0)
    (pixel, weight), result = round_consistently(
        [float(made.pixels[2, 5, 1]), float(made.filter[2, 5, 1])], float(made.products[2, 5, 1]), product
    )
    assert re.search(
        rf"\b{3 * (14 * 2 + 5) + 2} .*: {re.escape(f'{pixel} × {weight} = **{result}**')}",
        words(app),
    )
    assert_all_hold(app)


def test_shuffling_moves_the_feature_only_because_of_positions():
    app = story(image="rocket")
    assert not app.metric, "the user predicts first"
    choose(app, "predicted_shuffle", shuffling.DIFFERENT)
    without, with_positions = (float(metric.value) for metric in app.metric)
    (answer,) = [text for text in placed(app, "shuffle_answer") if shuffling.SAME in text]
    assert shuffling.DIFFERENT in answer, "the prediction is repeated beside the result"
    assert with_positions < 0.999
    assert without == pytest.approx(1, abs=1e-4)
    app.number_input(key="shuffle_seed").set_value(7).run()
    assert float(app.metric[1].value) != with_positions
    assert_all_hold(app)


@pytest.mark.parametrize(
    ("cosine", "effect"),
    [(1.0, shuffling.SAME), (0.99995, shuffling.SAME), (0.99, shuffling.SIMILAR), (0.4, shuffling.DIFFERENT)],
)
def test_an_effect_is_named_after_its_size(cosine, effect):
    assert shuffling.effect(cosine) == effect


def test_all_positions():
    app = story(image="cat")
    app.toggle(key="all_positions").set_value(True).run()
    assert_all_hold(app)


def test_a_row_without_a_patch_is_shown_until_another_patch_is_chosen():
    app = story(image="cat")
    assert "138, patch (9, 9): [" in words(app)
    for part in PIXEL_PARTS:
        assert placed(app, f"no_pixels_{part}") is None
    choose(app, "followed", 0)
    assert settings(app)["prefix_token"] == 0
    assert settings(app)["patch"] == (8, 8), "the page keeps its patch"
    for part in PIXEL_PARTS:
        assert placed(app, f"no_pixels_{part}")
    assert query(app)["query"] == "cls"
    assert re.search(r"\b1, class token: \[", words(app))
    colour = symbols.SYMBOLS["w_CLS"].light
    assert rf"\boxed{{\textcolor{{{colour}}}{{\mathbf{{w}}_{{\mathrm{{CLS}}}}}}}}" in formulas(app)
    assert_all_hold(app)
    app.button(key="follow_a_patch_flattening").click().run()
    assert "138, patch (9, 9): [" in words(app)
    settings(app)["patch"] = (1, 2)
    app.run()
    assert "20, patch (2, 3): [" in words(app)
    assert_all_hold(app)


def test_a_link_to_the_class_token_follows_it():
    app = story(image="cat", query="cls")
    assert placed(app, "no_pixels_flattening")
    assert re.search(r"\b1, class token: \[", words(app))
    assert_all_hold(app)


def test_the_map_of_positions_is_that_of_the_followed_token():
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    learned = trace.model.positions(*trace.grid)[0].numpy()
    for token in (0, 20):
        unit = learned / np.linalg.norm(learned, axis=1, keepdims=True)
        values = page.similar_positions(trace, token).values
        assert values.ravel() == pytest.approx(unit[1:] @ unit[token], abs=1e-5)


def test_the_map_of_dot_products_has_the_number_of_the_section():
    trace = vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224, record=("embed.*",))
    labels = projection.responses(trace, 6).payload()["labels"]
    assert labels[137] == number(sequence.project(trace, 137, 6).sum)
    app = story(image="cat")
    choose(app, "on_picture", RESPONSES)
    assert widget(app, "on_picture").value == RESPONSES
    assert_all_hold(app)


def test_a_chosen_component_is_that_of_the_slider():
    app = story(image="cat")
    app.slider(key="vector_index").set_value(12).run()
    assert re.search(r"\b12\b.*×.*= \*\*", words(app))


def test_the_formula_has_the_numbers_of_the_chosen_row():
    app = story(image="cat")
    settings(app)["patch"] = (2, 4)
    app.slider(key="dimension").set_value(7).run()
    trace = vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224, record=("embed.*",))
    row = sequence.embedded(trace, 37)
    (projected, position), total = round_consistently([float(row.vector[6]), float(row.position[6])], float(row.row[6]))
    drawn = formulas(app)
    assert f"+ b}}_{{{projected}}} + ".replace("−", "-") in drawn
    assert f"}}}}}}_{{{position}}} = {total}".replace("−", "-") in drawn
    assert r"\boxed{x_{37}\," in drawn
    assert rf"\boxed{{{total}}}".replace("−", "-") in drawn


def test_other_patch_sizes_are_arithmetic():
    app = story(image="cat")
    assert widget(app, "what_if_patch").value == 14
    assert placed(app, "what_if_costs") is None
    choose(app, "what_if_patch", 8)
    assert placed(app, "what_if_costs") is None, "the user predicts first"
    assert widget(app, "predicted_tokens").options == ["85", "449", "785", "Show me"]
    choose(app, "predicted_tokens", "449")
    (answer,) = placed(app, "tokens_answer")
    assert re.findall(r"\d+", answer) == ["449", "785", "28", "28", "1"]
    said = words(app)
    assert re.search(r"P = 8\b.*\b28 \D*\b28 \D*N = 784 \(× 3\.06\)", said)
    assert re.search(r"\b192 \w+ \(× 0\.327\)", said)
    costs = re.sub(r"<[^>]+>", " ", drawn_html(app))
    assert re.search(r"\(784 \+ 1\)² = 616,225 \D*× 9\.33\b", costs)
    assert re.search(r"× 9\.33\b.*\b936\.\d million \D*× 4\.63\b.*\b1,862 million \D*× 3\.68\b", costs)
    assert not placed(app, "pixels_left_over")


def test_another_patch_size_asks_again_and_a_skipped_question_shows_the_result():
    app = story(image="cat")
    choose(app, "what_if_patch", 32)
    choose(app, "predicted_tokens", SKIPPED)
    assert re.findall(r"\d+", placed(app, "tokens_answer")[0]) == ["50", "7", "7", "1"]
    choose(app, "what_if_patch", 16)
    assert placed(app, "tokens_answer") is None
    choose(app, "what_if_patch", 32)
    assert placed(app, "tokens_answer")


@pytest.mark.parametrize(("now", "then"), [(14, 8), (14, 32), (4, 8), (4, 32), (16, 14)])
def test_the_right_number_of_tokens_is_among_the_guesses(now, then):
    side = 224 if now > 4 else 32
    sizes = [sequence.sequence_sizes(side, side, patch) for patch in (then, now)]
    guesses = what_if.guesses(*sizes)
    assert f"{1 + (side // then) ** 2:,}" in guesses
    assert len(set(guesses)) == len(guesses) >= 2


def test_pixels_that_would_be_left_over_are_said():
    app = story(model="digits", image="digit-4")
    choose(app, "what_if_patch", 14)
    choose(app, "predicted_tokens", SKIPPED)
    (left,) = placed(app, "pixels_left_over")
    assert re.findall(r"\d+ \w+", left) == ["4 rows", "4 columns"]
    choose(app, "what_if_patch", 4)
    app.selectbox(key="model").select("dinov2-small").run()
    assert widget(app, "what_if_patch").value == 14, "4 is offered only by the model that has it"
    assert_all_hold(app)


@pytest.mark.parametrize(
    ("model", "image", "comparison"), [("dinov2-small", "cat", "384 < 588"), ("digits", "digit-4", "96 > 48")]
)
def test_the_dimension_of_the_embedding_space_is_compared(model, image, comparison):
    (said,) = placed(story(model=model, image=image), "embedding_space")
    assert comparison in html.unescape(said)


def test_components_say_their_number_and_how_much_they_explain():
    weight = vitviz.load("dinov2-small").patch_embed.proj.weight.detach().numpy().reshape(384, -1)
    variances = np.linalg.eigvalsh(np.cov(weight.T))[::-1]
    share = 100 * variances[:28].sum() / variances.sum()
    (said,) = placed(story(image="cat"), "filter_components")
    assert re.findall(r"\b\d+\b", said)[:2] == ["28", f"{share:.0f}"]


def test_galleries_and_tables_are_closed_until_they_are_wanted():
    app = story(image="cat")
    assert len(app.expander) >= 6
    assert not [one.label for one in app.expander if one.proto.expanded]


@pytest.mark.parametrize(("image", "cropped"), [("rocket", True), ("digit-4", False)])
def test_only_a_crop_is_called_one(image, cropped):
    app = story(image=image, model="digits" if image.startswith("digit") else "dinov2-small")
    choice = choice_of(app)
    left, top, right, bottom = state.prepared(choice).geometry.source
    assert ((left, top, right, bottom) != (0, 0, *state.original_image(choice).rgb.size)) == cropped
    assert ("grey" in pixels.crop_caption(choice)) == cropped
    (picture,) = app.get("image")[0].proto.imgs
    assert picture.caption == pixels.crop_caption(choice)


def test_a_drawing_is_called_one():
    drawing = state.Picked(state.DRAWN, state.samples()["digit-4"], sample=False)
    assert "drawing" in pixels.crop_caption(state.Choice(drawing, "digits", 32, "crop"))
    image = state.Picked("mine.png", state.samples()["digit-4"], sample=False)
    assert "drawing" not in pixels.crop_caption(state.Choice(image, "digits", 32, "crop"))


@pytest.mark.exhaustive
def test_another_grid_has_another_middle():
    app = story(image="cat", size="518")
    settings(app)["patch"] = (36, 36)
    app.run()
    app.selectbox(key="size").select(224).run()
    assert settings(app)["patch"] == (8, 8)
    assert_all_hold(app)
