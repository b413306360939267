"""Numbers of an image computed outside of the server, to check that each session was sent those of its own image."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
from streamlit.proto.Element_pb2 import Element

import vitviz
from vitviz.analysis.ablation import distance
from vitviz.viz.browser.binary import header_of

from .server import MAP

CHART = "sweep_chart_heads"  # key of the chart of a sweep
PASSES = 20


@cache
def model() -> vitviz.VisionTransformer:
    """Return the model that the app shows first."""
    return vitviz.load("dinov2-small")


def pass_seconds(image: bytes) -> float:
    """Return the median duration of a forward pass in this process."""
    prepared, took = model().trace(image).image, []
    for _ in range(PASSES):
        began = time.perf_counter()
        model().trace(prepared)
        took.append(time.perf_counter() - began)
    return float(np.median(took))


def queries_sent(elements: Mapping[str, tuple[str, Element]], fetched: Iterable[bytes]) -> dict[int, np.ndarray]:
    """Return the queries that a session has for its explorer, by layer, float16 [head, token, channel].

    Args:
        elements: elements of the session.
        fetched: layers that the session has fetched.
    """
    config, found = model().config, {}
    sent = [element.bidi_component.bytes for key, (_, element) in elements.items() if key.startswith(MAP)]
    for data in (*sent, *fetched):  # a layer that was sent may be that of an earlier image
        header, start = header_of(data), 4 + int.from_bytes(data[:4], "little")
        at, size = header["sections"]["q"]
        values = np.frombuffer(data, np.float16, size // 2, start + at)
        found[header["layer"]] = values.reshape(config.num_heads, -1, config.head_dim).copy()
    return found


def effects_sent(elements: Mapping[str, tuple[str, Element]]) -> np.ndarray | None:
    """Return the effects of all heads that a session was sent, [layer, head]; None without a finished sweep."""
    if CHART not in elements:
        return None
    shown = json.loads(elements[CHART][1].plotly_chart.spec)["data"][1]  # the squares to click, one for each head
    config = model().config
    effects = np.full((config.depth, config.num_heads), np.nan)
    for (layer, head), text in zip(shown["customdata"], shown["text"], strict=True):
        effects[layer, head] = float(text)
    return effects


def belongs(image: bytes, queries: Mapping[int, np.ndarray], effects: np.ndarray | None) -> bool:
    """Return True if all numbers that a session was sent are those of its image.

    Args:
        image: image of the session, as uploaded.
        queries: result of `queries_sent`.
        effects: result of `effects_sent`.
    """
    trace = model().trace(image)
    if queries.keys() != set(range(trace.layers)) or effects is None:
        return False
    own = all(_close(queries[layer], trace.queries(layer), 0.02) for layer in queries)
    return own and _close(effects, vitviz.sweep_heads(model(), trace, distance(trace)), 1e-3 * np.nanmax(effects))


def _close(sent: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    """Compare numbers, of which some were rounded to float16 or four digits."""
    return sent.shape == expected.shape and np.allclose(sent, expected, rtol=2e-3, atol=tolerance)
