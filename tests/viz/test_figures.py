"""vitviz.viz.figures: charts show exactly the given numbers."""

import numpy as np
import pytest

from vitviz.viz import figures
from vitviz.viz.colour import ATTENTION, colour_map

NAMES = ["class token", "register 1", "patch (1, 1)", "patch (1, 2)"]


def named(figure):
    return {trace.name: trace for trace in figure.data}


# --- Sorted weights --------------------------------------------------------------------------------------------------


def test_sorted_weights_by_hand():
    drawn = named(figures.sorted_weights(np.array([0.2, 0.05, 0.15, 0.6]), NAMES, prefix=2))
    patches, prefix = drawn["patches"], drawn["prefix tokens"]
    assert list(zip(patches.x, patches.y, patches.text, strict=True)) == [
        (1, pytest.approx(60), "patch (1, 2)"),
        (3, pytest.approx(15), "patch (1, 1)"),
    ]
    assert list(zip(prefix.x, prefix.y, prefix.text, strict=True)) == [
        (2, pytest.approx(20), "class token"),
        (4, pytest.approx(5), "register 1"),
    ]


def test_sorted_weights_are_all_there_and_in_order(trace):
    weights = trace.attention(11, 3, 100)
    figure = figures.sorted_weights(weights, [str(token) for token in range(257)], prefix=1)
    points = sorted(
        (x, y, text) for drawn in figure.data for x, y, text in zip(drawn.x, drawn.y, drawn.text, strict=True)
    )
    ranks, shares, tokens = map(list, zip(*points, strict=True))
    tokens = [int(token) for token in tokens]
    assert ranks == list(range(1, 258))
    assert np.diff(shares).max() <= 0
    assert sorted(tokens) == list(range(257))
    assert shares == pytest.approx(100 * weights[tokens])
    (even,) = figure.layout.shapes
    assert even.y0 == even.y1 == pytest.approx(100 / 257)


def test_a_model_without_prefix_tokens_has_no_legend_of_them():
    assert list(named(figures.sorted_weights(np.array([0.4, 0.6]), NAMES[2:], prefix=0))) == ["patches"]


# --- The matrix ------------------------------------------------------------------------------------------------------


def random_rows(tokens):
    weights = np.random.default_rng(12).gamma(0.2, size=(tokens, tokens))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def test_a_matrix_that_answers_holds_the_weights():
    weights = random_rows(figures.HOVERABLE)
    (heatmap,) = figures.matrix(weights, 1, 0.02).data
    assert heatmap.type == "heatmap"
    assert np.allclose(heatmap.z, 100 * weights, rtol=1e-5)
    assert (heatmap.zmin, heatmap.zmax) == (0, pytest.approx(2))


def test_a_matrix_that_is_a_picture_shows_the_weights():
    weights = random_rows(figures.HOVERABLE + 1)
    picture, bar = figures.matrix(weights, 1, 0.02).data
    assert picture.type == "image"
    known, drawn = (np.asarray(colours) @ [1 << 16, 1 << 8, 1] for colours in (colour_map("relative"), picture.z))
    order = np.argsort(known)
    shades = order[np.searchsorted(known, drawn, sorter=order)]  # colour to index
    assert np.array_equal(known[shades], drawn)
    assert np.abs(shades / 255 - np.clip(weights / 0.02, 0, 1)).max() <= 1.5 / 255
    assert (bar.marker.cmin, bar.marker.cmax) == (0, pytest.approx(2))


@pytest.mark.parametrize("tokens", [20, 601])
def test_lines_divide_the_prefix_tokens_from_the_patches(tokens):
    figure = figures.matrix(random_rows(tokens), 3, 0.1)
    lines = [((line.x0, line.x1), (line.y0, line.y1)) for line in figure.layout.shapes]
    assert sorted(lines) == [((0, 1), (2.5, 2.5)), ((2.5, 2.5), (0, 1))]
    assert figure.layout.xaxis.range == (-0.5, tokens - 0.5)
    assert figure.layout.yaxis.range == (tokens - 0.5, -0.5)  # the first query is at the top
    assert figures.matrix(random_rows(tokens), 0, 0.1).layout.shapes == ()


def test_where_the_colours_of_a_matrix_end():
    assert figures.colour_limit(np.full((100, 100), 0.01)) == pytest.approx(0.01)
    assert figures.colour_limit(np.eye(100)) == 1
    assert figures.colour_limit(np.eye(1000)) == 1 / 1000  # 0.1 % of the weights are ignored
    assert figures.colour_limit(np.linspace(0, 1, 10_001)[1:].reshape(100, 100)) == pytest.approx(0.995, abs=1e-3)


# --- A number for each head ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("head", "chosen"), [(1, [(1, 1)]), (None, [(1, 0), (1, 1), (1, 2)])])
def test_numbers_by_layer(head, chosen):
    values = np.array([[1, 2, 3], [4, 5, 9]])
    figure = figures.by_layer(values, "bit", layer=1, head=head, uniform=7.5, uniform_label="all alike")
    drawn = named(figure)

    def points(name):
        return [(x, y, text) for x, y, text in zip(drawn[name].x, drawn[name].y, drawn[name].text, strict=True)]

    expected = {at: (at[0] + 1, values[at], f"layer {at[0] + 1}, head {at[1] + 1}") for at in np.ndindex(2, 3)}
    assert points("shown above") == [expected[at] for at in chosen]
    assert points("heads") == [point for at, point in expected.items() if at not in chosen]
    assert drawn["shown above"].marker.color == ATTENTION != drawn["heads"].marker.color
    assert (list(drawn["mean of the layer"].x), list(drawn["mean of the layer"].y)) == ([1, 2], [2, 6])
    (line,) = figure.layout.shapes
    assert (line.y0, line.y1) == (7.5, 7.5)
    assert figure.layout.annotations[0].text == "all alike"
    assert figure.layout.yaxis.title.text == "bit"
    assert figure.layout.yaxis.range[0] == 0
    assert figure.layout.yaxis.range[1] > 9  # nothing is outside


@pytest.mark.parametrize(
    ("weights", "count", "strongest"),
    [
        ([0.5, 0.25, 0.25], "1 of 3 ", "a, receives 50.0 %."),
        ([0.25, 0.25, 0.25, 0.25], "2 of 4 ", "a, receives 25.0 %."),
        ([0.1, 0.2, 0.3, 0.4], "2 of 4 ", "d, receives 40.0 %."),
    ],
)
def test_concentration_of_a_row(weights, count, strongest):
    text = figures.describe_concentration(np.array(weights), list("abcd"), "from")
    assert text.startswith(count)
    assert text.endswith(strongest)


def test_concentration_of_a_column():
    text = figures.describe_concentration(np.array([0.0, 0.5, 0.25]), list("abc"), "to")
    assert text.startswith("1 of 3 ")
    assert "0.75 × uniform" in text
    assert text.endswith("b, gives 50.0 %.")


# --- Weights with signs, and a pooling -------------------------------------------------------------------------------


def test_sorted_weights_go_from_positive_to_negative():
    drawn = named(figures.sorted_weights(np.array([0.2, -0.3, 0.15, -0.1]), NAMES, prefix=2, uniform=-0.0125))
    assert list(drawn["patches"].y) == [pytest.approx(15), pytest.approx(-10)]
    assert list(drawn["prefix tokens"].y) == [pytest.approx(20), pytest.approx(-30)]
    assert list(drawn["prefix tokens"].x) == [1, 4]
    (even,) = figures.sorted_weights(np.array([0.2, -0.25]), NAMES, 0, uniform=-0.0125).layout.shapes
    assert even.y0 == pytest.approx(-1.25)


@pytest.mark.parametrize("tokens", [20, 601])
def test_a_signed_matrix_has_0_in_the_middle_of_its_colours(tokens):
    weights = random_rows(tokens) - 0.5 * random_rows(tokens).T
    drawn = figures.matrix(weights, 1, 0.1, signed=True).data
    if tokens == 20:
        (heatmap,) = drawn
        assert np.allclose(heatmap.z, 100 * weights, rtol=1e-5)
        assert (heatmap.zmin, heatmap.zmax) == (pytest.approx(-10), pytest.approx(10))
    else:
        picture, bar = drawn
        shades = np.round(np.clip(weights / 0.2 + 0.5, 0, 1) * 255).astype(int)
        assert np.array_equal(np.asarray(picture.z), colour_map("relative", signed=True)[shades])
        assert (bar.marker.cmin, bar.marker.cmax) == (pytest.approx(-10), pytest.approx(10))
    assert figures.colour_limit(-np.eye(100)) == 1  # absolute values count


def test_nothing_is_marked_when_no_layer_is_chosen():
    figure = figures.by_layer(np.ones((3, 2)), "bit", layer=3, head=1, uniform=1, uniform_label="all alike")
    assert list(named(figure)) == ["heads", "mean of the layer"]


def test_concentration_of_signed_weights():
    text = figures.describe_concentration(np.array([0.5, -0.75, 0.25]), list("abc"), "from", signed=True)
    assert text.startswith("1 of 3 ")
    assert "signed sum: 0 %" in text
    assert text.endswith("b, receives −75.0 %.")
