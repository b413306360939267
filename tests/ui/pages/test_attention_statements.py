"""Statements of the page "Attention" that follow from the model: sources, norms, scales, the output and the reach."""

import re

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from tests.support.app_pages import PATIENCE, placed
from tests.support.attention_page import KINDS, attention, fine, revealed, show_kind, shown_view
from tests.support.facts import assert_mentions
from vitviz.notation.marks import percent
from vitviz.ui.pages.attention import lookup
from vitviz.walkthrough.steps.measures import head_overlaps


@pytest.fixture(scope="module", params=KINDS)
def other(request):
    """Small random model of another kind, in place of the selected model: its configuration, trace and page."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        config, trace = show_kind(monkeypatch, request.param)
        app = revealed(attention())
        fine(app)
    return config, trace, app


def drawn(app, fact: str) -> str:
    """The one drawing in HTML that contains a text."""
    (body,) = [element.proto.body for element in app.main.get("html") if fact in element.proto.body]
    return body


# ---------------------------------------------------------------- statements of the source


def test_sources_formula_and_resolution_are_on_the_page():
    app = attention()
    (sources,) = placed(app, "attention_sources")
    assert_mentions(sources, lookup.PAPER, lookup.ARTICLE)
    assert lookup.PAPER == "https://arxiv.org/abs/1706.03762"
    assert lookup.ARTICLE == "https://habr.com/ru/articles/599703/"
    (formula,) = [element.value for element in app.latex if "similarity" in element.value]
    names = re.findall(r"\\mathrm\{(\w+)\}", formula)
    assert names == ["answer", "softmax", "similarity"]
    assert formula.count(r"\mathbf{q}") == formula.count(r"\mathbf{k}") == formula.count(r"\mathbf{v}") == 1
    _, reach, *_ = placed(app, "part_reach")
    assert_mentions(re.sub(r"<[^>]+>", "", reach), "resolution of a patch", "P = 14", "CNN")


def test_the_most_probable_key_has_the_largest_weight():
    app = attention(model="digits")
    shares = re.findall(r"></span>([\d.]+ %)</td>", drawn(app, "<th>similarity</th>"))
    assert len(shares) == len(lookup.FRUITS["key"])
    idea = "\n".join(placed(app, "part_idea"))
    assert_mentions(idea, "strawberry", max(shares, key=lambda share: float(share.split()[0])))


# ---------------------------------------------------------------- norms


def test_the_reason_for_the_norm_is_measured_where_it_is(other):
    config, trace, app = other
    layer, _ = shown_view(app)
    entered = trace.activation(f"blocks.{layer}.resid_pre")
    if config.block == "post":
        with torch.no_grad():
            attn = trace.model.blocks[layer].attn
            entered = attn(torch.tensor(entered)[None], trace.grid, trace.model.rotations(trace.grid)[layer])[0].numpy()
    spreads = entered.std(axis=1) if config.norm == "layer" else np.sqrt((entered**2).mean(axis=1))
    (said, *_) = placed(app, "why_norm")
    shown = [float(one) for one in re.findall(r"\d+\.\d{3}", said)[:2]]
    assert shown == pytest.approx([spreads.min(), spreads.max()], abs=6e-4, rel=1e-4)


def test_a_norm_after_the_mlp_is_mentioned(other):
    config, _, app = other
    _, said, *_ = placed(app, "part_network")
    assert ("norm" in said) == (config.block == "post")


# ---------------------------------------------------------------- scales and heads


def test_vectors_that_are_compared_share_a_scale(monkeypatch):
    app = attention(model="digits")
    assert drawn(app, "after the norm").count("±") == 2  # of the row before and after the norm; of q, k and v
    show_kind(monkeypatch, "distilled")
    assert drawn(attention(), "of the distillation token").count("±") == 1


def test_two_heads_have_one_overlap(monkeypatch):
    _, trace = show_kind(monkeypatch, "one layer, two heads")
    app = attention(query="2-3")
    overlap = head_overlaps(trace.attention(0, query=trace.prefix + 6 + 2))[0, 1]
    (said,) = placed(app, "why_heads")
    assert re.findall(r"[\d.]+ %", said)[1:] == [percent(float(overlap))]


def test_the_scores_of_prefix_tokens_are_beside_the_map(other):
    config, trace, app = other
    scored = placed(app, "part_scores")
    before = [text for text in scored if text.startswith("Not on the map")]
    assert len(before) == bool(trace.prefix)
    if before:
        assert_mentions(before[0], *config.prefix_token_names)


# ---------------------------------------------------------------- the output and the reach


def test_the_last_step_is_described(other):
    config, _, app = other
    _, said, *_ = placed(app, "part_output")
    assert_mentions(said, "classifier" if config.pooling != "distilled" else "classifiers")
    if config.pooling != "distilled":
        assert_mentions(said, config.pooling_description, config.feature_dim, config.num_classes)


def test_a_model_without_a_classifier_returns_its_feature():
    _, said, *_ = placed(attention(), "part_output")
    assert_mentions(said, "class token", 384)
    assert "classifier" not in said


def test_a_model_of_one_layer_is_compared_with_the_whole_resnet(other):
    config, _, app = other
    assert (placed(app, "reach_whole") is not None) == (config.depth == 1)
    if config.depth == 1:
        assert_mentions(placed(app, "reach_whole")[0], "ResNet-50", 16)
        assert placed(app, "reach_small") is None


# ---------------------------------------------------------------- fragments


def _an_image_that_is_no_longer_shared(fragment: str):
    import streamlit as st

    from vitviz.ui.app import class_images, state
    from vitviz.ui.pages.attention import receptive, softmax

    st.session_state.runs = st.session_state.get("runs", 0) + 1
    if st.session_state.runs == 1:  # with the next run, the app chooses a sample
        choice = state.Choice(class_images.ClassImage("gone", 64 * "0"), "digits", 32, "crop")
        {"temperature": softmax._temperature, "layers": receptive._through_the_layers}[fragment](choice)


@pytest.mark.parametrize("fragment", ["temperature", "layers"])
def test_fragments_look_up_the_image_and_run_the_page_again_when_it_is_no_longer_shared(fragment):
    """Streamlit keeps the arguments of a fragment until the page runs again, also after a sharing has ended."""
    app = AppTest.from_function(_an_image_that_is_no_longer_shared, args=(fragment,), default_timeout=PATIENCE).run()
    assert not app.exception
    assert not app.error
    assert app.session_state.runs == 2
