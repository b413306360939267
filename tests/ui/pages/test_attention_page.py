"""The page "Attention", without a browser: it opens for every kind of model, and every sum on it is the model's."""

import argparse
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import streamlit as st
import timm
import torch
from streamlit.testing.v1 import AppTest
from timm.models import VisionTransformer

from tests.support import random_models as kinds
from tests.support.app_pages import opened, query, settings, show_instead, texts
from tests.support.printed_sums import comes_out, printed_sums
from vitviz.model.config import RoPE
from vitviz.ui.app import models
from vitviz.ui.pages.attention import lookup

KINDS = {  # and words that the page has to say of them
    "with registers": (replace(kinds.PLAIN, num_registers=2), "register 2"),
    "pooled": (kinds.CONFIGS["pooled"], "learned query"),
    "pooled of all": (kinds.CONFIGS["pooled of all"], "learned query"),
    "differential": (kinds.CONFIGS["differential"], "differential attention"),
    "relative": (kinds.CONFIGS["relative"], "places is added"),
    "mean with registers": (kinds.CONFIGS["mean with registers"], "the mean of the patches"),
    "distilled": (kinds.CONFIGS["distilled"], "distillation token"),
    "rotary": (
        replace(kinds.PLAIN, position_embedding=False, rope=RoPE("centred"), qk_norm=True),
        "Positions are **rotary**",
    ),
    "gated, RMS": (replace(kinds.PLAIN, mlp="gated", mlp_norm=True, activation="silu", norm="rms"), "SiLU"),
    "post-norm": (replace(kinds.PLAIN, block="post", attention_norm=True), "normalises after attention"),
    "parallel": (replace(kinds.PLAIN, block="parallel", pooling="token+mean"), "beside attention"),
}


def attention(**parameters: str) -> AppTest:
    return opened("attention", **parameters)


def fine(app: AppTest) -> str:
    """Return the text of the page after checking that it has no errors."""
    assert not app.exception
    assert not app.error
    said = texts(app.main) + "".join(element.proto.body for element in app.main.get("html"))
    assert "✓" in said
    assert "✗" not in said
    assert "7" in [title.value.partition(" ")[0] for title in app.header]
    assert "nan" not in texts(app).split()
    sums = printed_sums(re.sub(r"<[^>]+>", "", texts(app.main)).replace("\\", ""))
    assert len(sums) >= 3  # score, weighted sum, residual
    assert [one for one in sums if not comes_out(*one)] == []
    assert_softmax_comes_out(said)
    return said


def assert_softmax_comes_out(said: str) -> None:
    """Recompute every exp of the softmax table from its score and the maximum in the header."""
    largest = re.search(r"exp\(s − \(?(−?[\d.]+)\)?\)", said)
    if not largest:
        return  # differential attention shows two softmaxes instead
    rows = re.findall(r"<tr><td>[^<]*</td><td>(−?[\d.]+)</td><td>([\d.]+)</td>", said[largest.end() :])
    assert rows
    for score, shown in rows:
        made = math.exp(float(score.replace("−", "-")) - float(largest[1].replace("−", "-")))
        assert f"{made:.4f}" == shown


@pytest.mark.parametrize("parameters", [{}, {"model": "digits"}, {"image": "rocket", "size": "280"}])
def test_the_page_opens(parameters):
    said = fine(attention(**parameters))
    assert "class token" in said
    assert "rotary" not in said
    assert "register" not in said
    assert "λ" not in said


def test_layers_heads_and_patches_can_be_chosen():
    app = attention(layer="3", head="2", query="4-5")
    assert "layer 3, head 2" in fine(app)
    assert settings(app)["patch"] == (3, 4)
    app.selectbox(key="attention_layer").select(0).run()
    app.selectbox(key="attention_head").select(5).run()
    assert "layer 1, head 6" in fine(app)
    assert "patch (4, 5)" in texts(app)
    settings(app)["patch"], settings(app)["key_patch"] = (0, 0), (15, 15)
    assert re.search(r"\bquery of patch \(1, 1\) \w+ the key of patch \(16, 16\)", fine(app.run()))


def test_a_link_holds_what_is_looked_at():
    app = attention(layer="3", head="2", query="4-5")
    assert {"layer": "3", "head": "2", "query": "4-5"}.items() <= query(app).items()


def test_another_model_keeps_what_it_has_of_the_choice():
    app = attention(layer="12", head="6", query="16-16")
    settings(app)["key_patch"] = (15, 15)
    app.selectbox(key="model").select("digits").run()
    assert "digit" in app.session_state.picked.name
    fine(app)


@pytest.mark.parametrize("temperature", [0.0, 0.1, 10.0, np.inf])
def test_what_if_temperatures(temperature):
    app = attention()
    app.select_slider(key="what_if_temperature").set_value(temperature).run()
    fine(app)
    caption = next(one.value for one in app.caption if one.value.startswith("What if"))
    assert re.search(r"\b1\.0000\b", caption)
    if temperature == 0:
        assert "100.0 %" in caption
    if temperature == np.inf:
        assert "0.389 %" in caption  # one of 257


def test_the_drawer_of_all_weights_is_drawn_when_it_is_opened():
    app = attention()
    assert len(app.main.get("plotly_chart")) == 2
    app.session_state["all_weights"] = True
    fine(app.run())
    assert len(app.main.get("plotly_chart")) == 3


def test_the_slider_moves_through_the_layers():
    app = attention()
    app.slider(key="reach_layer_12").set_value(12).run()
    assert "layer 12 of 12" in fine(app)
    assert "483 × 483 px" in fine(app)  # ResNet-50 as a whole


@pytest.mark.parametrize(("temperature", "share"), [(0.0, "100.0 %"), (2.0, "25.5 %")])
def test_the_dictionary_corrects_a_spelling_mistake(temperature, share):
    app = attention()
    app.slider(key="dictionary_temperature").set_value(temperature).run()
    assert "**strawberry**" in fine(app)
    app.text_input(key="dictionary_query").set_value("bannana").run()
    assert "**banana**" in fine(app)
    app.text_input(key="dictionary_query").set_value("").run()
    assert "no piece" in fine(app)
    app.text_input(key="dictionary_query").set_value("{N} <b> *x*").run()
    fine(app)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "The dictionary is empty"),
        ([(None, None, None)], "The dictionary is empty"),
        ([("kiwi", "no such colour", 1.0), ("{X} <i>", "#123456", 2.0)], "is no colour"),
        ([("kiwi", "green", None), ("fig", "purple", -3.5)], "has no number"),
        ([(f"word {i}", "rgb(1, 2, 3)", float(i)) for i in range(30)], "Only the first 12"),
    ],
)
def test_whatever_the_visitor_makes_of_the_dictionary(rows, expected, monkeypatch):
    table = pd.DataFrame(rows, columns=["key", "colour", "number"])
    monkeypatch.setattr(st, "data_editor", lambda *_, **__: table)
    app = attention()
    fine(app)
    shown = "\n".join(element.value for kind in (app.warning, app.info) for element in kind)
    assert expected in shown.replace("\\", "")


def test_a_dictionary_reads_names_and_codes_of_colours():
    table = pd.DataFrame({"key": ["a", " b ", ""], "colour": ["red", "#0000ff80", "x"], "number": [1, 2, 3]})
    found = lookup.read(table)
    assert found.keys == ("a", "b")
    assert found.problems == ()
    assert found.values.tolist() == [[255, 0, 0, 1], [0, 0, 255, 2]]
    assert len(lookup.FRUITS["key"]) <= lookup.MOST


@pytest.fixture(params=KINDS)
def other(request, monkeypatch):
    """Small random model of another kind, in place of the selected model."""
    config, words = KINDS[request.param]
    monkeypatch.setitem(kinds.CONFIGS, request.param, config)
    trace = kinds.trace_of(request.param)
    show_instead(monkeypatch, trace, request.param)
    about = models.describe
    monkeypatch.setattr(models, "describe", lambda name: replace(about(name), config=config))
    return config, words


def test_models_of_other_kinds(other):
    """The page describes all parts of these models and no others."""
    config, words = other
    app = attention()
    said = fine(app)
    assert words in said
    assert ("class token" in said) == config.class_token
    assert ("register 1" in said) == (config.num_registers > 0 and config.pooling != "distilled")
    assert ("λ" in said) == config.differential
    assert ("rotary" in said) == (config.rope is not None)
    assert ("LayerNorm" in said) == (config.norm == "layer" and config.block != "post")
    assert ("is gated" in said) == (config.mlp == "gated")
    assert ("learned bias" in said) == config.relative_position_bias
    assert ("attention pooling" in said) == (config.pooling == "attention")
    app.select_slider(key="what_if_temperature").set_value(0.0).run()
    fine(app)
    app.selectbox(key="attention_layer").select(0).run()
    app.selectbox(key="attention_head").select(1).run()
    fine(app)


@pytest.mark.parametrize("name", ["vit_small_patch16_224", "eva02_tiny_patch14_224"])
def test_a_checkpoint_without_a_class_token_and_one_with_rotary_positions(name, tmp_path, monkeypatch):
    torch.manual_seed(0)
    if name.startswith("vit"):
        model = VisionTransformer(
            img_size=64,
            patch_size=16,
            embed_dim=192,
            depth=1,
            num_heads=3,
            class_token=False,
            global_pool="avg",
            num_classes=2,
        )
        saved = model.state_dict()
    else:
        saved = {"model": timm.create_model(name).state_dict(), "args": argparse.Namespace(model=name)}
    torch.save(saved, tmp_path / "best.pth")
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    app = attention(model="best.pth")
    said = fine(app)
    assert app.session_state.settings["model"] == "best.pth"
    assert ("class token" in said) == ("rotary" in said) == name.startswith("eva")
