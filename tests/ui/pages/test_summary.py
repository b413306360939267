"""The summary to take home: one file that needs nothing else, with the numbers of the library."""

import base64
import copy
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import vitviz
from tests.support import random_models as kinds
from tests.support.app_pages import opened, picture, settings
from tests.support.explained_traces import ALL, explained
from tests.support.handouts import Read, as_number, made, run_of
from vitviz.analysis.predictions import predictions
from vitviz.notation.marks import percent
from vitviz.notation.view import token_label
from vitviz.ui.app import state
from vitviz.ui.pages.lesson.handout import handout
from vitviz.walkthrough import sequence
from vitviz.walkthrough.checks import Check

HOSTILE = "<img src=x onerror=alert(1)> & \"{N}' .png"


def assert_stands_alone(document: str) -> None:
    """Whoever opens the file needs nothing else, and nothing runs."""
    read = Read(document)
    assert document.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>')
    assert not {"script", "link", "iframe", "object", "base", "form"} & read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    addresses = [value for name, value in read.attributes if name in ("src", "href", "data", "srcset")]
    assert len(addresses) >= 3  # the photo, the map, and a vector
    assert all(re.match(r"data:image/(png|jpeg|svg\+xml);base64,", address) for address in addresses)
    assert not re.search(r"https?:|url\(|@import", document)


@pytest.mark.parametrize("kind", ALL)
def test_every_kind_of_model_fills_the_page_with_its_own_numbers(kind):
    trace = explained(kind)
    run = run_of(trace)
    document = handout(run)
    assert_stands_alone(document)
    read, head, layer, token = Read(document), trace.heads - 1, 1, trace.token_count - 1
    assert "nan" not in read.text.split()
    rows = {what: cells for what, *cells in read.tables["checks"][1:]}
    theirs = {
        "row of the sequence": trace.activation("embed.tokens")[token],
        "query": trace.queries(layer)[head, token],
        "keys of all tokens": trace.keys(layer)[head],
        "score of the chosen key": trace.scores(layer, head, token, 0),
        "attention weights": trace.attention(layer, head, token),
        "attention output": trace.activation("blocks.1.attn.out")[token],
        "MLP output": trace.activation("blocks.1.mlp.out")[token],
        "residual stream after the block": trace.tokens(layer)[token],
        "output": trace.output,
    }
    if not trace.config.stem:
        theirs["number 1 of the token"] = trace.activation("embed.patches")[-1, :1]
    for what, numbers in theirs.items():
        count, by_hand, model, agree = rows[what]
        assert as_number(count) == np.size(numbers)
        assert as_number(model) == pytest.approx(float(np.ravel(numbers)[0]), abs=1e-4)
        assert as_number(by_hand) == pytest.approx(as_number(model), abs=2e-4 * max(1.0, float(np.abs(numbers).max())))
        assert agree.endswith("✓")
    assert "✗" not in read.text


@pytest.mark.parametrize("kind", ALL)
def test_the_page_speaks_of_what_the_model_has_and_of_nothing_else(kind):
    config, read = explained(kind).config, made(explained(kind))
    said = read.text
    assert ("class token" in said) == config.class_token
    assert ("register 1" in said) == (config.num_registers > 0 and config.pooling != "distilled")
    assert ("λ" in said) == config.differential
    assert ("Rotary" in said) == (config.rope is not None)
    assert ("Relative" in said) == ("plus a bias" in said) == config.relative_position_bias
    assert ("convolutional" in said) == config.stem
    assert ("W_LP" in read.symbols) == (not config.stem)
    assert ("W_pos" in read.symbols) == config.position_embedding
    assert ("classes" not in read.tables) == (not explained(kind).model.is_classifier)
    assert (("data-testid", "no-classes") in read.attributes) == ("classes" not in read.tables)
    assert any("norm" in words for words, _ in read.tables["sum"]) == config.patch_norm


@pytest.mark.parametrize("kind", ["dinov2-small", "registers", "differential", "stem", "patch norm"])
def test_the_sum_is_the_first_number_of_the_row(kind):
    trace = explained(kind)
    lines = [(words, as_number(value)) for words, value in made(trace).tables["sum"]]
    row = sequence.embedded(trace, trace.token_count - 1)
    assert lines[-1][1] == pytest.approx(row.row[0], abs=1e-4)
    values = dict(lines)
    if trace.config.position_embedding:
        assert values["+ position, Wpos"] == pytest.approx(row.position[0], abs=1e-4)
    if not trace.config.stem:
        one = sequence.project(trace, trace.token_count - 1 - trace.prefix, 0)
        assert lines[0][1] + values.get("+ bias", 0) == pytest.approx(one.total, abs=2e-4)
        assert ("+ bias" in values) == bool(one.bias)


def test_a_projection_without_bias_has_no_line_for_it():
    model = copy.deepcopy(kinds.trace_of("mean").model)
    torch.nn.init.zeros_(model.patch_embed.proj.bias)
    assert "+ bias" not in dict(made(model.trace(torch.randn(3, 32, 48))).tables["sum"])
    assert "+ bias" in dict(made(kinds.trace_of("mean")).tables["sum"])


def test_equal_numbers_are_said_to_be_equal():
    run = run_of(explained("digits"))
    same = Check("output", run.output.model, run.output.model)
    (*_, last) = Read(handout(replace(run, output=same))).tables["checks"]
    assert last[-1].endswith("✓")
    assert "0e" not in last[-1]
    assert re.search(r"\d", last[-1]) is None


@pytest.mark.parametrize("kind", ["dinov2-small", "digits", "differential", "rotary and registers"])
def test_the_strongest_tokens_are_the_librarys(kind):
    trace = explained(kind)
    weights = trace.attention(1, trace.heads - 1, trace.token_count - 1)
    scores = np.atleast_2d(trace.scores(1, trace.heads - 1, trace.token_count - 1))
    order = np.argsort(-np.abs(weights), kind="stable")[:5]
    read = made(trace)
    _, *rows, rest = read.tables["strongest"]
    for token, (name, *cells) in zip(order, rows, strict=True):
        assert name == vitviz.notation.view.token_label(trace, token)
        found = [as_number(cell) for cell in cells if cell]
        np.testing.assert_allclose(found[:-1], scores[:, token], atol=1e-3)
        assert found[-1] == pytest.approx(weights[token], rel=0.01)
    assert rest[0] == f"the other {len(weights) - 5}"
    if trace.prefix == 1:
        assert f"class token {percent(float(weights[0]))}" in read.text


WITHOUT_PREFIX = ("attention pooling", "patch norm", "post-norm")  # by name: each process collects these tests


def test_which_kinds_have_no_prefix_token():
    assert tuple(kind for kind in ALL if not explained(kind).prefix) == WITHOUT_PREFIX


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in WITHOUT_PREFIX])
def test_a_prefix_token_has_a_row_and_weights_but_no_pixels(kind):
    trace = explained(kind)
    token, head = trace.prefix - 1, trace.heads - 1
    document = handout(run_of(trace, token))
    assert_stands_alone(document)
    read = Read(document)
    assert ("data-testid", "no-pixels") in read.attributes
    assert ("class", "query") not in read.attributes, "nothing to be framed"
    assert "W_LP" not in read.symbols
    assert as_number(read.tables["sum"][-1][1]) == pytest.approx(sequence.embedded(trace, token).row[0], abs=1e-4)
    rows = {what: cells for what, *cells in read.tables["checks"][1:]}
    model = trace.queries(1)[head, token]
    assert as_number(rows["query"][2]) == pytest.approx(float(model[0]), abs=1e-4)
    assert "✗" not in read.text
    assert token_label(trace, token) in read.text


@pytest.mark.parametrize("kind", ["digits", "dinov2-small"])
def test_the_input_is_shown_with_the_models_own_pixels(kind):
    trace = explained(kind)
    document = handout(run_of(trace))
    (first, *_) = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', document)
    assert first[0] == "png", "no compression changes them"
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(first[1]))).convert("RGB"))
    height, width = trace.image.pixels.shape[:2]
    factor = len(drawn) // height
    assert drawn.shape[:2] == (factor * height, factor * width)
    middle = drawn[factor // 2 :: factor, factor // 2 :: factor]
    np.testing.assert_array_equal(middle, np.broadcast_to(trace.image.pixels, middle.shape))
    assert f"{width} × {height} pixels" in Read(document).text


def test_the_likeliest_classes_are_the_librarys():
    trace = explained("digits")
    rows = made(trace).tables["classes"][1:]
    assert [row[:2] for row in rows] == [[one.label, percent(one.probability)] for one in predictions(trace)]


def test_what_was_assumed_of_the_model_is_on_the_page(monkeypatch):
    trace = explained("digits")
    assert "assumed" not in made(trace).text
    monkeypatch.setattr(trace.model, "_notes", ("Preprocessing assumed: <b>ImageNet</b>; pass.",))
    assert "Preprocessing assumed: <b>ImageNet</b>." in made(trace).text


def test_other_peoples_words_stay_words():
    model = vitviz.VisionTransformer(kinds.PLAIN, "hostile", labels=("<b>bold</b>", *"1234"))
    trace = model.requires_grad_(False).trace(torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(0)))
    document = handout(run_of(trace, image=HOSTILE, model="</title><script>", fit="<i>", address="a=<u>&b=1"))
    assert_stands_alone(document)
    read = Read(document)
    for words in (f"{HOSTILE} in </title><script>", "<b>bold</b>", "?a=<u>&b=1", "fit <i>"):
        assert words in read.text
    assert "u" not in read.tags


# ---------------------------------------------------------------- on the pages


@pytest.fixture
def taken(monkeypatch):
    """Summaries that pages offer: file name, kind of file, and the document."""
    offered = []

    def note(label, data, name, kind, key, **_):
        if key == "summary":
            offered.append((name, kind, data))

    monkeypatch.setattr("streamlit.download_button", note)
    return offered


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"layer": "3", "head": "2"}, "vitviz-cat-dinov2-small-L3-H2-9-9.html"),
        ({"model": "digits", "image": "digit-4", "layer": "6", "head": "1"}, "vitviz-digit-4-digits-L6-H1-5-5.html"),
        (
            {"image": "rocket", "fit": "native", "layer": "12", "head": "1"},
            "vitviz-rocket-dinov2-small-L12-H1-7-11.html",
        ),
        ({"layer": "2", "head": "3", "query": "cls"}, "vitviz-cat-dinov2-small-L2-H3-cls.html"),
    ],
)
def test_both_pages_give_the_same_document(parameters, name, taken):
    for count, page in enumerate(("attention", "sequence"), start=1):
        app = opened(page, **parameters)
        assert not app.exception
        assert len(taken) == count
    (first, kind, one), (second, _, other) = taken
    assert first == second == name
    assert kind == "text/html"
    document = one()
    assert document == other()
    assert_stands_alone(document)
    said = Read(document).text
    assert f"image={parameters.get('image', 'cat')}" in said
    assert "✗" not in said


def test_the_document_is_of_the_chosen_patch_and_opens_the_same_view_again(taken):
    app = opened("sequence", image="coffee", layer="5", head="6")
    settings(app)["patch"] = (2, 3)
    app.run()
    name, _, document = taken[-1]
    assert name == "vitviz-coffee-dinov2-small-L5-H6-3-4.html"
    read = Read(document())
    trace = vitviz.load("dinov2-small").trace(state.samples()["coffee"], size=224)
    model = {what: cells[2] for what, *cells in read.tables["checks"]}
    assert as_number(model["query"]) == pytest.approx(trace.queries(4)[5, 1 + 2 * 16 + 3, 0], abs=1e-4)
    address = re.search(r"\?(\S+)", read.text)[1]
    again = opened("attention", **dict(pair.split("=") for pair in address.split("&")))
    assert not again.warning
    assert taken[-1][0] == name


def test_a_visitors_own_photo_with_a_hostile_name(taken):
    app = opened("attention", layer="12", head="1")
    app.session_state["picked"] = state.Picked(HOSTILE, picture(), sample=False)
    app.run()
    name, _, document = taken[-1]
    assert re.fullmatch(r"vitviz-[\w-]+-dinov2-small-L\d+-H\d-9-9\.html", name)
    assert_stands_alone(document())
    read = Read(document())
    assert HOSTILE in read.text
    assert ("data-testid", "no-link") in read.attributes
    assert "?image" not in read.text
