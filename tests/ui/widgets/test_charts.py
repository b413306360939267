"""Charts on a page: usual type, and larger type in projector mode."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from vitviz.ui.widgets.charts import enlarge
from vitviz.viz import figures
from vitviz.viz.training_lines import over_training


def script(projector):
    import numpy as np

    from vitviz.ui.app.projector import PROJECTOR, set_window
    from vitviz.ui.widgets.charts import draw_chart
    from vitviz.viz import figures

    PROJECTOR.set(projector)
    set_window(1920)
    draw_chart(figures.by_layer(np.ones((3, 2)), "distance, px", 0, 0, 1.0, "uniform"), "chart", "Distances")


def drawn(projector: bool) -> dict:
    import json

    app = AppTest.from_function(script, args=(projector,)).run()
    assert not app.exception
    return json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]


def test_type_grows_with_the_window_in_projector_mode_only():
    usual, large = drawn(projector=False), drawn(projector=True)
    assert "tickfont" not in usual["xaxis"]
    assert large["xaxis"]["tickfont"]["size"] == large["yaxis"]["title"]["font"]["size"] == 36
    assert large["height"] > usual["height"]


@pytest.mark.parametrize(
    "figure",
    [
        figures.sorted_weights(np.full(5, 0.2), list("abcde"), 1),
        figures.matrix(np.full((5, 5), 0.2), 1, 0.2),
        figures.matrix(np.zeros((601, 601)), 1, 0.2),  # drawn as an image
        figures.by_layer(np.ones((3, 2)), "distance, px", 0, 0, 1.0, "uniform"),
    ],
)
def test_all_texts_and_marks_grow(figure):
    markers = [trace.marker.size for trace in figure.data if trace.type == "scatter"]
    enlarge(figure, 24)
    axes = [*figure.select_xaxes(), *figure.select_yaxes()]
    assert {size for axis in axes for size in (axis.tickfont.size, axis.title.font.size)} == {24}
    assert {one.font.size for one in figure.layout.annotations} <= {24}
    assert figure.layout.legend.font.size == 24
    grown = [trace.marker.size for trace in figure.data if trace.type == "scatter"]
    assert [size for size in grown if size] == [2 * size for size in markers if size]


@pytest.mark.parametrize("tokens", [5, 601])
def test_a_matrix_is_beside_its_colour_bar(tokens):
    figure = figures.matrix(np.zeros((tokens, tokens)), 1, 0.2)
    enlarge(figure, 24)
    (bar,) = [trace.colorbar if trace.type == "heatmap" else trace.marker.colorbar for trace in figure.data[-1:]]
    assert bar.tickfont.size == bar.title.font.size == 24
    assert 0 < bar.x - figure.layout.xaxis.domain[1] < 0.05


def test_marks_of_different_sizes_and_lines_grow():
    figure = over_training(np.linspace(0, 1, 3), ["0", "10", "20"], 1, uniform=0.5)
    (line,) = figure.layout.shapes
    width = line.line.width
    (before,) = [trace.marker.size for trace in figure.data]
    enlarge(figure, 24)
    assert list(figure.data[0].marker.size) == [2 * size for size in before]
    assert figure.layout.shapes[0].line.width == 2 * width
