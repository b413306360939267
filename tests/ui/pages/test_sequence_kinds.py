"""The page "Image to sequence" with other kinds of models."""

import re
from dataclasses import replace

import pytest
import timm
import torch
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support import random_models
from tests.support.app_pages import choice_of, placed
from tests.support.sequence_page import PIXEL_PARTS, assert_all_hold, choose, formulas, story, widget, words
from vitviz import zoo
from vitviz.ui.app import models, state
from vitviz.ui.pages.lesson.prediction import SKIPPED
from vitviz.ui.pages.sequence.settings import BIAS, ROTATIONS
from vitviz.ui.widgets.strips import number
from vitviz.walkthrough import sequence

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


@pytest.fixture
def story_of(monkeypatch):
    """Function that opens the page with a model in memory."""

    def opened_with(name: str, model: vitviz.VisionTransformer, **parameters: str) -> AppTest:
        about = models.ModelInfo(name, name, "", model.config, model.preprocessing, models.sizes(model.config))
        real_about, real_shared = models.describe, zoo.shared
        monkeypatch.setattr(models, "describe", lambda asked: about if asked == name else real_about(asked))
        monkeypatch.setattr(zoo, "shared", lambda asked, *more: model if asked == name else real_shared(asked, *more))
        monkeypatch.setattr(models, "is_ready", lambda _: True)
        return story(model=name, image="cat", **parameters)

    return opened_with


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_told_as_it_is(kind, story_of):
    torch.manual_seed(0)
    model = vitviz.from_timm(timm.create_model(KINDS[kind], depth=1, embed_dim=96, num_heads=3, num_classes=4))
    app = story_of(kind, model)
    assert_all_hold(app)
    config, said = model.config, words(app)
    assert (f"= 1 × {config.patch_size**2 * config.in_chans}" in said) == (not config.stem)
    assert ("wCLS" in said) == config.class_token
    assert ("Wpos" in said) == config.position_embedding
    assert ("RoPE" in said) == (config.rope is not None)
    assert ("relative position" in said) == config.relative_position_bias
    assert f"{config.num_prefix_tokens + config.grid[0] * config.grid[1]} tokens of" in said
    drawn = formulas(app)
    assert (r"\mathrm{CLS}" in drawn) == config.class_token
    assert (r"\mathrm{LP}" in drawn) == ("WLP" in said) == (not config.stem)
    assert (r"\mathrm{norm}(x_" in drawn) == config.patch_norm
    assert (r"\mathrm{pos}" in drawn) == config.position_embedding
    assert all(name in drawn for name in config.prefix_token_names[config.class_token :])
    assert bool(placed(app, "norm_before_blocks")) == config.pre_norm
    bias = bool(not config.stem and sequence.projection(model)[1].any())
    assert bias == ("+ bias" in said) == ("+ b" in drawn)
    assert not config.stem or "x_{" not in drawn
    projected = re.findall(r"x_\{\d+\}\\,\\textcolor\{#\w+\}\{[^&]*?\}\}\}(.{0,4})", drawn)
    assert all((" + b" in after) == bias for after in projected), "each row has the bias that its number has"
    options = widget(app, "on_picture").options
    assert (ROTATIONS in options, BIAS in options) == (config.rope is not None, config.relative_position_bias)


@pytest.mark.parametrize("kind", random_models.CONFIGS)
def test_every_token_of_every_kind_can_be_followed(kind, story_of):
    model = random_models.trace_of(kind).model
    app = story_of(kind, model)
    assert_all_hold(app)
    for token, name in enumerate(model.config.prefix_token_names):
        choose(app, "followed", token)
        assert_all_hold(app)
        assert re.search(rf"\b{token + 1}, {name}: \[", words(app))
        for part in PIXEL_PARTS:
            assert name in placed(app, f"no_pixels_{part}")[0]


def test_relative_positions_say_both_directions(story_of):
    model = random_models.trace_of("relative").model
    app = story_of("relative", model)
    (rows, columns), head = state.trace(choice_of(app)).grid, 0
    token = 1 + rows // 2 * columns
    bias = model.blocks[0].attn.bias((rows, columns))[head]
    right, left = bias[token, token + 1], bias[token + 1, token]
    assert right != left
    assert re.search(rf"right {number(float(right))}, \D*left {number(float(left))} ", words(app))
    app.button(key="show_position_bias").click().run()
    assert widget(app, "on_picture").value == BIAS
    assert_all_hold(app)


def test_a_model_without_positions_is_not_compared_with_itself(story_of):
    model = vitviz.VisionTransformer(replace(random_models.PLAIN, position_embedding=False), "without positions")
    app = story_of("without positions", model.requires_grad_(False))
    choose(app, "predicted_shuffle", SKIPPED)
    (metric,) = app.metric
    assert float(metric.value) == pytest.approx(1, abs=1e-4)
    assert placed(app, "shuffle_answer")
    assert_all_hold(app)
