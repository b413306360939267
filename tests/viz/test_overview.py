"""vitviz.viz.overview: the attention of all heads in one picture."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import vitviz
from tests.support.random_models import trace_of
from vitviz.viz.colour import overlay, tone
from vitviz.viz.overview import attention_overview, overview_png
from vitviz.viz.picture import input_picture


def maps_in(page, trace, side):
    """Maps of an overview, by layer and head: the last columns and rows of the picture."""
    rows, columns = trace.grid
    height, width = (max(1, round(length * side / max(rows, columns))) for length in (rows, columns))
    left, top = page.width - trace.heads * (width + 2), 30
    return {
        (layer, head): page.crop((x, y, x + width, y + height))
        for layer in range(trace.layers)
        for head in range(trace.heads)
        for x, y in [(left + head * (width + 2), top + layer * (height + 2))]
    }


@pytest.mark.parametrize("query", [None, 0, 9])
def test_each_map_is_the_attention_of_its_head(small_trace, query):
    page = attention_overview(small_trace, query, side=48)
    for (layer, head), shown in maps_in(page, small_trace, 48).items():
        weights = small_trace.attention(layer, head, query or 0)[small_trace.prefix :].reshape(small_trace.grid)
        small = input_picture(small_trace).resize(shown.size, Image.Resampling.BICUBIC)
        expected = overlay(small, tone(weights, "relative", small_trace.token_count), "relative")
        assert np.array_equal(np.asarray(shown), np.asarray(expected)), (layer, head)


@pytest.mark.parametrize("kind", ["mean", "pooled", "differential"])
def test_models_of_other_kinds(kind):
    trace = trace_of(kind)
    assert attention_overview(trace, side=16).width > trace.heads * 16


def test_a_traced_tensor_is_shown_as_it_was_normalised(small, photo):
    trace = small.trace(photo)
    other = small.trace(vitviz.trace.passes.model_input(small, photo, None, None).pixels)
    assert np.array_equal(np.asarray(input_picture(trace)), np.asarray(input_picture(other)))
    grey = vitviz.VisionTransformer(vitviz.ViTConfig(in_chans=1, image_size=(16, 16), patch_size=8, depth=1), "grey")
    assert input_picture(grey.trace(torch.zeros(1, 16, 16))).mode == "RGB"


def test_the_file_says_what_it_shows(small_trace):
    png = Image.open(io.BytesIO(overview_png(small_trace, {"image": "cat", "epoch": 7}, side=16)))
    about = json.loads(png.info["vitviz"])
    assert about == {"image": "cat", "epoch": 7, "token": "cls", "counted_from": 1}
    assert "epoch: 7" in png.info["Description"]
