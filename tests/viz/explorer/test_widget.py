"""The explorer in a notebook: what is shared with the browser, and what is shown without anywidget."""

from dataclasses import asdict, replace

import pytest

from vitviz import ArgumentError
from vitviz.notation import extras
from vitviz.notation.view import View
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


@pytest.mark.parametrize("change", [{"layer": 3}, {"head": 3}, {"query": 27}, {"layer": -1}])
def test_a_view_that_the_trace_does_not_have_is_refused(small_trace, change):
    widget = small_trace.show(layer=1, head=1)
    with pytest.raises(ArgumentError):
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


def test_without_anywidget_it_is_a_frame(small_trace, monkeypatch):
    monkeypatch.setitem(extras.PACKAGES, "notebook", ("no_such_package",))
    shown = small_trace.show(layer=1)
    assert isinstance(shown, Frame)
    assert shown._repr_html_().startswith("<iframe")
    assert isinstance(small_trace, Trace)
