"""The page "Image to sequence": every sum on it holds, for many kinds of models and images."""

import re

import pytest
import timm
import torch
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support.app_pages import opened, placed, settings, texts
from tests.support.printed_sums import comes_out, printed_sums
from vitviz import zoo
from vitviz.ui.app import models, state
from vitviz.ui.widgets.strips import number
from vitviz.ui.widgets.sums import product, round_consistently
from vitviz.walkthrough import sequence


def story(**parameters: str) -> AppTest:
    return opened("sequence", **parameters)


def words(app: AppTest) -> str:
    """Return all text without the markup of symbols."""
    return re.sub(r"<[^>]+>", "", texts(app)).replace("\\", "")


def formulas(app: AppTest) -> str:
    return "\n".join(formula.value for formula in app.latex)


def assert_all_hold(app: AppTest) -> None:
    assert not app.exception
    assert not app.error
    assert words(app).count("✓") >= 3
    assert "✗" not in words(app)
    sums = printed_sums(words(app))
    assert sums
    assert [one for one in sums if not comes_out(*one)] == []


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
    assert re.search(rf"\b{3 * (14 * 2 + 5) + 2} .*\bgreen .*\brow 3, column 6\b", words(app))
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
    app.toggle(key="shuffle").set_value(True).run()
    with_positions, without = (float(metric.value) for metric in app.metric)
    assert with_positions < 0.999
    assert without == pytest.approx(1, abs=1e-4)
    app.number_input(key="shuffle_seed").set_value(7).run()
    assert float(app.metric[0].value) != with_positions
    assert_all_hold(app)


def test_all_positions():
    app = story(image="cat")
    app.toggle(key="all_positions").set_value(True).run()
    assert_all_hold(app)


def test_a_row_without_a_patch_is_shown_until_another_patch_is_chosen():
    app = story(image="cat")
    assert "138, patch (9, 9): [" in words(app)
    settings(app)["prefix_token"] = 0
    app.run()
    assert settings(app)["patch"] == (8, 8), "the page keeps its patch"
    assert re.search(r"\b1, class token: \[", words(app))
    assert r"\boxed{\textcolor{#8a6500}{\mathbf{w}_{\mathrm{CLS}}}}" in formulas(app)
    assert_all_hold(app)
    settings(app)["patch"], settings(app)["prefix_token"] = (1, 2), None
    app.run()
    assert "20, patch (2, 3): [" in words(app)
    assert_all_hold(app)


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
    assert app.get("button_group")[-1].value == 14
    before = words(app)
    app.get("button_group")[-1].set_value(32).run()
    said = words(app)
    assert "Arithmetic only" in said
    assert re.search(r"P = 32\b.*\b7 \D*\b7 \D*N = 49 \(× 0\.191\)", said)
    assert re.search(r"\b3,072 \w+ \(× 5\.22\)", said)
    assert re.search(r"\(49 \+ 1\)² = 2,500 \D*\(× 0\.0379\)", said)
    assert not placed(app, "pixels_left_over")
    for title in ("4 · Linear", "6 · The"):
        assert (title in said) == (title in before)


def test_pixels_that_would_be_left_over_are_said():
    app = story(model="digits", image="digit-4")
    app.get("button_group")[-1].set_value(14).run()
    (left,) = placed(app, "pixels_left_over")
    assert re.findall(r"\d+ \w+", left) == ["4 rows", "4 columns"]
    app.get("button_group")[-1].set_value(4).run()
    app.selectbox(key="model").select("dinov2-small").run()
    assert app.get("button_group")[-1].value == 14, "4 is offered only by the model that has it"
    assert_all_hold(app)


def test_another_grid_has_another_middle():
    app = story(image="cat", size="518")
    settings(app)["patch"] = (36, 36)
    app.run()
    app.selectbox(key="size").select(224).run()
    assert settings(app)["patch"] == (8, 8)
    assert_all_hold(app)


KINDS = {
    "no class token": "vit_base_patch16_siglip_224",
    "registers, no positions on them": "vit_medium_patch16_reg4_gap_256",
    "rotary": "eva02_tiny_patch14_224",
    "norm before the first block": "vit_base_patch16_clip_224",
    "relative": "beit_base_patch16_224",
    "distilled": "deit_tiny_distilled_patch16_224",
    "norm after the projection": "aimv2_large_patch14_224",
    "hybrid": "vit_small_r26_s32_224",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_told_as_it_is(kind, monkeypatch):
    torch.manual_seed(0)
    theirs = timm.create_model(KINDS[kind], depth=1, embed_dim=96, num_heads=3, num_classes=4)
    model = vitviz.from_timm(theirs)
    about = models.ModelInfo(kind, kind, "", model.config, model.preprocessing, models.sizes(model.config))
    real_about, real_shared = models.describe, zoo.shared
    monkeypatch.setattr(models, "describe", lambda name: about if name == kind else real_about(name))
    monkeypatch.setattr(zoo, "shared", lambda name, *more: model if name == kind else real_shared(name, *more))
    monkeypatch.setattr(models, "is_ready", lambda name: True)
    app = story(model=kind, image="cat")
    assert_all_hold(app)
    config, said = model.config, words(app)
    assert (f"= 1 × {config.patch_size**2 * config.in_chans}" in said) == (not config.stem)
    assert ("wCLS" in said) == config.class_token
    assert ("Wpos" in said) == config.position_embedding
    assert ("rotary positions" in said) == (config.rope is not None)
    assert ("relative positions" in said) == config.relative_position_bias
    assert f"{config.num_prefix_tokens + config.grid[0] * config.grid[1]} tokens of" in said
    drawn = formulas(app)
    assert (r"\mathrm{CLS}" in drawn) == config.class_token
    assert (r"\mathrm{LP}" in drawn) == ("WLP" in said) == (not config.stem)
    assert (r"\mathrm{norm}(x_" in drawn) == config.patch_norm
    assert (r"\mathrm{pos}" in drawn) == config.position_embedding
    assert all(name in drawn for name in config.prefix_token_names[config.class_token :])
    assert bool(placed(app, "norm_before_blocks")) == config.pre_norm
    assert (
        bool(re.search(r"\+ b[})]", drawn))
        == ("+ bias" in said)
        == bool(not config.stem and sequence.projection(model)[1].any())
    )
