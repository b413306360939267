"""attention.js and paint.js, run as they are: weights are those of the trace, colours those of the library."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.node_runner import run
from tests.support.random_models import CONFIGS, POOLED, trace_of
from vitviz.analysis.attention import row_entropy
from vitviz.notation.view import View, default_token, scales
from vitviz.ui.components.patches import Overlay
from vitviz.viz.colour import on_neutral, overlay_map, paint, tone
from vitviz.viz.explorer.payload import as_jpeg, payload, vectors

PICTURE = as_jpeg(Image.linear_gradient("L").convert("RGB"))
KINDS = [(kind, grid) for kind in CONFIGS for grid in ((4, 6), (5, 3))]
START = """
import { AttentionData, Part, entropyBits, sumOf } from "../../viz/explorer/attention.js";
import { Painter } from "../../viz/explorer/paint.js";
const [[, frame], ...parts] = Object.entries(given.parts);
const data = new AttentionData(new Part(frame));
data.take(parts.map(([key]) => key), parts.map(([, part]) => part));
const weights = () => data.weights.map((of, level) => data.known[level] ? of.map((one) => [...one]) : null);
"""


def sent(trace, view=None, layers=None):
    """All parts by name, as the component gets them."""
    live = vectors(trace, tuple(range(trace.layers)) if layers is None else layers)
    return payload(trace, live, view or View(trace.layers - 1), picture=PICTURE, image_name="cat")


def attended(trace, asked, pinned=0, **options):
    """Weights for each asked (token, direction): [level][head, and in the last column the mean], None if not known."""
    script = START + "answer(given.asked.map((one) => { data.attend(...one, given.pinned); return weights(); }));"
    return run(script, {"parts": sent(trace, **options), "asked": asked, "pinned": pinned})


def exact(trace, layer, token, direction):
    """[head, token], the mean last."""
    matrix = trace.attention(layer)
    heads = matrix[:, token] if direction == "from" else matrix[..., token]
    return np.concatenate([heads, heads.mean(axis=0, keepdims=True)])


def compared(trace, asked, found):
    """The largest error of the layers' weights."""
    heads = list(range(trace.heads))
    return max(
        np.abs(np.array([levels[layer][column] for column in [*heads, -1]]) - exact(trace, layer, *one)).max()
        for one, levels in zip(asked, found, strict=True)
        for layer in range(trace.layers)
    )


def test_weights_of_the_shipped_model(trace):
    asked = [(token, direction) for token in (0, 1, 100, 256) for direction in ("from", "to")]
    error = compared(trace, asked, attended(trace, asked))
    assert 1e-6 < error < 2e-3  # what is sent is float16


@pytest.mark.parametrize(("kind", "grid"), KINDS)
def test_weights_of_all_kinds_of_attention(kind, grid):
    found = trace_of(kind, grid)
    asked = [(token, direction) for token in range(found.token_count) for direction in ("from", "to")]
    assert compared(found, asked, attended(found, asked)) < 5e-3


@pytest.mark.parametrize("kind", POOLED)
def test_the_pooling_shows_its_own_query_whatever_is_asked(kind):
    found, heads = trace_of(kind), trace_of(kind).config.pool_num_heads
    rows = found.attention("pool")[:, 0]
    for levels in attended(found, [(0, "from"), (5, "to")]):
        assert np.allclose(levels[-1][:heads], rows, atol=1e-6)
        assert np.allclose(levels[-1][-1], rows.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", ["distilled", "differential", "relative", "mean"])
@pytest.mark.parametrize("direction", ["from", "to"])
def test_layers_that_are_not_sent_show_the_pinned_token_or_nothing(kind, direction):
    found = trace_of(kind)
    other = "to" if direction == "from" else "from"
    asked = [(7, direction), (7, other)]
    known, turned = attended(found, asked, pinned=7, view=View(1, 0, 7, direction), layers=(1,))
    assert compared(found, asked[:1], [known]) < 5e-3
    assert [levels is None for levels in turned] == [True, False, True]
    (elsewhere,) = attended(found, asked[:1], pinned=8, view=View(1, 0, 7, direction), layers=(1,))
    assert [levels is None for levels in elsewhere] == [True, False, True]


@pytest.mark.parametrize("kind", CONFIGS)
def test_places_and_sums(kind):
    found = trace_of(kind)
    script = (
        START
        + """
        data.attend(7, "from", 7);
        const row = data.weights[1][0];
        answer({
          home: data.home(),
          places: [data.prefix, data.tokens - 1].map((token) => data.place(token)),
          strongest: data.strongestPatch(row), entropy: entropyBits(row), sum: sumOf(row, 2, 9), row: [...row],
          reads: Array.from({ length: data.levels }, (_, level) => data.reads(level)),
        });
    """
    )
    answer = run(script, {"parts": sent(found)})
    row = np.array(answer["row"], np.float32)
    assert answer["home"] == default_token(found)
    assert answer["places"] == [[0, 0], [3, 5]]
    assert answer["strongest"] == found.prefix + np.abs(row[found.prefix :]).argmax()
    assert answer["sum"] == pytest.approx(row[2:9].sum(), abs=1e-5)
    assert answer["reads"] == [View(level).num_keys(found) for level in range(len(answer["reads"]))]
    if kind != "differential":
        assert answer["entropy"] == pytest.approx(float(row_entropy(torch.from_numpy(row))), abs=1e-4)


# --- Colours ---------------------------------------------------------------------------------------------------------

CANVAS = """
const canvasOf = () => ({
  getContext: () => ({
    createImageData: (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) }),
    putImageData(image) { this.put = image; },
  }),
});
const pixels = ({ pixels: { width, height, packed } }) =>
  ({ width, height, rgba: [...new Uint8Array(packed.buffer)] });
"""


def image(pixels):
    """[row, column, RGBA]"""
    return np.array(pixels["rgba"], np.uint8).reshape(pixels["height"], pixels["width"], 4)


@pytest.mark.parametrize("kind", ["mean", "distilled", "differential", "pooled with prefix"])
def test_colours_are_those_of_the_library(kind):
    found = trace_of(kind)
    signed, rows, columns = found.config.differential, *found.grid
    script = (
        START
        + CANVAS
        + """
        const painter = new Painter(data);
        data.attend(7, "from", 7);
        answer(Object.fromEntries(Object.keys(data.colours).map((scale) => {
          const [overlay, overview, bar] = [canvasOf(), canvasOf(), canvasOf()];
          painter.overlay(overlay, data.weights[1][0], scale, data.reads(1));
          painter.overview(overview, scale);
          painter.colourBar(bar, scale, 80);
          const drawn = { overlay: pixels(overlay), overview: pixels(overview), bar: pixels(bar) };
          return [scale, { ...drawn, weights: weights() }];
        })));
    """
    )
    answer = run(script, {"parts": sent(found)})
    assert list(answer) == list(scales(found))
    for scale, drawn in answer.items():
        overview, levels = image(drawn["overview"]), drawn["weights"]
        across, down = columns + 1, rows + 1  # a patch between the maps
        assert overview.shape[:2] == (len(levels) * down, max(map(len, levels)) * across)
        seen = np.zeros_like(overview)
        for level, heads in enumerate(levels):
            for column, weights in enumerate(heads):
                if weights is None:  # a level with fewer heads
                    continue
                patches = np.array(weights)[found.prefix :].reshape(rows, columns)
                tones = tone(patches, scale, View(level).num_keys(found), signed=signed)
                place = np.s_[level * down : level * down + rows, column * across : column * across + columns]
                seen[place] = np.dstack([paint(tones, scale, signed), np.full((rows, columns), 255, np.uint8)])
                if (level, column) == (1, 0):
                    assert np.array_equal(image(drawn["overlay"]), paint(tones, scale, signed, over=True))
        assert np.array_equal(overview, seen)
        small, large = image(drawn["bar"])
        assert np.array_equal(small[:, :3], overlay_map(scale, signed)[:, :3])
        assert (small[:, 3] == 255).all()
        assert np.array_equal(large[:, :3], overlay_map(scale, signed)[:, :3])
        opacity = large[:, 3:] / 255  # on the grey that lies beneath it
        assert np.abs(opacity * large[:, :3] + (1 - opacity) * 128 - on_neutral(scale, 0.8, signed)).max() <= 1


def test_no_weights_are_no_overlay(small_trace):
    script = (
        START
        + CANVAS
        + """
        const canvas = canvasOf();
        const painter = new Painter(data);
        data.attend(0, "from", 0);
        painter.overlay(canvas, data.weights[0][0], "raw", data.tokens);
        painter.overlay(canvas, null, "raw", data.tokens);
        answer(pixels(canvas));
    """
    )
    drawn = image(run(script, {"parts": sent(small_trace)}))
    assert drawn.shape == (4, 6, 4)
    assert not drawn.any()


def test_the_picker_paints_a_map_as_the_library_does():
    values = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
    overlay = Overlay(values, "", scale="raw", signed=True).payload()
    script = (
        CANVAS
        + """
        import { fromBase64, packedColours } from "../../viz/browser/binary.js";
        import { paint } from "../../viz/browser/canvas.js";
        const canvas = canvasOf();
        paint(canvas, fromBase64(given.tones), packedColours(given.colours), 6, 4);
        answer(pixels(canvas));
    """
    )
    drawn = image(run(script, {"tones": overlay["tones"], "colours": overlay["colours"]}))
    assert np.array_equal(drawn, paint(tone(values, "raw", 1, signed=True), "raw", signed=True, over=True))
