"""The page "Compare" without a browser: all modes open, show the library's numbers, and are in the link."""

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support.app_pages import opened, placed, query, show_instead, texts
from tests.support.exhaustive import exhaustive
from tests.support.facts import assert_mentions
from tests.support.random_models import trace_of
from vitviz.analysis.comparison import head_resemblance, joint_pca
from vitviz.ui.app import state
from vitviz.ui.pages.compare import alternatives, comparisons

EARLY = "digits-run/step-00100"
DIGIT = {"model": "digits", "image": "digit-4"}


def page(**parameters: str) -> AppTest:
    return opened("compare", **parameters)


def fine(app: AppTest) -> str:
    """Return the text of the page after checking that it has no errors."""
    assert not app.exception
    assert not app.error
    said = texts(app.main) + "".join(element.proto.body for element in app.main.get("html"))
    assert "nan" not in said.split()
    return said


def choice(model: str, image: str) -> state.Choice:
    size = 224 if model == "dinov2-small" else 32
    return state.Choice(state.Picked(image, state.samples()[image], sample=True), model, size, "crop")


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {**DIGIT, "with": "digit-0", "layer": "3", "head": "2", "show": "attention"},
        exhaustive({"image": "pagoda", "fit": "native", "show": "colours", "more": "coffee,flower"}),
        {"mode": "models", "layer": "9"},
        {**DIGIT, "mode": "models", "model2": EARLY, "head2": "2-3"},
        exhaustive({"mode": "models", "model": "digits", "image": "digit-4", "model2": "dinov2-small"}),
        {**DIGIT, "mode": "checkpoints"},
        {"mode": "checkpoints"},
    ],
    ids=str,
)
def test_every_mode_opens(parameters):
    app = page(**parameters)
    fine(app)
    assert not app.warning
    assert parameters.items() <= query(app).items()


def test_a_link_holds_everything_and_survives_a_page_change():
    parameters = {
        "image": "cat",
        "mode": "images",
        "with": "flower",
        "layer": "9",
        "head": "3",
        "query": "4-5",
        "show": "colours",
        "lines": "on",
        "threshold": "0.25",
        "centred": "on",
        "more": "coffee,rocket",
    }
    app = page(**parameters)
    fine(app)
    app.switch_page("pages/lens.py").run()
    app.switch_page("pages/compare.py").run()
    assert parameters.items() <= query(app).items()


def test_a_region_is_followed_at_its_centre():
    app = page(image="cat", mode="images", query="4..6-5..9")
    fine(app)
    assert not app.warning
    assert query(app)["query"] == "5-7"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "three"),
        ("with", "nobody"),
        ("show", "nothing"),
        ("threshold", "7"),
        ("threshold", "nan"),
        ("more", "cat,nobody"),
        ("centred", "yes"),
        ("measure", "distance"),
    ],
)
def test_what_a_link_cannot_hold_is_ignored_with_a_notice(name, value):
    app = page(**{name: value})
    fine(app)
    (warning,) = app.warning
    assert name in warning.value
    assert value in warning.value


@pytest.mark.parametrize("value", ["3", "0-1", "a-b", "1-2-3", "²-1"])
def test_a_head_that_is_none_is_ignored_with_a_notice(value):
    app = page(**DIGIT, mode="models", head2=value)
    fine(app)
    (warning,) = app.warning
    assert "head2" in warning.value


def test_a_head_that_the_second_model_lacks_is_the_most_alike():
    app = page(**DIGIT, mode="models", model2=EARLY, head2="9-9")
    fine(app)
    assert app.selectbox(key="compare_head").value == ()


def test_matches_and_components_are_those_of_the_library():
    first, second = choice("digits", "digit-4"), choice("digits", "digit-0")
    model = vitviz.load("digits")
    traces = [model.trace(one.picked.data) for one in (first, second)]
    found, own = comparisons.matches(first, second, 3, True), vitviz.match(*traces, 3, centred=True)
    np.testing.assert_array_equal(found.best, own.best)
    np.testing.assert_allclose(found.similarity, own.similarity, atol=1e-6)
    pca, expected = comparisons.joint_pca([first, second], 3), joint_pca(traces, 3)
    np.testing.assert_array_equal(pca.colours(1), expected.colours(1))
    shares = expected.components.explained
    said = fine(page(**DIGIT, layer="4", **{"with": "digit-0"}))
    assert_mentions(said, *(f"{100 * share:.3g}" for share in shares))


def test_the_second_image_is_another_one_if_the_model_changes():
    app = page(**{"with": "flower"})
    app.selectbox(key="model").select("digits").run()
    fine(app)
    assert query(app)["with"] in state.samples_for("digits")


def test_heads_are_listed_in_the_order_of_their_resemblance():
    app = page(**DIGIT, mode="models", model2=EARLY, layer="2", head="3")
    said = fine(app)
    traces = [vitviz.load(name).trace(state.samples()["digit-4"]) for name in ("digits", EARLY)]
    alike = head_resemblance(*traces, 1, 2)
    layer, head = np.unravel_index(alike.argmax(), alike.shape)
    assert_mentions(said, f"layer {layer + 1}, head {head + 1}", f"{alike.max():.3f}")
    box = app.selectbox(key="compare_head")
    assert box.options[1] == f"layer {layer + 1}, head {head + 1} ({alike.max():.3f})"
    box.select_index(2).run()
    fine(app)
    assert query(app)["head2"] == "-".join(str(at + 1) for at in app.selectbox(key="compare_head").value)


def test_heads_are_compared_by_their_divergence():
    app = page(**DIGIT, mode="models", model2=EARLY, layer="2", head="3", measure="jensen_shannon")
    said = fine(app)
    traces = [vitviz.load(name).trace(state.samples()["digit-4"]) for name in ("digits", EARLY)]
    alike = head_resemblance(*traces, 1, 2, measure="jensen_shannon")
    layer, head = np.unravel_index(alike.argmin(), alike.shape)
    assert_mentions(said, f"layer {layer + 1}, head {head + 1}", f"{alike.min():.3f}")
    assert app.selectbox(key="compare_head").options[1] == f"layer {layer + 1}, head {head + 1} ({alike.min():.3f})"
    assert query(app)["measure"] == "jensen_shannon"
    app.selectbox(key="compare_measure").select("cosine").run()
    fine(app)
    assert app.selectbox(key="compare_head").options[1] != f"layer {layer + 1}, head {head + 1} ({alike.min():.3f})"


def test_differential_attention_is_compared_by_the_cosine_only(monkeypatch):
    trace = trace_of("differential")
    show_instead(monkeypatch, trace, "differential")
    app = page(mode="models", measure="jensen_shannon", image="cat")
    fine(app)
    assert "compare_measure" not in [box.key for box in app.selectbox]


def test_layers_are_compared_on_the_samples():
    app = page(**DIGIT, mode="models", model2=EARLY)
    app.button(key="compare_cka").click().run()
    said = fine(app)
    found = comparisons.cka_of(choice("digits", "digit-4"), choice(EARLY, "digit-4"))
    images = list(state.samples_for("digits").values())
    expected = vitviz.cka(vitviz.load("digits"), vitviz.load(EARLY), images)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-6)
    assert_mentions(said, expected.samples, len(images))


def test_sentences_and_charts_of_what_changed():
    app = page(**DIGIT, mode="checkpoints", before=EARLY)
    fine(app)
    traces = [vitviz.load(name).trace(state.samples()["digit-4"]) for name in (EARLY, "digits")]
    change = vitviz.compare(*traces)
    (said,) = placed(app, "compare_sentences")
    for number in (change.attention.max(), change.token_cosine.min()):
        assert_mentions(said, f"{number:.3f}")
    charts = [chart.proto.spec for chart in app.get("plotly_chart")]
    assert len(charts) == 2


def test_only_models_that_may_be_of_one_architecture_are_offered():
    offered = alternatives.of_one_architecture(choice("digits", "digit-4"))
    assert EARLY in offered
    assert "dinov2-small" not in offered
    assert not alternatives.of_one_architecture(choice("dinov2-small", "cat"))
    assert {"digits"} <= set(alternatives.of_any_kind(choice("dinov2-small", "cat")))


def test_no_checkpoint_of_unknown_architecture_is_chosen_by_itself(tmp_path, monkeypatch):
    for name, heads in (("first.pth", 3), ("second.pth", 3), ("other.pth", 2)):
        model = TimmViT(img_size=64, patch_size=16, embed_dim=64 * heads, depth=2, num_heads=heads, num_classes=2)
        torch.save(model.state_dict(), tmp_path / name)
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    app = page(mode="checkpoints", model="second.pth")
    fine(app)
    box = app.selectbox(key="compare_checkpoint")
    assert box.value is None
    assert {"first.pth", "other.pth"} <= set(box.options)
    assert "before" not in query(app)
    box.select("first.pth").run()
    fine(app)
    assert placed(app, "compare_sentences")
    assert query(app)["before"] == "first.pth"
