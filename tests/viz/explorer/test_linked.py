"""Tokens of linked views: what is sent, computed by the browser as by the library."""

import numpy as np
import pytest
import torch

import vitviz
from tests.support.node_runner import run
from tests.support.random_models import CONFIGS, trace_of
from tests.viz.explorer.test_attention_js import START, sent
from vitviz.analysis.tokens import directions, pca_of_layers, similarity
from vitviz.model.edits import HeadAblation
from vitviz.notation.view import View
from vitviz.trace.saved import open_trace
from vitviz.viz.browser.binary import header_of
from vitviz.viz.explorer.linked import has_tokens, layer_of, token_parts, tokens_part

KINDS = [(kind, grid) for kind in CONFIGS for grid in ((4, 6), (5, 3))]
TOKENS = """
import { LayerTokens, similarities, summary } from "../../viz/explorer/tokens.js";
const tokens = Object.fromEntries(data.tokenParts.map((one) => [one.tokensOf, one]));
"""


def expected(trace, layer, query):
    """Cosine similarity of a token, or of the mean of several unit vectors, to all tokens."""
    tokens = trace.tokens(layer)
    if isinstance(query, int):
        return similarity(tokens, query)
    return similarity(np.vstack([directions(tokens)[query].mean(axis=0), tokens]), 0)[1:]


def found(trace, layers, queries):
    """For each layer and query: all similarities, the most similar other patch and the mean over patches."""
    parts = sent(trace) | {
        f"tokens {layer}": part for layer, part in zip(layers, token_parts(trace, layers), strict=True)
    }
    script = """
        answer(given.layers.map((layer) => given.queries.map((query) => {
          const values = similarities(tokens[layer], query);
          return { values: [...values], ...summary(values, query, data.prefix) };
        })));
    """
    return run(START + TOKENS + script, {"parts": parts, "layers": layers, "queries": queries})


def assert_same(trace, layers, queries, tolerance):
    for layer, of_layer in zip(layers, found(trace, layers, queries), strict=True):
        for query, one in zip(queries, of_layer, strict=True):
            exact = expected(trace, layer, query)
            assert np.abs(np.array(one["values"]) - exact).max() < tolerance
            others = np.setdiff1d(np.arange(trace.prefix, trace.token_count), query)
            assert one["top"] in others
            assert exact[one["top"]] > exact[others].max() - tolerance
            assert abs(one["mean"] - exact[trace.prefix :].mean()) < tolerance


def test_similarities_of_the_shipped_model(trace):
    assert_same(trace, [0, 11], [0, 1, 137, 256, [1, 2, 17, 18], [40, 250]], 5e-4)


@pytest.mark.parametrize(("kind", "grid"), KINDS)
def test_similarities_of_all_kinds_of_models(kind, grid):
    trace = trace_of(kind, grid)
    region = [trace.prefix + patch for patch in (0, 1, 7, 8)]
    assert_same(trace, [0, trace.layers - 1], [*range(trace.token_count), region], 2e-3)


def test_a_region_of_all_patches_has_no_other_patch(small_trace):
    ((one,),) = found(small_trace, [1], [list(range(3, 27))])
    assert one["top"] == -1


@pytest.mark.parametrize("kind", ["pooled with prefix", "mean", "distilled"])
def test_colours_are_those_of_all_layers_on_the_page_tokens(kind):
    trace = trace_of(kind, (5, 3))
    layers = list(range(trace.layers))
    pca = pca_of_layers(np.stack([trace.tokens(layer) for layer in layers])[:, trace.prefix :])
    parts = sent(trace) | {f"tokens {layer}": part for layer, part in enumerate(token_parts(trace, layers))}
    script = "answer(Object.values(tokens).map(({ colours, explained }) => ({ colours: [...colours], explained })));"
    for layer, one in enumerate(run(START + TOKENS + script, {"parts": parts})):
        np.testing.assert_array_equal(np.reshape(one["colours"], (-1, 3)), pca.colours(layer))
        np.testing.assert_allclose(one["explained"], pca.explained[layer])


def test_tokens_of_another_trace_are_not_kept_and_memory_is_limited(small_trace):
    tokens = small_trace.tokens(0)
    parts = [tokens_part(tokens, 3, layer, source) for source in ("a", "b") for layer in (0, 1, 2)]
    script = """
        const of = (source, ...layers) =>
          data.tokenParts.filter((one) => one.source === source && layers.includes(one.tokensOf));
        const kept = new LayerTokens(2 * data.tokenParts[0].units.byteLength);
        const layers = (source, arrived) => {
          kept.take(source, arrived);
          return [...kept.layers.keys()];
        };
        answer([layers("a", of("a", 0)), layers("a", of("a", 1)), layers("a", []), layers("a", of("a", 2)),
                layers("b", []), layers("b", of("a", 0)), layers("b", of("b", 0, 1, 2))]);
    """
    given = {"parts": sent(small_trace) | {f"tokens {i}": part for i, part in enumerate(parts)}}
    assert run(START + TOKENS + script, given) == [[0], [0, 1], [0, 1], [1, 2], [], [], [0, 1, 2]]


# --- In Python -------------------------------------------------------------------------------------------------------


def test_a_pooling_shows_the_tokens_that_it_reads():
    trace = trace_of("pooled")
    assert layer_of(trace, View(trace.layers, 0)) == trace.layers - 1
    assert layer_of(trace, View(1, 0)) == 1


def test_edits_are_part_of_the_tokens(small):
    image = torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(1))
    traces = [small.trace(image, edits=edits) for edits in ([], [HeadAblation(0, 1)])]
    parts = [token_parts(trace, [2])[0] for trace in traces]
    assert parts[0] != parts[1]
    assert parts[1] == tokens_part(traces[1].tokens(2), 3, 2, "")


def test_traces_that_cannot_compute_tokens_offer_none(small, small_trace, tmp_path):
    assert has_tokens(small_trace)
    image = torch.randn(3, 32, 48)
    names = tuple(f"blocks.{layer}.resid_post" for layer in range(3))
    with vitviz.edit({"blocks.0.mlp.out": lambda value: value * 0}):
        edited, recorded = small.trace(image), small.trace(image, record=names)
    assert not has_tokens(edited)
    assert has_tokens(recorded)
    small_trace.save(tmp_path / "trace.safetensors")
    assert not has_tokens(open_trace(tmp_path / "trace.safetensors"))


def test_parts_have_the_key_that_was_promised(small_trace):
    part = tokens_part(small_trace.tokens(1), 3, 1, "source", "promised")
    assert (header_of(part)["key"], header_of(part)["source"]) == ("promised", "source")
