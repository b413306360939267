"""The explorer in a notebook: what is shared with the browser, and what is shown without anywidget."""

from dataclasses import asdict, replace

import pytest

from vitviz import ArgumentError
from vitviz.notation import extras
from vitviz.notation.view import View
from vitviz.trace.saved import open_trace
from vitviz.trace.trace import Trace
from vitviz.viz.browser.binary import header_of
from vitviz.viz.colour import Style
from vitviz.viz.explorer.notebook import Frame

anywidget = pytest.importorskip("anywidget")


def layers_of(widget):
    return [header_of(part)["layer"] for part in widget._layers]


def test_it_opens_with_the_given_view_and_has_all_layers(small_trace):
    widget = small_trace.show(layer=1, head=2, query=7)
    assert isinstance(widget, anywidget.AnyWidget)
    assert widget.view == View(1, 2, 7)
    assert layers_of(widget) == [1, 0, 2]
    assert widget._keys == [header_of(part)["key"] for part in (widget._frame, *widget._layers)]


def test_the_view_follows_the_browser_and_can_be_set(small_trace):
    widget = small_trace.show()
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "view")
    chosen = View(2, 0, 5, "to", "raw")
    widget.set_state({"view": asdict(chosen), "style": asdict(Style(20, smooth=True))})
    assert (widget.view, widget.style) == (chosen, Style(20, smooth=True))
    widget.view = replace(chosen, layer=0)
    assert seen == [chosen, replace(chosen, layer=0)]
    assert widget.get_state("view") == {"view": asdict(widget.view)}


@pytest.mark.parametrize(
    ("change", "wrong", "possible"),
    [
        ({"layer": 3}, "layer 3", "0 to 2"),
        ({"head": 3}, "head 3", "0 to 2"),
        ({"query": 27}, "query 27", "0 to 26"),
        ({"layer": -1}, "layer -1", "0 to 2"),
    ],
)
def test_a_view_that_the_trace_does_not_have_is_refused(small_trace, change, wrong, possible):
    widget = small_trace.show(layer=1, head=1)
    with pytest.raises(ArgumentError, match=f"{wrong}.*{possible}"):
        widget.view = replace(widget.view, **change)
    assert widget.view == View(1, 1)


def test_a_layer_that_is_not_there_is_sent_when_it_is_chosen(small_trace):
    widget = small_trace.show(layer=1, layers=[1], query=4)
    assert layers_of(widget) == [1]
    before = widget._frame
    widget.view = View(2, 0, 9, "to")
    assert layers_of(widget) == [2, 1]
    assert widget._frame == before
    (rows,) = widget._rows
    assert header_of(rows)["rows_of"] == {"token": 9, "direction": "to"}


def test_of_a_large_trace_only_the_layer_of_the_view_is_sent(large_trace):
    widget = large_trace.show(layer=3)
    assert layers_of(widget) == [3]
    widget.view = View(8)
    assert layers_of(widget) == [8]


def test_tokens_are_sent_while_linked_views_are_shown_for_the_layer_of_the_view(small_trace):
    widget = small_trace.show(layer=1)
    before = [widget._frame, *widget._layers]

    def layers_with_tokens():
        tokens = [header_of(part) for part in widget._tokens]
        assert widget._keys == [*(header_of(part)["key"] for part in before), *(header["key"] for header in tokens)]
        return [header["tokens_of"] for header in tokens]

    assert widget._has_tokens
    assert layers_with_tokens() == []
    widget.style = Style(linked=True)
    assert layers_with_tokens() == [1]
    widget.view = View(2, 0, 5)
    assert layers_with_tokens() == [2]
    part = widget._tokens[0]
    widget.view, widget.style = View(2, 1, 9), Style(20, linked=True)
    assert widget._tokens[0] is part, "the same tokens are not computed again"
    widget.style = Style()
    assert layers_with_tokens() == []
    assert [widget._frame, *widget._layers] == before


def test_with_layers_one_at_a_time_tokens_come_with_them(small_trace):
    widget = small_trace.show(layer=1, layers=[1])
    widget.style = Style(linked=True)
    widget.view = View(2, 0, 9)
    parts = [widget._frame, *widget._layers, *widget._rows, *widget._tokens]
    assert widget._keys == [header_of(part)["key"] for part in parts]
    assert [header_of(part)["tokens_of"] for part in widget._tokens] == [2]


def test_a_trace_without_tokens_offers_no_linked_views(small_trace, tmp_path):
    small_trace.save(tmp_path / "trace.safetensors")
    widget = open_trace(tmp_path / "trace.safetensors").show(layer=1)
    widget.style = Style(linked=True)
    assert not widget._has_tokens
    assert widget._tokens == []


def test_without_anywidget_it_is_a_frame(small_trace, monkeypatch):
    monkeypatch.setitem(extras.PACKAGES, "notebook", ("no_such_package",))
    shown = small_trace.show(layer=1)
    assert isinstance(shown, Frame)
    assert shown._repr_html_().startswith("<iframe")
    assert isinstance(small_trace, Trace)
