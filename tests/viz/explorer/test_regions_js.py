"""regions.js and patches.js, run as they are: regions have the numbers of the library, however they were drawn."""

from itertools import pairwise

import numpy as np
import pytest

from tests.support.node_runner import run
from tests.support.random_models import CONFIGS, trace_of
from tests.viz.explorer.test_attention_js import START, sent
from vitviz.analysis.regions import RELATIONS, region_attention
from vitviz.notation.view import View

REGIONS = """
import { RELATIONS, Regions } from "../../viz/explorer/regions.js";
const numbers = (regions, tokens, shown = "from") => {
  regions.choose(tokens);
  while (!regions.follow(0));
  return Object.fromEntries(RELATIONS.map((relation) => {
    const order = regions.rank(relation, shown);
    return [relation, { order, values: [...regions.values].map((value) => Number.isNaN(value) ? null : value) }];
  }));
};
"""


def ranked(trace, steps, *, ways=((64_000_000, 10_000),), view=None, layers=None):
    """Numbers of regions drawn one after another, for each way to compute them: maximum bytes of matrices, and rows of
    matrices that are computed before each step.
    """
    script = (
        START
        + REGIONS
        + """
        answer(given.ways.map(([largest, rows]) => {
          const regions = new Regions(data, largest);
          return given.steps.map((tokens) => {
            let left = rows;
            regions.prepare(() => left-- <= 0);
            return numbers(regions, tokens, given.shown);
          });
        }));
    """
    )
    view = view or View(trace.layers - 1)
    return run(script, {"parts": sent(trace, view, layers), "steps": steps, "ways": ways, "shown": view.direction})


def assert_same(trace, tokens, found, tolerance):
    """The values are those of the library, as weights: of the same accuracy as all weights in the browser."""
    sums = np.array([[trace.row_sum(layer)] for layer in range(trace.layers)])
    for relation in RELATIONS:
        values = np.array(found[relation]["values"], float).reshape(trace.layers, trace.heads)
        exact = region_attention(trace, tokens, relation).values
        assert np.abs((values - exact) * sums / trace.token_count).max() < tolerance
        order = np.argsort(-values, axis=None, kind="stable")
        assert [layer * trace.heads + head for layer, head in found[relation]["order"]] == order.tolist()


@pytest.mark.parametrize("kind", CONFIGS)
def test_numbers_of_all_kinds_of_attention(kind):
    """With all matrices, with those that are there so far, with one that is small enough, and without any."""
    trace = trace_of(kind)
    first = trace.prefix
    steps = [
        [first + 3],
        [first + 3, first + 4, first + 9],
        [first + 4, first + 9, first + 23],
        list(range(first, first + 20)),
        [first],
    ]
    ways = [(64_000_000, 1000), (64_000_000, 20), (10_000, 1000), (0, 0)]
    for found in ranked(trace, steps, ways=ways):
        for tokens, step in zip(steps, found, strict=True):
            assert_same(trace, tokens, step, 5e-3)


def test_a_region_has_the_same_numbers_however_it_was_drawn(small_trace):
    target = [5, 6, 7, 11, 12, 13]
    others = [[5], [5, 6, 7], target, list(range(3, 26)), [20], target, [25], target, [3, 4], target]
    ways = [(64_000_000, rows) for rows in (0, 7, 1000)]
    values = [
        [step[relation]["values"] for relation in RELATIONS]
        for found in ranked(small_trace, others, ways=ways)
        for tokens, step in zip(others, found, strict=True)
        if tokens == target
    ]
    assert len(values) == 12
    assert np.allclose(values, values[0], atol=1e-5)


def test_numbers_of_the_shipped_model(trace):
    steps = [[1], list(range(1, 257, 2)), [17, 18, 33, 34]]
    (found,) = ranked(trace, steps)
    for tokens, step in zip(steps, found, strict=True):
        assert_same(trace, tokens, step, 2e-3)


def test_the_whole_image_has_no_outside(small_trace):
    """Also before the matrices are there, and without any."""
    whole = list(range(3, 27))
    for steps in ranked(small_trace, [whole, whole[:12], whole], ways=((64_000_000, 10_000), (64_000_000, 0), (0, 0))):
        for found in (steps[0], steps[2]):
            assert not any(found[relation]["order"] for relation in ("into", "out"))
            assert len(found["within"]["order"]) == small_trace.layers * small_trace.heads


@pytest.mark.parametrize("direction", ["from", "to"])
@pytest.mark.parametrize("kind", ["distilled", "differential", "relative", "mean"])
def test_the_mean_row_is_drawn_like_a_query(kind, direction):
    trace = trace_of(kind)
    tokens = [trace.prefix + patch for patch in (2, 3, 8, 9)]
    script = (
        START
        + REGIONS
        + """
        const regions = new Regions(data);
        answer([0, 1e9].map((rows) => {
          regions.prepare(() => rows-- <= 0);
          numbers(regions, given.tokens);
          regions.attend(given.direction);
          return weights();
        }));
    """
    )
    for levels in run(script, {"parts": sent(trace), "tokens": tokens, "direction": direction}):
        for layer in range(trace.layers):
            for head in (*range(trace.heads), None):
                exact = View(layer, head, tuple(tokens), direction).weights(trace)
                assert np.abs(np.array(levels[layer][-1 if head is None else head]) - exact).max() < 5e-3


@pytest.mark.parametrize("direction", ["from", "to"])
@pytest.mark.parametrize("kind", ["distilled", "differential"])
def test_layers_that_are_not_sent_have_the_numbers_of_the_pinned_region(kind, direction):
    trace = trace_of(kind)
    tokens = [trace.prefix + patch for patch in (2, 3, 8, 9)]
    view = View(1, 0, tuple(tokens), direction)
    ((pinned, other),) = ranked(trace, [tokens, tokens[:2]], view=view, layers=(1,))
    known = {"within", "into" if direction == "to" else "out"}
    for relation in RELATIONS:
        values = np.array(pinned[relation]["values"], float).reshape(trace.layers, trace.heads)
        exact = region_attention(trace, tokens, relation).values
        assert np.isfinite(values).all() == (relation in known)
        seen = np.isfinite(values)
        assert np.abs(values[seen] - exact[seen]).max() < 5e-3 * trace.token_count
        assert {layer for layer, _ in other[relation]["order"]} == {1}


# --- Sets of patches -------------------------------------------------------------------------------------------------

PATCHES = 'import { bounds, line, outline, patchesOf, queryOf, rectangle } from "../../viz/explorer/patches.js";'


def test_rectangles_and_lines():
    script = """
        answer([rectangle([2, 3], [1, 4]), rectangle([0, 0], [0, 0]), line([0, 0], [2, 5]), line([3, 3], [3, 3]),
                bounds([[2, 3], [1, 5]])]);
    """
    two, one, steep, point, ends = run(PATCHES + script)
    assert two == [[1, 3], [1, 4], [2, 3], [2, 4]]
    assert one == [[0, 0]]
    assert (steep[0], steep[-1], len(steep)) == ([0, 0], [2, 5], 6)
    assert all(max(abs(a - c), abs(b - d)) == 1 for (a, b), (c, d) in pairwise(steep))
    assert point == [[3, 3]]
    assert ends == [[1, 2], [3, 5]]


def test_queries_of_patches():
    script = """
        const patches = (query) => patchesOf(query, 3);
        answer([...[[], [7, 7], [9, 10, 4, 9]].map(queryOf), ...[null, 2, 3, [4, 5]].map(patches)]);
    """
    assert run(PATCHES + script) == [None, 7, [4, 9, 10], [], [], [3], [4, 5]]


def test_the_outline_has_the_edges_between_inside_and_outside():
    path = run(PATCHES + "answer(outline([[0, 0], [0, 1], [1, 1]], [3, 2]));")
    edges = path.removeprefix("M").split("M")
    assert sorted(edges) == sorted(["0 0h1", "0 1h1", "0 0v1", "1 0h1", "2 0v1", "1 2h1", "1 1v1", "2 1v1"])
