"""Query and key on the page "Attention": prefix tokens follow like patches, and links hold both."""

import re

import pytest

from tests.support.app_pages import choice_of, explore, placed, query, settings
from tests.support.attention_page import (
    KINDS,
    assert_follows,
    attention,
    fine,
    revealed,
    show_kind,
    shown_view,
    strongest_patch,
)
from tests.support.facts import assert_mentions
from vitviz.ui.app import state
from vitviz.ui.pages.attention import head_view, page
from vitviz.walkthrough.steps import record_layer
from vitviz.walkthrough.steps.clear_head import clearest_head

WITH_REGISTERS = ("with registers", "mean with registers", "pooled of all")


@pytest.fixture(params=KINDS)
def other(request, monkeypatch):
    """Small random model of another kind, in place of the selected model: its configuration and trace."""
    return show_kind(monkeypatch, request.param)


@pytest.mark.parametrize("parameters", [{}, {"model": "digits"}])
def test_the_class_token_of_a_link_is_followed_as_query(parameters):
    app = revealed(attention(query="cls", layer="4", head="2", **parameters))
    trace = state.trace(choice_of(app))
    assert app.pills(key="query_token").value == 0
    assert_follows(app, trace, 0, strongest_patch(trace, app, 0))
    app.pills(key="key_token").set_value(0).run()
    assert_follows(app, trace, 0, 0)
    app.pills(key="query_token").set_value(head_view.PATCH).run()
    rows, columns = trace.grid
    assert_follows(app, trace, trace.prefix + rows // 2 * columns + columns // 2, 0)


def test_the_class_token_pinned_on_explore_is_followed():
    app = explore(query="cls").switch_page("pages/attention.py").run()
    assert query(app)["query"] == "cls"
    assert "class token" in placed(app, "score_of")[0]


@pytest.mark.parametrize("kind", WITH_REGISTERS)
def test_a_register_of_a_link_is_followed(kind, monkeypatch):
    config, trace = show_kind(monkeypatch, kind)
    register = int(config.class_token)
    app = revealed(attention(query="reg1", layer="2", head="2"))
    assert_follows(app, trace, register, strongest_patch(trace, app, register))
    (scored,) = placed(app, "score_of")
    assert_mentions(scored, "register 1")
    assert "the register" not in scored


@pytest.mark.parametrize("kind", WITH_REGISTERS)
def test_a_register_pinned_on_explore_is_followed(kind, monkeypatch):
    config, trace = show_kind(monkeypatch, kind)
    app = explore(query="reg1").switch_page("pages/attention.py").run()
    assert query(app)["query"] == "reg1"
    register = int(config.class_token)
    assert_follows(app, trace, register, strongest_patch(trace, app, register))


def test_every_prefix_token_of_other_kinds_is_followed(other):
    _, trace = other
    app = attention()
    if not trace.prefix:
        assert "query_token" not in [widget.key for widget in app.pills]
        return
    for token in {0, trace.prefix - 1}:
        app.pills(key="query_token").set_value(token).run()
        assert_follows(app, trace, token, strongest_patch(trace, app, token))
    app.pills(key="key_token").set_value(trace.prefix - 1).run()
    assert_follows(app, trace, token, trace.prefix - 1)


# ---------------------------------------------------------------- the key in links


@pytest.mark.parametrize("key", ["cls", "3-4"])
def test_a_link_holds_the_key(key):
    app = attention(layer="4", head="2", query="9-9", key=key)
    assert not app.warning
    assert query(app)["key"] == key
    trace = state.trace(choice_of(app))
    answering = 0 if key == "cls" else trace.prefix + 2 * 16 + 3
    assert_follows(app, trace, trace.prefix + 8 * 16 + 8, answering)
    again = attention(**query(app))
    assert placed(again, "score_of") == placed(app, "score_of")


def test_the_strongest_key_is_in_no_link_and_a_chosen_one_is():
    app = attention(model="digits", layer="3", head="2", query="4-5")
    assert "key" not in query(app)
    app.pills(key="key_token").set_value(0).run()
    assert query(app)["key"] == "cls"
    app.pills(key="key_token").set_value(head_view.PATCH).run()
    trace = state.trace(choice_of(app))
    row, column = divmod(strongest_patch(trace, app, trace.prefix + 3 * 8 + 4) - trace.prefix, 8)
    assert query(app)["key"] == f"{row + 1}-{column + 1}"


@pytest.mark.parametrize("key", ["reg1", "17-1", "0-1", "x"])
def test_a_key_that_the_image_lacks_is_reported_and_ignored(key):
    app = attention(layer="4", head="2", query="9-9", key=key)
    fine(app)
    (notice,) = app.warning
    assert_mentions(notice.value, "key", key, "cls", "1-1", "16-16")
    assert "key" not in query(app)


# ---------------------------------------------------------------- the rule of the first example


def view_of(trace, query: int) -> head_view.HeadView:
    """View of the clearest head of a token."""
    clear = clearest_head(trace, query)
    recording = record_layer(trace, clear.layer)
    return head_view.HeadView(None, trace, clear.layer, clear.head, query, trace.prefix, recording, clear)


def test_the_rule_names_its_layers(other):
    config, trace = other
    first = config.depth // 2 + 1
    for token in {0, trace.prefix + 15}:
        view = view_of(trace, token)
        rule = page.opened_by(view)
        layers = re.findall(r"layers (\d+) to (\d+)", rule)
        assert layers == ([(str(first), str(config.depth))] if first < config.depth else [])
        assert_mentions(rule, f"layer {view.layer + 1}", f"head {view.head + 1}", f"{abs(view.opened.entropy):.1f}")
        if view.opened.to_another_patch:
            assert ("another patch" in rule) == (token >= trace.prefix)
        assert ("absolute" in rule) == config.differential


def test_a_prefix_token_is_not_rotated(monkeypatch):
    show_kind(monkeypatch, "rotary")
    (patch,) = placed(attention(query="2-3"), "rotary")
    (prefix,) = placed(attention(query="cls"), "rotary")
    assert len(re.findall(r"[\d.]+°", patch)) == 3
    assert "°" not in prefix
    assert_mentions(prefix, "class token")


def test_the_layer_that_made_the_sequence_is_named():
    app = attention(model="digits", layer="3", head="2", query="4-5")
    _, said, *_ = placed(app, "part_qkv")
    assert_mentions(said, "layer 2", "layer 3")
    app.selectbox(key="attention_layer").select(0).run()
    assert shown_view(app)[0] == 0
    _, said, *_ = placed(app, "part_qkv")
    assert re.findall(r"layer \d+", said) == ["layer 1"]
    assert settings(app)["patch"] == (3, 4)
