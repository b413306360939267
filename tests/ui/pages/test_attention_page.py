"""The page "Attention", without a browser: it opens for every kind of model, and every sum on it is the model's."""

import argparse
import re
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from streamlit.testing.v1 import AppTest
from timm.models import VisionTransformer

import vitviz
from tests.support import random_models as kinds
from tests.support.app_pages import choice_of, explore, opened, placed, query, settings, show_instead, texts
from tests.support.attention_page import attention, fine, predict, predictions, revealed
from tests.support.printed_sums import printed_sums
from vitviz.analysis.attention import head_statistics, patch_distances
from vitviz.model.config import RoPE
from vitviz.notation.marks import percent
from vitviz.ui.app import models, state
from vitviz.ui.pages.attention import formulas, head_view
from vitviz.ui.widgets import symbols
from vitviz.walkthrough.steps import block_by_hand
from vitviz.walkthrough.steps.clear_head import clearest_head

KINDS = {
    "with registers": replace(kinds.PLAIN, num_registers=2),
    "pooled": kinds.CONFIGS["pooled"],
    "pooled of all": kinds.CONFIGS["pooled of all"],
    "differential": kinds.CONFIGS["differential"],
    "relative": kinds.CONFIGS["relative"],
    "mean with registers": kinds.CONFIGS["mean with registers"],
    "distilled": kinds.CONFIGS["distilled"],
    "rotary": replace(kinds.PLAIN, position_embedding=False, rope=RoPE("centred"), qk_norm=True),
    "gated, RMS": replace(kinds.PLAIN, mlp="gated", mlp_norm=True, activation="silu", norm="rms"),
    "post-norm": replace(kinds.PLAIN, block="post", attention_norm=True),
    "parallel": replace(kinds.PLAIN, block="parallel", pooling="token+mean"),
    "one head": replace(kinds.PLAIN, num_heads=1, num_registers=1),
}


def shown_view(app: AppTest) -> tuple[int, int]:
    """Layer and head of the address, from 0."""
    return int(query(app)["layer"]) - 1, int(query(app)["head"]) - 1


@pytest.mark.parametrize("parameters", [{}, {"model": "digits"}, {"image": "rocket", "size": "280"}])
def test_the_page_opens(parameters):
    said = fine(revealed(attention(**parameters)))
    assert "class token" in said
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
    fine(app.run())
    (scored,) = placed(app, "score_of")
    assert re.findall(r"\(\d+, \d+\)", scored) == ["(1, 1)", "(16, 16)"]


def test_a_link_holds_what_is_looked_at():
    app = attention(layer="3", head="2", query="4-5")
    assert {"layer": "3", "head": "2", "query": "4-5"}.items() <= query(app).items()


def test_another_model_keeps_what_it_has_of_the_choice():
    app = attention(layer="12", head="6", query="16-16")
    settings(app)["key_patch"] = (15, 15)
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


def test_the_weights_are_shown_after_the_prediction(monkeypatch):
    shown = {}
    picker = head_view.patch_picker
    monkeypatch.setattr(
        head_view,
        "patch_picker",
        lambda *given, key, **more: shown.update({key: more}) or picker(*given, key=key, **more),
    )
    app = attention()
    assert shown["attention_picker"]["overlay"] is None
    predict(app, "strongest", "A")
    trace, (layer, head) = state.trace(choice_of(app)), shown_view(app)
    weights = trace.attention(layer, head, trace.prefix + 8 * 16 + 8)
    np.testing.assert_allclose(shown["attention_picker"]["overlay"].values.ravel(), weights[1:], rtol=1e-4)
    (said,) = placed(app, "prediction_strongest")
    listed = re.findall(r"([ABC]) \(patch \((\d+), (\d+)\)\) ([\d.]+ %)", said)
    found = {letter: float(weights[1 + 16 * (int(row) - 1) + int(column) - 1]) for letter, row, column, _ in listed}
    assert [share for *_, share in listed] == [percent(weight) for weight in found.values()]
    assert re.search(r"largest weight is at (\w)", said)[1] == max(found, key=found.get)
    assert max(found.values()) == pytest.approx(weights[1:].max())
    assert not predictions(attention(query="4-5"), "strongest")


@pytest.mark.parametrize("answer", ["It grows", "It shrinks", "It stays the same", "Show me"])
def test_the_temperature_is_predicted_first(answer):
    app = attention(layer="12")
    assert not [widget for widget in app.select_slider if widget.key == "what_if_temperature"]
    predict(app, "temperature", answer)
    app.select_slider(key="what_if_temperature").set_value(2.0).run()
    said = placed(app, "prediction_temperature")
    assert (said is None) == (answer == "Show me")
    trace = state.trace(choice_of(app))
    scores = trace.scores(11, 0, trace.prefix + 8 * 16 + 8)
    largest = [percent(float(torch.softmax(torch.tensor(scores) / T, 0).max())) for T in (1.0, 2.0)]
    if said:
        assert re.findall(r"[\d.]+ %", said[0]) == largest
        assert said[0].startswith("Yes") == (answer == "It shrinks")
    assert largest[1] in placed(app, "temperature_row")[0]


@pytest.mark.parametrize("temperature", [0.0, 0.1, 10.0, np.inf])
def test_what_if_temperatures(temperature):
    app = revealed(attention())
    app.select_slider(key="what_if_temperature").set_value(temperature).run()
    fine(app)
    (caption,) = placed(app, "temperature_row")
    assert re.search(r"\b1\.0000\b", caption)
    if temperature == 0:
        assert "100.0 %" in caption
    if temperature == np.inf:
        assert "0.389 %" in caption  # one of 257


# ---------------------------------------------------------------- prefix tokens as query and key


def assert_follows(app: AppTest, trace, asked: int, answering: int) -> None:
    """Check that score, weighted sum and residual stream on the page are those of two tokens."""
    fine(app)
    layer, head = shown_view(app)
    names = [vitviz.notation.view.token_label(trace, token) for token in (asked, answering)]
    (scored,) = placed(app, "score_of")
    assert [name for name in names if name in scored] == names
    results = [float(right.replace("−", "-")) for _, right in printed_sums(re.sub(r"<[^>]+>", "", texts(app.main)))]
    z, stream = (trace.activation(f"blocks.{layer}.{part}") for part in ("attn.z", "resid_mid"))
    for wanted in (*np.atleast_1d(trace.scores(layer, head, asked, answering)), z[head, asked, 0], stream[asked, 0]):
        assert min(abs(result - float(wanted)) for result in results) < 2e-4 * max(1, abs(float(wanted)))
    assert query(app)["query"] == vitviz.notation.marks.format_token(asked, trace)


@pytest.mark.parametrize("parameters", [{}, {"model": "digits"}])
def test_the_class_token_of_a_link_is_followed_as_query(parameters):
    app = revealed(attention(query="cls", layer="4", head="2", **parameters))
    trace = state.trace(choice_of(app))
    weights = trace.attention(3, 1, 0)
    assert app.pills(key="query_token").value == 0
    assert_follows(app, trace, 0, trace.prefix + int(weights[trace.prefix :].argmax()))
    app.pills(key="key_token").set_value(0).run()
    assert_follows(app, trace, 0, 0)
    app.pills(key="query_token").set_value(head_view.PATCH).run()
    rows, columns = trace.grid
    assert_follows(app, trace, trace.prefix + rows // 2 * columns + columns // 2, 0)


def test_the_class_token_pinned_on_explore_is_followed():
    app = explore(query="cls").switch_page("pages/attention.py").run()
    assert query(app)["query"] == "cls"
    assert "class token" in placed(app, "score_of")[0]


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
    """Small random model of another kind, in place of the selected model, and its trace."""
    config = KINDS[request.param]
    monkeypatch.setitem(kinds.CONFIGS, request.param, config)
    trace = kinds.trace_of(request.param)
    show_instead(monkeypatch, trace, request.param)
    about = models.describe
    monkeypatch.setattr(models, "describe", lambda name: replace(about(name), config=config))
    return config, trace


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


def test_every_prefix_token_of_other_kinds_is_followed(other):
    _, trace = other
    app = attention()
    if not trace.prefix:
        assert "query_token" not in [widget.key for widget in app.pills]
        return
    for token in {0, trace.prefix - 1}:
        app.pills(key="query_token").set_value(token).run()
        assert_follows(app, trace, token, settings(app).get("key_prefix_token") or int(_strongest(trace, app, token)))
    app.pills(key="key_token").set_value(trace.prefix - 1).run()
    assert_follows(app, trace, token, trace.prefix - 1)


def _strongest(trace, app: AppTest, token: int) -> int:
    """The patch with the largest weight of a token in the head on the page."""
    layer, head = shown_view(app)
    return trace.prefix + int(np.abs(trace.attention(layer, head, token)[trace.prefix :]).argmax())


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
