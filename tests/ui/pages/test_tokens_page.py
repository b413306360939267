"""The page "Tokens" without a browser: every section opens for every kind of model, with the library's numbers."""

import base64
import re
import threading
from dataclasses import replace
from itertools import cycle, product

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

import vitviz
from tests.analysis.test_tokens import planted
from tests.support import random_models as kinds
from tests.support.app_pages import explore, opened, picture, placed, query, show_instead, texts
from tests.support.exhaustive import exhaustive
from vitviz.analysis import tokens
from vitviz.notation.view import token_label
from vitviz.ui.app import activations, cache, state
from vitviz.ui.app.jobs import background, queue
from vitviz.ui.components import scatter, similarity
from vitviz.ui.pages.tokens import principal_components, token_analyses
from vitviz.ui.widgets.strips import number
from vitviz.viz.browser.binary import header_of
from vitviz.viz.colour import KEY

SECTIONS = ("Colours", "Similarity", "Norms", "Points", "Places")


def page(section: str = "Colours", **parameters: str) -> AppTest:
    return opened("tokens", section=section, **parameters)


def fine(app: AppTest) -> str:
    """Return the text of the page after checking that it has no errors."""
    assert not app.exception
    assert not app.error
    said = texts(app.main) + "".join(element.proto.body for element in app.main.get("html"))
    assert "nan" not in said.split()
    return said


@pytest.fixture(scope="module")
def cat():
    return vitviz.load("dinov2-small").trace(state.samples()["cat"])


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("parameters", [{}, {"model": "digits", "layer": "2"}, {"image": "rocket", "fit": "native"}])
def test_every_section_opens(section, parameters):
    fine(page(section, **parameters))


def test_a_link_holds_the_layer_and_the_patch():
    app = page(layer="3", query="4-5")
    assert {"layer": "3", "query": "4-5"}.items() <= query(app).items()
    assert app.selectbox(key="tokens_layer").value == 2
    app.selectbox(key="tokens_layer").select(6).run()
    fine(app)
    assert {"layer": "7", "query": "4-5"}.items() <= query(app).items()


def test_another_section_is_shown_when_it_is_chosen():
    app = page()
    app.button_group(key="tokens_section").set_value("Norms").run()
    fine(app)
    assert placed(app, "no_outliers")


def test_a_link_holds_the_section_and_it_is_remembered():
    app = page(section="Norms")
    fine(app)
    assert "layer 12" in " ".join(placed(app, "no_outliers"))
    assert query(app)["section"] == "Norms"
    app.button_group(key="tokens_section").set_value("Points").run()
    app.switch_page("pages/lens.py").run()
    app.switch_page("pages/tokens.py").run()
    assert app.button_group(key="tokens_section").value == "Points"
    (warning,) = page(section="Nothing").warning
    assert all(word in warning.value for word in ("section", "Nothing"))


@pytest.mark.parametrize("together", [False, True])
def test_explained_variance_is_the_librarys(cat, together):
    app = page(layer="5")
    if together:
        app.button_group(key="pca_fitted").set_value("on all layers").run()
    found = tokens.pca_of_layers(tokens.stream(cat)[1:, cat.prefix :], together=together)
    said = fine(app)
    for share in (*found.explained[4], found.explained[4].sum()):
        assert f"{100 * share:.1f} %" in said or f"{100 * share:.2f} %" in said
    assert principal_components.method_text(found, foreground=False) in said


def test_the_foreground_alone_and_the_other_side():
    app = page()
    assert "2304.07193" not in fine(app)
    app.toggle(key="pca_foreground").set_value(True).run()
    assert "2304.07193" in fine(app), "the paper that does so"
    app.toggle(key="pca_swap").set_value(True).run()
    app.slider(key="pca_opacity").set_value(50).run()
    fine(app)


def test_thumbnails_are_the_colours_of_the_library(cat):
    found = tokens.pca_of_layers(tokens.stream(cat)[1:, cat.prefix :])
    drawn = np.asarray(token_analyses.as_picture(found.colours(3), cat.grid, 240))
    assert drawn.shape == (240, 240, 3)
    np.testing.assert_array_equal(drawn[7::15, 7::15].reshape(-1, 3), found.colours(3))


def test_a_longer_picture_has_whole_patches():
    assert token_analyses.as_picture(np.zeros((6, 3), np.uint8), (2, 3), 100).size == (99, 66)


def test_the_similarity_may_leave_out_what_all_share():
    app = page("Similarity")
    app.toggle(key="similarity_centred").set_value(True).run()
    fine(app)


def test_the_rule_stands_on_the_page_with_the_layers_numbers(cat):
    app = page("Norms", layer="9")
    said = fine(app)
    found = tokens.outliers(cat, 8)
    for value in (found.median, found.std, found.threshold, found.norms.max()):
        assert number(value, 2) in said
    assert "layer 9" in " ".join(placed(app, "no_outliers"))
    assert "3.0 × the median" in said


def with_registers(monkeypatch, places: dict[int, float]) -> vitviz.Trace:
    """Give some patches a far larger norm than the others after the first layer."""
    network = vitviz.load("dinov2-small")
    with planted(network, places):
        trace = network.trace(state.samples()["cat"], record=("embed.*", "blocks.*.*", "blocks.*.*.*", "norm"))
    monkeypatch.setattr(state, "trace", lambda _: trace)
    monkeypatch.setattr(state.Choice, "key", property(lambda _: ("registers", *places)))
    return trace


@pytest.fixture
def registers(monkeypatch):
    return with_registers(monkeypatch, {41: 30.0, 200: 25.0})


def test_outliers_are_named_drawn_and_followed_through_the_layers(registers):
    app = page("Norms", layer="1")
    said = fine(app)
    _, named = placed(app, "outliers")
    assert re.findall(r"\b\d+\b", named)[:3] == ["2", "256", "1"]
    assert ", ".join(token_label(registers, token) for token in (41, 200)) in named
    drawn = [base64.b64decode(data).decode() for data in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", said)]
    assert sum(svg.count(f'stroke="{KEY}"') for svg in drawn) == 2, "a frame around each"
    (attention,) = placed(app, "attention_received")
    assert "2 outliers" in attention
    assert len(app.main.get("plotly_chart")) == 2
    app.slider(key="outlier_times").set_value(10.0).run()
    fine(app)


def test_one_outlier_is_spoken_of_as_one(monkeypatch):
    with_registers(monkeypatch, {41: 30.0})
    app = page("Norms", layer="1")
    fine(app)
    assert re.match(r"\W*1 outlier\b", placed(app, "outliers")[1])
    (attention,) = placed(app, "attention_received")
    assert "outlier " in attention.replace("*", " ")
    assert "outliers" not in attention


@pytest.mark.parametrize("head", range(1, 7))
def test_explore_warns_of_a_map_that_outliers_dominate_and_of_no_other(registers, head):
    app = explore(layer="2", head=str(head), query="3-9")
    weights = registers.attention(1, head - 1, 41)[1:]
    share = weights[[40, 199]].sum() / weights.sum()
    assert tokens.outliers(registers, 0).tokens == (41, 200)
    assert not app.exception
    assert bool(placed(app, "outlier_warning")) == (share > 0.5) == (head in (1, 4, 5))


def test_explore_measures_no_norms_of_a_map_that_is_spread_out(monkeypatch):
    monkeypatch.setattr(tokens, "stream", lambda _: pytest.fail("a forward pass for nothing"))
    cache.clear()
    app = explore(layer="4", head="mean")
    assert not app.exception
    assert not placed(app, "outlier_warning")


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_points_are_laid_out(method):
    app = page("Points", model="digits")
    app.button_group(key="plane_method").set_value(method).run()
    fine(app)


def test_the_probe_runs_when_asked_and_is_kept_for_others():
    app = page("Places", model="digits")
    assert not app.main.get("plotly_chart")
    assert ", ".join(state.samples_for("digits")) in texts(app).replace("\\", "")
    assert "Takes about" in texts(app)
    app.button(key="probe").click().run()
    said = fine(app)
    network = vitviz.load("digits")
    images = [tokens.patch_positions(network.trace(data)) for data in state.samples_for("digits").values()]
    row, column = tokens.position_probe(images).r2[6]
    assert f"row {row:.3f}, column {column:.3f}" in said
    other = page("Places", model="digits", image="digit-8")
    assert other.main.get("plotly_chart"), "another visitor does not wait"
    assert not page("Places", model="digits", fit="squash").main.get("plotly_chart")


def test_the_probe_goes_on_over_a_page_change_and_does_not_start_over(monkeypatch):
    cache.clear()
    app = page("Places", model="digits")
    from vitviz.ui.pages.tokens import position_probe  # which only a running app can import

    step, go, ran = position_probe._places_of, threading.Event(), []

    def waiting_step(*given):
        ran.append(given)
        assert go.wait(60)
        return step(*given)

    monkeypatch.setattr(position_probe, "_places_of", waiting_step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "again", st.stop)
        patch.setattr(background, "GLANCE", 0.2)
        app.button(key="probe").click().run()
    assert app.button(key="probe").label == "Stop"
    go.set()  # before the page changes, where a lens asks the model too
    app.switch_page("pages/lens.py").run()
    app.switch_page("pages/tokens.py").run()
    fine(app)
    assert app.main.get("plotly_chart"), "it need not be asked for again"
    assert len(ran) == len(state.samples_for("digits"))


def test_a_probe_that_is_taken_back_ends(monkeypatch):
    cache.clear()
    app = page("Places", model="digits")
    from vitviz.ui.pages.tokens import position_probe  # which only a running app can import

    step, go = position_probe._places_of, threading.Event()
    monkeypatch.setattr(position_probe, "_places_of", lambda *given: go.wait(60) and step(*given))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "again", st.stop)
        patch.setattr(background, "GLANCE", 0.2)
        app.button(key="probe").click().run()
    (job,) = (job for job in queue.shared()._jobs.values() if job.kind == "probe")
    app.button(key="probe").click().run()
    go.set()
    assert job._ended.wait(60)
    assert isinstance(job.error, queue.AbandonedError)
    assert app.button(key="probe").label == "Measure"
    assert "Stopped" in fine(app)
    assert "Stopped" not in fine(app.run())


KINDS = {
    "pooled": kinds.CONFIGS["pooled"],
    "pooled with prefix": kinds.CONFIGS["pooled with prefix"],
    "differential": kinds.CONFIGS["differential"],
    "mean": kinds.CONFIGS["mean"],
    "mean with registers": kinds.CONFIGS["mean with registers"],
    "distilled": kinds.CONFIGS["distilled"],
    "post-norm": replace(kinds.PLAIN, block="post"),
}


EVERY_DAY = {*zip(KINDS, cycle(SECTIONS)), *((next(iter(KINDS)), section) for section in SECTIONS)}


@pytest.mark.parametrize(
    ("kind", "section"), [one if one in EVERY_DAY else exhaustive(*one) for one in product(KINDS, SECTIONS)]
)
def test_models_of_other_kinds(kind, section, monkeypatch):
    """The page describes all parts of these models and no others."""
    monkeypatch.setitem(kinds.CONFIGS, kind, KINDS[kind])
    trace = kinds.trace_of(kind)
    config = trace.config
    show_instead(monkeypatch, trace, kind)
    said = fine(page(section))
    if section == "Norms":
        assert ("class token" in said) == (config.num_prefix_tokens == 1)
        assert ("special tokens" in said) == (config.num_prefix_tokens > 1)
        assert ("Absolute values" in said) == config.differential


def test_a_stream_that_is_too_large_is_followed_layer_by_layer(monkeypatch, cat):
    monkeypatch.setattr(activations, "LARGEST", 1000)
    cache.clear()
    for section in ("Colours", "Similarity", "Norms", "Points"):
        fine(page(section, layer="7"))


# ---------------------------------------------------------------- what is sent to the browser


def test_the_similarity_sends_directions_as_they_are(cat):
    directions = tokens.directions(cat.tokens(11))
    names = cat.config.prefix_token_names
    sent = similarity.sent_once(directions)
    length = int.from_bytes(sent[:4], "little")
    assert sent[4 + length :][: 2 * directions.size] == directions.astype(np.float16).tobytes()
    assert header_of(sent)["embedDim"] == 384
    with pytest.raises(ValueError, match="256 tokens"):
        similarity.payload(picture(), "cat", cat.grid, (2, 3), directions[1:], names, "")


def test_points_fill_the_room_there_is():
    colours = np.zeros((6, 3), np.uint8)
    points = np.array([[0, 5], [1, 5], [2, 5], [3, 5], [4, 5], [10, 5]], np.float32)
    sent = scatter.payload(picture(), "cat", (2, 3), (0, 0), points, colours, "axes")
    assert sent["points"] == [[0, 0.5], [0.1, 0.5], [0.2, 0.5], [0.3, 0.5], [0.4, 0.5], [1, 0.5]]
    with pytest.raises(ValueError, match="6 patches"):
        scatter.payload(picture(), "cat", (2, 3), (0, 0), points[:5], colours, "axes")


def test_the_shared_model_is_as_it_was():
    network = vitviz.load("digits")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    tokens.patch_positions(network.trace(state.samples()["digit-4"]))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in network.parameters())
