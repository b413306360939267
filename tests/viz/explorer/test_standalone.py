"""The explorer in one file: what it contains, and what it refuses."""

import base64
import hashlib
import html
import re
import tomllib
from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.app_server import ROOT
from tests.support.facts import assert_mentions
from tests.support.node_runner import run
from tests.support.random_models import trace_of
from vitviz import EditError, ImageError, TraceError, __version__
from vitviz.errors import ArgumentError
from vitviz.model.edits import HeadAblation, KeyMask, Temperature
from vitviz.notation.view import View
from vitviz.viz.browser.embedded import ALPHABET, embedded
from vitviz.viz.browser.themes import THEMES
from vitviz.viz.explorer.contents import first_view, kept_layers, shown
from vitviz.viz.explorer.linked import layers_with_tokens

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&.png"


class Read(HTMLParser):
    """Tags, texts by tag, and the policy of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.policy, self._open = [], {}, "", ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._open = tag
        if dict(attributes).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attributes)["content"]

    def handle_data(self, data):
        self.texts.setdefault(self._open, []).append(data)


@pytest.fixture
def saved(tmp_path):
    """Function that saves a trace, and returns the page as text."""

    def save(trace, **options):
        trace.save_html(tmp_path / "it.html", **options)
        return (tmp_path / "it.html").read_text("utf-8")

    return save


# --- Text that stands for bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 2, 4, 1000, 4098])
def test_bytes_come_back_from_their_text(size):
    data = np.random.default_rng(size).normal(size=size // 2).astype(np.float16).tobytes()
    text, deflated = embedded(data)
    script = """
        import { decoded } from "../../viz/browser/embedded.js";
        answer([...await decoded(given.text, given.size)]);
    """
    assert bytes(run(script, {"text": text, "size": deflated})) == data


def test_the_text_needs_no_escaping():
    assert len(set(ALPHABET)) == 85
    assert html.escape(ALPHABET.decode()) == ALPHABET.decode()


# --- The file --------------------------------------------------------------------------------------------------------


def test_size_at_224_pixels(trace, photo, saved):
    assert len(saved(trace, image=photo).encode()) <= 5_500_000


def test_size_at_224_pixels_of_an_image_that_cannot_be_compressed(model, saved):
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    assert len(saved(model.trace(image), image=image).encode()) <= 5_500_000


def test_size_follows_the_layers(trace, saved):
    one, two, every = (len(saved(trace, layers=layers)) for layers in ([11], [3, 11], None))
    assert one < two < every
    assert (two - one) == pytest.approx((every - one) / 11, rel=0.1)


def test_tokens_are_only_in_the_file_on_request(small_trace, saved):
    plain, with_tokens = (saved(small_trace, layers=[0, 1], tokens=tokens) for tokens in (False, True))
    assert (Read(with_tokens).tags.count("script"), Read(plain).tags.count("script")) == (8, 6)
    assert '"token_source": null' in plain


def test_a_file_of_a_pooling_has_the_tokens_that_it_reads():
    trace = trace_of("pooled")
    assert layers_with_tokens(trace, View(3, 0), (0,)) == (0, 2)
    assert layers_with_tokens(trace, View(1, 0), (0, 1)) == (0, 1)


def test_nothing_is_loaded_and_only_its_own_script_runs(small_trace, saved):
    page = saved(small_trace)
    policy = Read(page).policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag, rule in (('script type="module"', "script-src"), ("style", "style-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag.split()[0]}>", page, re.DOTALL)
        assert f"{rule} 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert not re.search(r"\b(?:src|href)=|https?:|@import|url\(", page)


def test_it_says_what_it_is_and_how_it_was_made(small, saved):
    trace = small.trace(Image.linear_gradient("L").convert("RGB"), edits=[HeadAblation(1, 2)])
    (facts,) = re.findall(r"<footer>(.*)</footer>", saved(trace), re.DOTALL)
    assert_mentions(facts, "small", "3 layers", "32", "Layer 2, head 3: ablated", "forward pass", __version__)


def test_markup_in_names_is_text(small, saved, tmp_path):
    path = tmp_path / HOSTILE.replace("/", "_")
    Image.linear_gradient("L").save(path)
    model = small
    before, model.name = model.name, HOSTILE
    try:
        page = saved(model.trace(path), image=path)
    finally:
        model.name = before
    read, plain = Read(page), Read(saved(small.trace(Image.linear_gradient("L"))))
    assert read.tags == plain.tags
    assert path.name in "".join(read.texts["title"])
    assert HOSTILE in "".join(read.texts["dd"])


def test_themes_are_those_of_the_app():
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
    for name, colours in THEMES.items():
        of_app = {re.sub("[A-Z]", lambda sign: f"-{sign[0].lower()}", key): value for key, value in theme[name].items()}
        assert colours == of_app


def test_a_tensor_is_shown_as_the_model_sees_it(small):
    trace = small.trace(Image.linear_gradient("L").convert("RGB").resize((48, 32)))
    tensor = small.trace(torch.from_numpy(np.array(trace.pixels())))
    assert shown(tensor, None) == shown(trace, None)


# --- The first view, and the layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "view"),
    [
        ({"layer": 1}, View(1, None)),
        ({"layer": -1, "head": -1, "query": 5}, View(2, 2, 5)),
        ({"layers": [1]}, View(1, None)),
    ],
)
def test_the_first_view(small_trace, given, view):
    first = first_view(small_trace, **given)
    assert {**asdict(view), "query": None} == {**asdict(first), "query": view.query and None}
    assert given.get("query") in (None, first.query)


def test_a_pooling_can_be_the_first_layer():
    trace = trace_of("pooled")
    assert first_view(trace, "pool", 1) == View(3, 1)
    assert kept_layers(trace, View(3, 1), [0]) == (0,)


def test_the_layer_of_the_view_is_always_there(small_trace, large_trace):
    assert kept_layers(small_trace, View(0), [2, 1, 2]) == (0, 1, 2)
    assert kept_layers(small_trace, View(0)) == (0, 1, 2)
    assert kept_layers(large_trace, View(4)) == (4,)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"layer": 3}, IndexError),
        ({"layer": 0, "head": 3}, IndexError),
        ({"layer": 0, "query": 27}, IndexError),
        ({"layer": "pool"}, ArgumentError),
        ({"head": 0}, ArgumentError),
        ({"layers": []}, ArgumentError),
        ({"layers": "12"}, ArgumentError),
        ({"layers": [3]}, IndexError),
        ({"image": "no-such-file.png"}, ImageError),
        ({"image": Image.new("RGB", (9, 9))}, ImageError),
    ],
)
def test_what_cannot_be_is_refused(small_trace, saved, given, error):
    with pytest.raises(error):
        saved(small_trace, **given)


def test_edits_of_scores_are_refused_because_they_would_not_be_shown(small, saved):
    image = Image.linear_gradient("L").convert("RGB")
    for edit in (KeyMask(5), Temperature(1, 0, 0.5)):
        trace = small.trace(image, edits=[edit])
        with pytest.raises(EditError):
            saved(trace)
        assert trace._repr_html_() is None
    assert saved(small.trace(image, edits=[Temperature(1, 0, 1.0)]))


def test_a_file_that_cannot_be_written(small_trace, tmp_path):
    with pytest.raises(TraceError):
        small_trace.save_html(tmp_path / "no" / "folder.html")
