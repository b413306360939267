"""The page "Attention", without a browser: it opens for every kind of model, and every sum on it is the model's."""

import argparse
import re

import numpy as np
import pytest
import timm
import torch
from timm.models import VisionTransformer

from tests.support.app_pages import choice_of, opened, placed, query, settings, texts
from tests.support.attention_page import KINDS, attention, fine, revealed, show_kind, shown_view
from vitviz.analysis.attention import head_statistics, patch_distances
from vitviz.notation.marks import percent
from vitviz.ui.app import state
from vitviz.ui.pages.attention import formulas
from vitviz.ui.widgets import symbols
from vitviz.walkthrough.steps import block_by_hand
from vitviz.walkthrough.steps.clear_head import clearest_head


@pytest.mark.parametrize("parameters", [{}, {"model": "digits"}, {"image": "rocket", "size": "280"}])
def test_the_page_opens(parameters):
    said = fine(revealed(attention(**parameters)))
    assert "class token" in said
    assert "λ" not in said


def test_layers_heads_and_patches_can_be_chosen():
    app = attention(layer="3", head="2", query="4-5")
    said = fine(app)
    assert "layer 3" in said
    assert "head 2" in said
    assert settings(app)["patch"] == (3, 4)
    app.selectbox(key="attention_layer").select(0).run()
    app.selectbox(key="attention_head").select(5).run()
    said = fine(app)
    assert shown_view(app) == (0, 5)
    assert "head 6" in said
    assert "patch (4, 5)" in texts(app)
    settings(app)["patch"], settings(app)["attention_key"] = (0, 0), (15, 15)
    fine(app.run())
    (scored,) = placed(app, "score_of")
    assert re.findall(r"\(\d+, \d+\)", scored) == ["(1, 1)", "(16, 16)"]


def test_a_link_holds_what_is_looked_at():
    app = attention(layer="3", head="2", query="4-5")
    assert {"layer": "3", "head": "2", "query": "4-5"}.items() <= query(app).items()


def test_another_model_keeps_what_it_has_of_the_choice():
    app = attention(layer="12", head="6", query="16-16")
    settings(app)["attention_key"] = (15, 15)
    app.selectbox(key="model").select("digits").run()
    assert "digit" in app.session_state.picked.name
    fine(app)


# ---------------------------------------------------------------- the first example


@pytest.mark.parametrize("parameters", [{}, {"image": "coffee"}, {"model": "digits", "image": "digit-4"}])
def test_without_a_link_the_page_opens_on_the_clearest_head(parameters):
    app = attention(**parameters)
    trace = state.trace(choice_of(app))
    rows, columns = trace.grid
    clear = clearest_head(trace, trace.prefix + rows // 2 * columns + columns // 2)
    assert shown_view(app) == (clear.layer, clear.head)
    (rule,) = placed(app, "opened_by_rule")
    assert f"layer {clear.layer + 1}, head {clear.head + 1}" in rule
    assert f"{clear.entropy:.1f} bit" in rule
    assert placed(attention(**parameters, layer="2"), "opened_by_rule") is None


def test_both_lesson_pages_open_on_the_same_head():
    one, other = (query(opened(page)) for page in ("attention", "sequence"))
    assert {name: one[name] for name in ("layer", "head", "query")} == {
        name: other[name] for name in ("layer", "head", "query")
    }


# ---------------------------------------------------------------- numbers of the sections


def test_the_drawer_of_all_weights_is_drawn_when_it_is_opened():
    app = attention()
    before = len(app.main.get("plotly_chart"))
    app.session_state["all_weights"] = True
    fine(app.run())
    assert len(app.main.get("plotly_chart")) == before + 1


def test_the_size_of_the_update_is_measured_on_this_image():
    app = attention(layer="12", head="1", query="4-5")
    trace = state.trace(choice_of(app))
    token = trace.prefix + 3 * 16 + 4
    before, added = (torch.tensor(trace.activation(f"blocks.11.{part}")) for part in ("resid_pre", "attn.out"))
    ratios = added.norm(dim=1) / before.norm(dim=1)
    cosines = torch.cosine_similarity(before, before + added, dim=1)
    (said,) = placed(app, "attention_update")
    numbers = re.findall(r"\d+\.\d\d", said)
    wanted = (ratios[token], cosines[token], np.median(ratios.numpy()), np.median(cosines.numpy()))
    assert [float(number) for number in numbers] == pytest.approx([float(one) for one in wanted], abs=0.006)


def test_the_reasons_are_numbers_of_this_model_and_image():
    app = attention(layer="5", head="2", query="4-5")
    trace = state.trace(choice_of(app))
    block, token = trace.model.blocks[4], trace.prefix + 3 * 16 + 4
    before, middle = (torch.tensor(trace.activation(f"blocks.4.{part}")) for part in ("resid_pre", "resid_mid"))
    spreads = before.std(dim=1, correction=0)
    (said, *_) = placed(app, "why_norm")
    assert re.findall(r"\d+\.\d{3}", said)[:2] == [f"{one:.3f}" for one in (spreads.min(), spreads.max())]
    with torch.no_grad():
        hidden = block.mlp.activation(block.mlp.fc1(block.norm2(middle[token])))
    (said,) = placed(app, "why_activation")
    assert percent(float((hidden > 0).float().mean())) in said
    weights = trace.attention(4, query=token)
    pairs = [np.minimum(weights[a], weights[b]).sum() for a in range(6) for b in range(a)]
    (said,) = placed(app, "why_heads")
    shares = [percent(float(one)) for one in (np.mean(pairs), max(pairs), min(pairs))]
    assert re.findall(r"[\d.]+ %", said)[1:] == shares
    norms = np.linalg.norm(trace.tokens(11)[1:], axis=1)
    (said,) = placed(app, "why_registers")
    assert f"{norms.max() / np.median(norms):.2f}" in said


def test_registers_are_measured_where_a_model_has_them(other):
    config, trace = other
    (said,) = placed(attention(), "why_registers")
    registers = config.num_registers if config.pooling != "distilled" else 0
    norms = np.linalg.norm(trace.tokens(trace.layers - 1), axis=1)
    ratios = norms[trace.prefix - registers : trace.prefix] / np.median(norms[trace.prefix :])
    assert re.findall(r"\d+\.\d\d(?=,? )", said)[:registers] == [f"{ratio:.2f}" for ratio in ratios]


def test_logits_become_probabilities_by_hand():
    app = attention(model="digits", image="digit-4")
    logits = torch.tensor(state.trace(choice_of(app)).output).double()
    tables = [element.proto.body for element in app.main.get("html") if "exp(logit" in element.proto.body]
    (table,) = tables
    cells = [re.findall(r"<td>([^<]*)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)[1:]]
    order = logits.argsort(descending=True)
    for (label, logit, exponential, probability), index in zip(cells[:10], order, strict=True):
        assert label == str(int(index))
        assert float(logit.replace("−", "-")) == pytest.approx(float(logits[index]), abs=1e-3)
        assert float(exponential) == pytest.approx(float((logits[index] - logits.max()).exp()), abs=6e-5)
        assert probability == percent(float(logits.softmax(0)[index]))


def test_what_the_heads_use_is_compared_with_uniform_attention():
    app = attention(layer="12")
    assert app.slider(key="reach_layer_12").value == 1
    trace = state.trace(choice_of(app))
    distance = head_statistics(trace).distance[0]
    (said,) = placed(app, "reach_used")
    uniform = patch_distances(trace.grid, 14).mean()
    assert re.findall(r"\d+\.\d", said) == [f"{one:.1f}" for one in (distance.min(), distance.max(), uniform)]
    assert placed(app, "reach_small") is None
    assert placed(attention(model="digits"), "reach_small")


def test_the_slider_moves_through_the_layers():
    app = attention()
    app.slider(key="reach_layer_12").set_value(12).run()
    assert "layer 12 of 12" in fine(app)
    assert "483 × 483 px" in fine(app)  # ResNet-50 as a whole
    share = re.findall(r"483 × 483 px</td><td>([^<]*)", "".join(one.proto.body for one in app.main.get("html")))
    assert share == [percent(1.0)]


@pytest.fixture(params=KINDS)
def other(request, monkeypatch):
    """Small random model of another kind, in place of the selected model: its configuration and trace."""
    return show_kind(monkeypatch, request.param)


def test_models_of_other_kinds(other):
    """The page describes all parts of these models and no others."""
    config, trace = other
    app = revealed(attention())
    said = fine(app)
    for name in config.prefix_token_names:
        assert name in said
    assert ("class token" in said) == config.class_token
    assert ("register 1" in said) == (config.num_registers > 0 and config.pooling != "distilled")
    assert ("λ" in said) == config.differential
    assert config.pooling_description in said or config.pooling == "distilled"
    layer, head = shown_view(app)
    block = block_by_hand(trace, layer, head, trace.prefix + 2 * 6 + 3, trace.prefix)
    drawn = [element.value.strip("$\n") for element in app.latex]
    for tex in (
        formulas.sequence_shape(trace.prefix, 24, config.embed_dim),
        formulas.queries_keys_values(block.head, config),
        formulas.score(block.head, config.head_dim // (2 if config.differential else 1)),
        formulas.attention(block),
        formulas.attention_sublayer(block, config),
        formulas.mlp_sublayer(block, config),
        formulas.mlp(block.mlp, config),
    ):
        assert symbols.formula(tex) in drawn
    app.select_slider(key="what_if_temperature").set_value(0.0).run()
    fine(app)
    app.selectbox(key="attention_layer").select(0).run()
    app.selectbox(key="attention_head").select(min(1, config.num_heads - 1)).run()
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
