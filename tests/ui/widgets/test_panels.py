"""vitviz.ui.widgets.panels: the charts below the explorer, for every kind of attention."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app_pages import PATIENCE
from tests.support.random_models import CONFIGS, trace_of
from vitviz.notation.view import View, token_label
from vitviz.viz import figures


def page(kind, layer, head, direction):
    from tests.support.random_models import trace_of
    from vitviz.analysis.attention import head_statistics
    from vitviz.notation.view import View
    from vitviz.ui.widgets import panels

    trace = trace_of(kind)
    panels.view_charts(trace, View(layer, head, None, direction))
    panels.head_charts(trace, View(layer, head), head_statistics(trace))


def run(kind, layer, head=1, direction="from"):
    app = AppTest.from_function(page, args=(kind, layer, head, direction)).run(timeout=PATIENCE)
    assert not app.exception
    return [block.value for block in app.markdown], len(app.get("plotly_chart"))


@pytest.mark.parametrize("direction", ["from", "to"])
@pytest.mark.parametrize("head", [1, None])
@pytest.mark.parametrize("kind", CONFIGS)
def test_every_kind_has_its_panels(kind, head, direction):
    said, charts = run(kind, 1, head, direction)
    assert len(said) == 4
    assert charts == (3 if kind == "differential" else 4)
    assert ("orange lines" in said[1]) == bool(trace_of(kind).prefix)


@pytest.mark.parametrize("direction", ["from", "to"])
def test_a_pooling_has_one_row_and_no_matrix(direction):
    said, charts = run("pooled", 3, 3, direction)
    assert charts == 3
    trace, view = trace_of("pooled"), View(3, 3, None, direction)
    names = [token_label(trace, token) for token in range(trace.token_count)]
    assert view.head_label(trace) in said[0]
    assert figures.describe_concentration(view.weights(trace), names, "from") in said[0]
    assert said[1].startswith("**No matrix: Pooling, head 4**")


def test_signed_weights_are_explained():
    said, _ = run("differential", 1)
    assert "signed sum" in said[0]
    assert "1 − λ = " in said[1]
    assert re.search(r"\bred\b.*\bblue\b", said[1], re.IGNORECASE)
    assert "absolute value" in said[2]
    assert "differential attention" in said[3]
