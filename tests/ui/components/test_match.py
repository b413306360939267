"""Two pictures under one pointer: payload, computation under Node, and messages."""

import io
import json
import logging

import numpy as np
import pytest
import torch
from PIL import Image

import vitviz
from tests.support.fake_browser import Browser, message
from tests.support.node_runner import run
from tests.support.random_models import CONFIGS, trace_of
from vitviz.analysis.comparison import Matches
from vitviz.ui.app import state as app_state
from vitviz.ui.components import match
from vitviz.ui.components._shared import Component
from vitviz.ui.components.match import Pairing, Shown, Side, match_view
from vitviz.ui.components.match.payload import parts, read_shown, state
from vitviz.viz.browser.binary import header_of
from vitviz.viz.colour import tone
from vitviz.viz.explorer.payload import vectors

START = """
import { Part } from "../../viz/explorer/attention.js";
import { Pairs, largestAt, other, similarityTones, weightTones } from "./match/pairs.js";
const pairs = new Pairs();
for (const [name, part] of Object.entries(given.parts)) pairs.take(name, new Part(part));
"""


def photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, "JPEG")
    return buffer.getvalue()


def side(trace, layer=1, head=0, **values) -> Side:
    return Side("A", "cat", photo(), trace, layer, head, vectors(trace, (layer,)), **values)


def matched(trace_a, trace_b, layer=1) -> tuple[Matches, Side, Side, Pairing]:
    found = vitviz.match(trace_a, trace_b, layer)
    mutual = found.mutual()
    pairs = np.column_stack([mutual, found.similarity[mutual[:, 0]]])
    sides = [side(trace, layer, units=units) for trace, units in zip((trace_a, trace_b), found.units, strict=True)]
    return found, *sides, Pairing("match", found.best, found.best_back, pairs)


def two_grids(kind="mean"):
    """Two images of one model, on grids that differ."""
    first, patch = trace_of(kind), CONFIGS[kind].patch_size
    noise = torch.randn(3, 5 * patch, 3 * patch, generator=torch.Generator().manual_seed(8))
    return first, first.model.trace(noise)


def test_similarities_and_partners_are_those_of_the_library(model):
    traces = [model.trace(app_state.samples()[name]) for name in ("cat", "flower")]
    found, a, b, pairing = matched(*traces, 8)
    script = (
        START
        + """
        answer({ cross: [...pairs.similarities("a", 40, "b")], own: [...pairs.similarities("a", 40, "a")],
          back: [...pairs.similarities("b", 7, "a")], to: pairs.partner("a", 40), from: pairs.partner("b", 7),
          pairs: pairs.pairsFrom(given.threshold), all: pairs.pairsFrom(-1).length });
    """
    )
    mutual = found.mutual()
    threshold = float(np.median(found.similarity[mutual[:, 0]]))
    answer = run(script, {"parts": parts(a, b, pairing), "threshold": threshold})
    units_a, units_b = found.units
    np.testing.assert_allclose(answer["cross"], units_b @ units_a[40], atol=2e-3)
    np.testing.assert_allclose(answer["own"], units_a @ units_a[40], atol=2e-3)
    np.testing.assert_allclose(answer["back"], units_a @ units_b[7], atol=2e-3)
    assert (answer["to"], answer["from"]) == (found.best[40], found.best_back[7])
    kept = found.mutual(threshold)
    assert [pair[:2] for pair in answer["pairs"]] == kept.tolist()
    assert answer["all"] == len(mutual)


def test_a_pair_of_equal_directions_belongs_to_the_threshold_1():
    a, b = two_grids()
    pairs = np.array([[1, 2, 1], [3, 4, 0.9999999], [5, 6, 0.9993]])
    pairing = Pairing("match", np.zeros(24, int), np.zeros(15, int), pairs)
    script = START + "answer(pairs.pairsFrom(1).map(([one]) => one));"
    assert run(script, {"parts": parts(side(a), side(b), pairing)}) == [1, 3]


@pytest.mark.parametrize("kind", CONFIGS)
def test_attention_of_all_kinds_on_grids_that_differ(kind):
    a, b = two_grids(kind)
    sides = side(a, 1, 2), side(b, 2, 1)
    pairing = Pairing("place", np.zeros(24, int), np.zeros(15, int))
    script = (
        START
        + """
        answer([[...pairs.weights("a", 5, 2)], [...pairs.weights("b", 14, 1)], pairs.prefix("a")]);
    """
    )
    of_a, of_b, prefix = run(script, {"parts": parts(*sides, pairing)})
    assert prefix == a.prefix
    np.testing.assert_allclose(of_a, a.attention(1, 2, a.prefix + 5), atol=5e-3)
    np.testing.assert_allclose(of_b, b.attention(2, 1, b.prefix + 14), atol=5e-3)


def test_a_place_outside_of_the_other_input_has_no_partner():
    a, b = two_grids()
    pairing = Pairing("place", np.full(24, -1), np.arange(15))
    script = START + 'answer([pairs.partner("a", 3), pairs.partner("b", 3), pairs.pairsFrom(-1)]);'
    assert run(script, {"parts": parts(side(a), side(b), pairing)}) == [None, 3, []]


def test_colours_are_those_of_the_library():
    values = np.array([0.1, 0.5, 0.25, 0.0])
    signed = np.array([-0.4, 0.2, 0.0, 0.1])
    script = (
        'import { similarityTones, weightTones } from "./match/pairs.js";'
        "answer([[...weightTones(given.values, false)], [...weightTones(given.signed, true)], "
        "[...similarityTones(given.signed)]]);"
    )
    found = run(script, {"values": values.tolist(), "signed": signed.tolist()})
    for tones, expected in zip(
        found,
        (tone(values, "relative", 1), tone(signed, "relative", 1, signed=True), tone(signed, "raw", 1, signed=True)),
        strict=True,
    ):
        assert np.abs(np.array(tones) - np.round(255 * expected)).max() <= 1


def test_only_what_is_known_is_offered():
    a, b = two_grids()
    _, first, second, pairing = matched(a, b)
    shows = state(first, second, pairing, Shown(), (0, 0))["shows"]
    assert shows == ["similarity", "attention"]
    without = state(side(a), side(b), pairing, Shown(), (0, 0))
    assert without["shows"] == ["attention"]
    assert "similarity" not in parts(side(a), side(b), pairing)
    colours = [np.zeros((trace.grid[0] * trace.grid[1], 3), np.uint8) for trace in (a, b)]
    coloured = [side(trace, colours=of_trace) for trace, of_trace in zip((a, b), colours, strict=True)]
    assert state(*coloured, pairing, Shown(), (0, 0))["shows"] == ["attention", "colours"]


def test_equal_pages_send_equal_payloads():
    a, b = two_grids()
    _, first, second, pairing = matched(a, b)
    one, other = (parts(first, second, pairing) for _ in range(2))
    assert one == other
    assert next(iter(one)) == "frame"
    assert header_of(one["frame"])["grids"] == {"a": [4, 6], "b": [5, 3]}
    json.dumps(state(first, second, pairing, Shown(), (np.int64(1), 2)))


def test_data_of_another_grid_is_refused():
    a, b = two_grids()
    with pytest.raises(ValueError, match="24 patches"):
        parts(side(a), side(b), Pairing("place", np.zeros(15, int), np.zeros(15, int)))
    with pytest.raises(ValueError, match="outside"):
        state(side(a), side(b), Pairing("place", np.zeros(24, int), np.zeros(15, int)), Shown(), (4, 0))


SHOWN = {"show": "attention", "lines": True, "threshold": 0.25}
HOSTILE = [
    None,
    "attention",
    {},
    {**SHOWN, "more": 1},
    {**SHOWN, "show": "everything"},
    {**SHOWN, "show": ["attention"]},
    {**SHOWN, "lines": 1},
    *({**SHOWN, "threshold": value} for value in (2, -1.5, True, "0", None, float("nan"), float("inf"))),
]


def test_what_is_shown_is_read():
    assert read_shown(SHOWN) == Shown("attention", True, 0.25)
    assert read_shown({**SHOWN, "threshold": -1}) == Shown("attention", True, -1.0)


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_anything_else_is_refused(value):
    with pytest.raises(ValueError, match=r"shown|threshold"):
        read_shown(value)


@pytest.fixture
def answer(monkeypatch):
    """Draw the pictures and let a browser answer; returns what the page hears."""

    def answered(event, value) -> list:
        heard, (a, b) = [], two_grids()
        _, first, second, pairing = matched(a, b)

        def without_parts(data, listeners, key, parts) -> None:  # the stand-in has no containers for them
            Component.draw(match.component, data, listeners, key=key)

        monkeypatch.setattr(match.component, "draw", without_parts)

        def draw() -> None:
            match_view(
                first,
                second,
                pairing,
                Shown(),
                (1, 2),
                on_choose=lambda *patch: heard.append(patch),
                on_shown=heard.append,
                key="it",
            )

        Browser(monkeypatch, match.component, draw).tell(message(1, event, value))
        return heard

    return answered


def test_the_page_hears_of_choices(answer):
    assert answer("chosen", {"role": "query", "row": 3, "column": 5, "grid": [4, 6]}) == [(3, 5)]
    assert answer("shown", SHOWN) == [Shown("attention", True, 0.25)]


def test_what_only_a_stranger_sends_is_logged_and_left_out(answer, caplog):
    with caplog.at_level(logging.WARNING):
        assert answer("chosen", {"role": "query", "row": 4, "column": 5, "grid": [4, 6]}) == []
        assert answer("shown", {"show": "<script>"}) == []
    assert caplog.text.count("Ignored") == 2
    assert "<script>" not in caplog.text
