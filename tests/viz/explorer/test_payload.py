"""The explorer's payload, read as attention.js reads it: the weights on screen are the weights of the trace."""

import base64
import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.support.random_models import POOLED, trace_of
from vitviz.model.position_embeddings import relative_index
from vitviz.notation.view import View
from vitviz.viz.colour import overlay_map
from vitviz.viz.explorer.payload import (
    LARGEST,
    as_jpeg,
    fits_at_once,
    payload,
    pinned_rows,
    prefix_marks,
    vectors,
)
from vitviz.zoo import SHIPPED

PICTURE = as_jpeg(Image.linear_gradient("L").convert("RGB"))


def packed(trace, view=None, layers=None, picture=PICTURE, image_name="cat"):
    sent = vectors(trace, tuple(range(trace.layers)) if layers is None else layers)
    return payload(trace, sent, view or View(trace.layers - 1), picture=picture, image_name=image_name)


class Part:
    """attention.js in NumPy: `Part`."""

    def __init__(self, data):
        self.start = 4 + int.from_bytes(data[:4], "little")
        self.header = json.loads(data[4 : self.start].decode("utf-8"), parse_constant=pytest.fail)  # strict: no NaN
        self.buffer = data[self.start :]

    def section(self, name):
        start, length = self.header["sections"][name]
        assert start % 4 == 0  # or typed arrays in the browser refuse
        assert start + length <= len(self.buffer)
        return self.buffer[start : start + length]

    def numbers(self, name, kind, shape):
        return np.frombuffer(self.section(name), kind).astype(np.float32).reshape(shape)


class Explorer:
    """attention.js in NumPy: `AttentionData`, once all parts have arrived."""

    def __init__(self, parts):
        self.parts = {name: Part(data) for name, data in parts.items()}
        self.header = header = self.parts["frame"].header
        layers = [part for part in self.parts.values() if "layer" in part.header]
        self.held = [part.header["layer"] for part in layers]  # in the order in which they are sent
        self.tokens = len(header["prefix_names"]) + header["grid"][0] * header["grid"][1]
        heads, self.halves = header["heads"], 2 if header["row_sums"] else 1
        vectors = (heads, self.tokens, self.halves, header["channels"] // self.halves)
        self.slot = {layer: i for i, layer in enumerate(self.held)}
        self.q, self.k = ([one.numbers(name, "<f2", vectors).swapaxes(1, 2) for one in layers] for name in "qk")
        self.logsum = [one.numbers("logsum", "<f4", (heads, self.halves, self.tokens)) for one in layers]
        self.bias = [one.numbers("bias", "<f4", (heads, -1)) if one.section("bias") else None for one in layers]

    def rows(self):
        return self.parts["rows"].numbers("rows", "<f2", (self.header["layers"], self.header["heads"], self.tokens))

    def row(self, layer, query):
        """[head, key]: softmax over the keys of one query."""
        slot = self.slot[layer]
        scores = np.einsum("hsc,hskc->hsk", self.q[slot][:, :, query], self.k[slot]) * np.float32(self.header["scale"])
        scores += self.biases(slot)[:, None, query]
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return self.difference(layer, weights / weights.sum(axis=-1, keepdims=True))

    def column(self, layer, key):
        """[head, query]: the weight that every query gives to one key."""
        slot = self.slot[layer]
        scores = np.einsum("hsc,hsqc->hsq", self.k[slot][:, :, key], self.q[slot]) * np.float32(self.header["scale"])
        scores += self.biases(slot)[:, None, :, key]
        return self.difference(layer, np.exp(scores - self.logsum[slot]))

    def biases(self, slot):
        """[head, query, key]"""
        if self.bias[slot] is None:
            return np.zeros((1, self.tokens, self.tokens), np.float32)
        return self.bias[slot][:, relative_index(tuple(self.header["grid"])).numpy()]

    def difference(self, layer, weights):
        """[head, half, token] to [head, token]"""
        return (
            weights[:, 0] if self.halves == 1 else weights[:, 0] - (1 - self.header["row_sums"][layer]) * weights[:, 1]
        )

    def pool(self):
        return self.parts["frame"].numbers("pool", "<f4", (self.header["pool_heads"], self.tokens))


def largest_errors(explorer, trace, layer):
    """Of all weights of a layer, looked at from each token and looking at it."""
    exact = trace.attention(layer)
    rows = np.stack([explorer.row(layer, token) for token in range(trace.token_count)], axis=1)
    columns = np.stack([explorer.column(layer, token) for token in range(trace.token_count)], axis=2)
    return np.abs(rows - exact).max(), np.abs(columns - exact).max()


# --- The numbers -----------------------------------------------------------------------------------------------------


def test_all_weights_in_both_directions_at_224_pixels(trace):
    explorer = Explorer(packed(trace))
    assert explorer.held == [11, *range(11)]
    assert explorer.header["all_live"]
    assert "rows" not in explorer.parts
    errors = np.array([largest_errors(explorer, trace, layer) for layer in range(12)])
    assert errors.max() < 2e-3
    assert errors.max() > 1e-6  # float16 was compared with float32, not something with itself


def test_weights_of_the_held_layer_at_518_pixels(large_trace):
    explorer = Explorer(packed(large_trace, View(8, 3, 700), layers=(8,)))
    assert explorer.held == [8]
    assert not explorer.header["all_live"]
    exact = large_trace.attention(8)
    for token in range(0, 1370, 57):
        assert np.abs(explorer.row(8, token) - exact[:, token]).max() < 2e-3
        assert np.abs(explorer.column(8, token) - exact[..., token]).max() < 2e-3


def test_centred_keys_are_worth_it(trace):
    """Without it, the largest error of a weight is several times larger."""
    centred = Explorer(packed(trace))
    plain = Explorer(packed(trace))
    keys = np.stack([trace.keys(layer) for layer in plain.held]).astype(np.float16).astype(np.float32)
    plain.k = keys[:, :, None]
    errors = [
        max(np.abs(explorer.row(layer, token) - trace.attention(layer, query=token)).max()
            for layer in range(12) for token in range(0, 257, 8))
        for explorer in (centred, plain)
    ]  # fmt: skip
    assert errors[1] > 2 * errors[0]
    for layer in range(12):
        assert np.abs(centred.k[layer].mean(axis=2)).max() < 1e-2
    assert np.abs(plain.k.mean(axis=3)).max() > 1


def test_a_model_with_registers(small_trace):
    explorer = Explorer(packed(small_trace))
    assert max(largest_errors(explorer, small_trace, 1)) < 5e-3
    assert explorer.header["prefix_names"] == ["class token", "register 1", "register 2"]
    assert explorer.header["prefix_marks"] == prefix_marks(small_trace) == ["CLS", "R1", "R2"]


@pytest.mark.parametrize("grid", [(4, 6), (5, 3)])  # the trained one, and one for which the bias is interpolated
@pytest.mark.parametrize("kind", ["pooled", "pooled with prefix", "differential", "relative", "mean", "distilled"])
def test_all_weights_of_other_kinds_of_attention(kind, grid):
    found = trace_of(kind, grid)
    explorer = Explorer(packed(found))
    for layer in range(3):
        assert max(largest_errors(explorer, found, layer)) < 5e-3


def test_signs_and_sums_of_differential_attention():
    found = trace_of("differential")
    explorer = Explorer(packed(found))
    assert explorer.header["row_sums"] == pytest.approx([1 - float(block.attn.lam) for block in found.model.blocks])
    for layer in range(3):
        row = explorer.row(layer, 7)
        assert row.min() < -1e-3
        assert row.sum(axis=-1) == pytest.approx(np.full(3, explorer.header["row_sums"][layer]), abs=1e-5)
    for layer in range(3):  # each half of the channels is centred, because each channel is
        assert np.abs(explorer.k[layer].mean(axis=2)).max() < 1e-2


def test_relative_positions_are_part_of_the_sums():
    found = trace_of("relative")
    explorer = Explorer(packed(found))
    assert [bias.shape for bias in explorer.bias] == 3 * [(3, 7 * 11 + 3)]
    explorer.bias = [None] * 3
    assert min(largest_errors(explorer, found, 1)) > 0.05


@pytest.mark.parametrize("kind", POOLED)
def test_the_pooling_comes_as_it_is(kind):
    found = trace_of(kind)
    explorer = Explorer(packed(found))
    assert explorer.header["pool_heads"] == found.config.pool_num_heads
    assert np.array_equal(explorer.pool(), found.attention("pool")[:, 0])
    read = explorer.pool().any(axis=0)
    assert explorer.header["pool_reads"] == read.sum() == found.token_count - (2 + 1) * (kind == "pooled with prefix")


@pytest.mark.parametrize(
    ("kind", "marks", "readout"),
    [
        (
            "pooled",
            [],
            "No class token: the model's output comes from attention pooling with a learned query "
            "(see the row “pool”).",
        ),
        (
            "pooled with prefix",
            ["CLS", "R1", "R2"],
            "The model's output comes from attention pooling with a learned query (see the row “pool”).",
        ),
        ("differential", ["CLS"], ""),
        ("mean", [], "No class token: the model's output comes from the mean of the patches."),
        (
            "mean with registers",
            ["R1", "R2"],
            "No class token: the model's output comes from the mean of the patches.",
        ),
        (
            "distilled",
            ["CLS", "DIST"],
            "The model's output comes from the class token and the distillation token, each with a classifier of its "
            "own.",
        ),
    ],
)
def test_what_models_read_is_said(kind, marks, readout):
    header = Explorer(packed(trace_of(kind))).header
    assert (header["prefix_marks"], header["readout"]) == (marks, readout)
    assert list(header["colours"]) == (
        ["relative", "raw"] if kind == "differential" else ["relative", "raw", "uniform"]
    )


# --- All at once, or one layer at a time -----------------------------------------------------------------------------


def test_a_payload_is_small_enough_to_be_sent(model, trace, large_trace):
    assert fits_at_once(trace)
    assert not fits_at_once(large_trace)
    for size in SHIPPED[model.name].sizes:
        tokens = 1 + (size // 14) ** 2
        fits = 2 * 2 * 12 * 384 * tokens <= 16_000_000
        assert fits == (size <= 392)
    assert LARGEST == 16_000_000
    assert sum(map(len, packed(trace).values())) < 5_000_000
    assert sum(map(len, packed(large_trace, layers=(0,)).values())) < LARGEST


def test_the_image_goes_first_and_then_the_layer_that_is_looked_at(trace):
    """A visitor on a slow line sees the image, and points at it, while the rest arrives."""
    parts = packed(trace, View(4))
    assert list(parts)[:3] == ["frame", "layer 4", "layer 0"]
    assert len(parts["frame"]) + len(parts["layer 4"]) < 0.15 * sum(map(len, parts.values()))


def test_another_layer_leaves_the_picture_where_it_is(small_trace):
    one, other = (packed(small_trace, View(layer), layers=(layer,)) for layer in (0, 1))
    assert one["frame"] == other["frame"]


@pytest.mark.parametrize("view", [View(1, 2, 5), View(1, None, None), View(1, 0, 26, "to"), View(0, 0, None, "to")])
def test_layers_that_are_not_held_come_as_rows_of_the_pinned_token(small_trace, view):
    explorer = Explorer(packed(small_trace, view, layers=(1,)))
    token = view.query or 0
    assert explorer.rows().shape == (3, 3, 27)
    for layer in range(3):
        matrix = small_trace.attention(layer)
        exact = matrix[:, token] if view.direction == "from" else matrix[..., token]
        assert np.abs(explorer.rows()[layer] - exact).max() < 5e-4
        assert np.abs(pinned_rows(small_trace, view)[layer] - exact).max() < 5e-4


@pytest.mark.parametrize("view", [View(1, 2, 5), View(1, None, 7, "to"), View(0, 0, 0, "to")])
@pytest.mark.parametrize("kind", ["differential", "relative", "distilled"])
def test_rows_of_other_kinds_of_attention(kind, view):
    found = trace_of(kind)
    rows = Explorer(packed(found, view, layers=(1,))).rows()
    for layer in range(3):
        matrix = found.attention(layer)
        exact = matrix[:, view.query] if view.direction == "from" else matrix[..., view.query]
        assert np.abs(rows[layer] - exact).max() < 5e-4


def test_while_the_pooling_is_looked_at_all_layers_come_as_rows():
    found = trace_of("pooled")
    explorer = Explorer(packed(found, View(3, 1, 5), layers=(3,)))
    assert explorer.held == []
    assert explorer.rows().shape == (3, 3, 24)
    assert np.array_equal(explorer.pool(), found.attention("pool")[:, 0])


def test_biases_and_second_sums_count_for_what_fits(monkeypatch):
    for kind in ("relative", "differential", "mean"):
        found = trace_of(kind)
        sent = vectors(found, (0, 1, 2))
        size = sum(map(len, (sent.q, sent.k, sent.logsum, sent.bias)))
        for largest, fits in ((size, True), (size - 1, False)):
            monkeypatch.setitem(fits_at_once.__globals__, "LARGEST", largest)
            assert fits_at_once(found) == fits


def test_vectors_keep_the_order_of_the_layers(small_trace):
    explorer = Explorer(packed(small_trace, layers=(2, 0)))
    assert explorer.held == [2, 0]
    for layer in (0, 2):
        assert explorer.row(layer, 4) == pytest.approx(small_trace.attention(layer, query=4), abs=5e-3)


# --- The rest of it --------------------------------------------------------------------------------------------------


def test_sections_are_aligned_in_order_and_whole(small_trace):
    for extra in range(5):  # pictures are of any length
        picture = PICTURE + b"x" * extra
        explorer = Explorer(packed(small_trace, View(1, None, 3), layers=(1,), picture=picture))
        sections = {name: list(part.header["sections"]) for name, part in explorer.parts.items()}
        assert list(sections.items()) == [
            ("frame", ["pool", "picture"]),
            ("layer 1", ["q", "k", "logsum", "bias"]),
            ("rows", ["rows"]),
        ]
        for part in explorer.parts.values():
            assert part.start % 4 == 0
            end = 0
            for name, (start, length) in part.header["sections"].items():
                assert start == end, name
                end = start + length + -length % 4
            assert end == len(part.buffer)
        assert explorer.parts["frame"].section("picture") == picture


def test_the_header_by_hand(small_trace):
    view = View(1, None, 5, "to", "raw")
    rows = Explorer(packed(small_trace, view, layers=(1,))).parts["rows"].header
    assert rows["rows_of"] == {"token": 5, "direction": "to"}
    header = Explorer(packed(small_trace, view, image_name="Grüße 猫 \"'</script>")).header
    del header["sections"], header["key"]
    assert header.pop("picture_id") == hashlib.sha256(PICTURE).hexdigest()
    colours = {scale: base64.b64decode(table) for scale, table in header.pop("colours").items()}
    assert colours == {scale: overlay_map(scale).tobytes() for scale in ("relative", "raw", "uniform")}
    assert header == {
        "image_name": "Grüße 猫 \"'</script>",
        "layers": 3,
        "heads": 3,
        "pool_heads": 0,
        "pool_reads": 27,
        "grid": [4, 6],
        "channels": 8,
        "scale": pytest.approx(8**-0.5),
        "row_sums": None,
        "class_token": True,
        "prefix_names": ["class token", "register 1", "register 2"],
        "prefix_marks": ["CLS", "R1", "R2"],
        "readout": "",
        "all_live": True,
        "uniform_range": 5,
    }


def test_the_picture_is_a_jpeg():
    with Image.open(io.BytesIO(PICTURE)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (256, 256))


def test_keys_stand_for_the_content(small, small_trace):
    def key(trace=small_trace, **options):
        return frozenset(part.header["key"] for part in Explorer(packed(trace, **options)).parts.values())

    same = small.trace(small_trace._input.clone())
    assert packed(same) == packed(small_trace)
    for kind in ("pooled", "differential", "relative"):
        assert packed(trace_of(kind)) == packed(trace_of(kind))
    keys = [
        key(),
        key(small.trace(small_trace._input + 0.1)),
        key(picture=PICTURE[:-1]),
        key(image_name="dog"),
        key(layers=(1,)),
        key(layers=(1,), view=View(2, 0, 1)),
    ]
    assert len(set(keys)) == len(keys)
    assert [key(), key(layers=(1,))] == [keys[0], keys[4]]
    assert key(view=View(2, 0, 1)) == keys[0], "where all layers follow the pointer, no view changes what is held"
    assert key(layers=(1,), view=View(0, 2, 1, scale="raw")) == keys[5], "nor do head and scale elsewhere"
