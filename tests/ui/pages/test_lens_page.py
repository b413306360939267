"""The page "Lens", without a browser: it opens for every kind of model, and its numbers are the library's."""

import re
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support import random_models as kinds
from tests.support.app_pages import dropped, opened, picture, placed, query, settings, show_instead, texts
from vitviz.analysis.logit_lens import depth_label
from vitviz.notation.marks import percent
from vitviz.ui.app import state
from vitviz.ui.widgets.strips import number

UPLOAD, MINE = "\0", "\0mine"
KINDS = {  # and words that the page has to say of them
    **dict.fromkeys(kinds.POOLED, "attends to this patch alone"),
    "differential": "replaces the class token",
    "relative": "replaces the class token",
    "mean": "The mean is taken over that patch",
    "mean with registers": "The mean is taken over that patch",
    "distilled": "both the class and the distillation token",
    "token and mean": "and the mean is taken over that patch",
    "no norm": "with the class token and the classifier",
    "one class": "with its final norm, the class token and the classifier",
    "headless": "the class token. The **logit lens**",
    "embedding": "the final linear layer",
}


def lens_page(**parameters: str) -> AppTest:
    return opened("lens", **parameters)


def fine(app: AppTest) -> str:
    """Return the text of the page after checking that it has no errors."""
    assert not app.exception
    assert not app.error
    assert [title.value.partition(" ")[0] for title in app.header] == ["1", "2"]
    assert len(app.get("plotly_chart")) == 2
    said = texts(app.main) + "".join(element.proto.body for element in app.main.get("html"))
    assert "2303.08112" in said, "a paper on the limits of the lens"
    assert "nan" not in said.split()
    return said


def test_the_numbers_of_a_classifier_are_the_librarys():
    app = lens_page(model="digits", image="digit-4")
    said = fine(app)
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    found = vitviz.lens(trace)
    likely = found.probabilities()
    for depth, top in enumerate(found.tops()):
        words = depth_label(depth)
        row = f"{f'<b>{words}</b>' if depth == trace.layers else words}</td><td>{top}</td>"
        assert f"{row}<td>" in said
        assert f"{percent(float(likely[depth, top]))}</td></tr>" in said
    (settling,) = placed(app, "lens_target")
    assert re.findall(r"(?<!top-)\b\d+\b", settling)[:3] == ["4", str(found.settled()), "3"]
    assert query(app) == {"image": "digit-4", "model": "digits", "size": "32", "fit": "crop"}


def test_another_class_layer_scale_and_patch():
    app = lens_page(model="digits", image="digit-4")
    maps = vitviz.patch_lens(vitviz.load("digits").trace(state.samples()["digit-4"]), 9)
    app.selectbox(key="lens_class_digits").set_value(9).run()
    app.select_slider(key="lens_depth_6").set_value(2).run()
    settings(app)["patch"] = (1, 6)
    said = fine(app.run())
    here, last = (percent(float(maps[depth, 1, 6])) for depth in (2, 6))
    assert re.search(rf"Patch \(2, 7\).*\n.*“9”: {re.escape(here)} {depth_label(2)}, {re.escape(last)} ", said)
    assert "<b>after layer 2</b>" in said
    assert "<span>0</span><i style" in said
    assert f"<span>{percent(float(maps.max()))}</span>" in said
    followed = vitviz.lens(vitviz.load("digits").trace(state.samples()["digit-4"])).probabilities()[:, 9]
    assert "<th>of “9”</th>" in said
    assert all(f"<td>{percent(float(share))}</td></tr>" in said for share in followed)
    app.toggle(key="lens_shared_False").set_value(False).run()
    assert "<span>its maximum</span>" in fine(app)
    app.selectbox(key="model").select("dinov2-small").run()
    fine(app)


@pytest.mark.parametrize(
    ("image", "model", "box", "lens", "chosen"),
    [
        ("digit-4", "digits", "lens_class_digits", "9", 9),
        ("cat", "dinov2-small", "lens_image_dinov2-small", *["rocket"] * 2),
    ],
)
def test_a_link_holds_target_and_layer_and_both_are_remembered(image, model, box, lens, chosen):
    app = lens_page(model=model, image=image, lens=lens, depth="2")
    fine(app)
    assert {"lens": lens, "depth": "2"}.items() <= query(app).items()
    app.switch_page("pages/explain.py").run()
    app.switch_page("pages/lens.py").run()
    fine(app)
    assert app.selectbox(key=box).value == chosen
    assert app.select_slider[0].value == 2
    app.select_slider[0].set_value(0).run()
    assert query(app)["depth"] == "0"


def test_nonsense_in_a_link_is_said_and_left_out():
    app = lens_page(model="digits", image="digit-4", lens="10", depth="7")
    fine(app)
    assert all(part in app.warning[0].value for part in ("lens “10”", "depth “7”"))


def test_a_model_without_classes_is_compared_with_images(photo):
    app = lens_page(image="cat")
    said = fine(app)
    model = vitviz.load("dinov2-small")
    found = vitviz.lens(model.trace(photo))
    for value in found.similarities():
        assert f"{number(float(value), 3)}</td>" in said
    assert "classifier" not in said
    maps = vitviz.patch_lens(model.trace(photo))
    most = int(maps.std(axis=(1, 2)).argmax())
    assert 0 < most < 12, "its patches differ before the end, where each is its own end"
    assert app.select_slider(key="lens_depth_12_each").value == most
    assert "lens" not in query(app)
    assert "depth" not in query(app)
    for mean in maps.mean(axis=(1, 2)):
        assert number(float(mean), 3) in app.get("plotly_chart")[0].proto.spec
    app.selectbox(key="lens_image_dinov2-small").set_value("image").run()
    fine(app)
    assert placed(app, "lens_own_output")
    assert query(app)["lens"] == "image"
    app.selectbox(key="lens_image_dinov2-small").set_value("rocket").run()
    said = fine(app)
    for value in found.similarities(model.trace(state.samples()["rocket"]).output):
        assert f"{number(float(value), 3)}</td>" in said
    assert "“rocket”" in " ".join(placed(app, "lens_target"))
    app.selectbox(key="lens_image_dinov2-small").set_value(UPLOAD).run()
    fine(app)
    assert placed(app, "lens_own_output")
    dropped(app, "lens_upload", "mine.png", picture())
    fine(app)
    app.switch_page("pages/explain.py").run()
    app.switch_page("pages/lens.py").run()
    assert app.selectbox(key="lens_image_dinov2-small").value == UPLOAD
    said = fine(app)
    mine = found.similarities(model.trace(picture()).output)
    assert f"{number(float(mine[-1]), 3)}</td>" in said
    assert "mine.png" in said.replace("\\", "")
    assert app.session_state.picked.name == "cat"


def test_the_image_of_the_sidebar_can_be_compared_with(photo):
    app, box = lens_page(image="cat"), "lens_image_dinov2-small"
    dropped(app, "sidebar_upload", "mine.png", picture())
    from vitviz.ui.app.sidebar import OWN_LABEL  # which only a running app can import

    assert OWN_LABEL not in app.selectbox(key=box).options, "it is looked at"
    app.session_state.picked = state.Picked("cat", state.samples()["cat"], sample=True)
    app.run()
    assert OWN_LABEL in app.selectbox(key=box).options
    app.selectbox(key=box).set_value(MINE).run()
    said = fine(app)
    model = vitviz.load("dinov2-small")
    mine = vitviz.lens(model.trace(photo)).similarities(model.trace(picture()).output)
    assert f"{number(float(mine[-1]), 3)}</td>" in said
    assert "lens" not in query(app), "no link carries it"


def test_an_image_that_cannot_be_compared_with_is_refused_in_a_sentence():
    app = lens_page()
    app.selectbox(key="lens_image_dinov2-small").set_value(UPLOAD).run()
    dropped(app, "lens_upload", "<b>*evil*.png", b"no")
    assert not app.exception
    assert len(app.error) == 1
    assert r"\<b\>\*evil\*" in app.error[0].value
    assert placed(app, "lens_own_output")


@pytest.fixture(params=KINDS)
def other(request, monkeypatch):
    """Small random model of another kind, in place of the selected model."""
    more = {
        "token and mean": replace(kinds.PLAIN, pooling="token+mean"),
        "no norm": replace(kinds.PLAIN, final_norm=False),
        "one class": replace(kinds.PLAIN, num_classes=1),
        "headless": replace(kinds.PLAIN, num_classes=0),
        "embedding": kinds.PLAIN,
    }
    monkeypatch.setattr(kinds, "CONFIGS", kinds.CONFIGS | more)
    trace = kinds.trace_of(request.param)
    if request.param == "embedding":
        monkeypatch.setattr(trace.model, "output_kind", "embedding")
    show_instead(monkeypatch, trace, request.param)
    return trace, KINDS[request.param]


def test_models_of_other_kinds(other):
    """The page describes all parts of these models and no others."""
    trace, words = other
    app = lens_page()
    said = fine(app)
    assert words in said
    assert ("class token" in said) == (trace.config.pooling in ("token", "token+mean"))
    assert ("the classifier" in said) == ("probability" in said) == trace.model.is_classifier
    assert ("final norm" in said) == trace.config.final_norm
    assert "register" not in said
    for depth in (0, 1):
        app.select_slider[0].set_value(depth).run()
        assert f"<b>{depth_label(depth)}</b>" in fine(app)


def test_a_model_whose_numbers_are_not_finite_is_said_in_one_sentence(monkeypatch):
    trace = kinds.trace_of("mean")
    broken = {"blocks.1.resid_post": np.full((24, 24), np.nan, np.float32)}
    monkeypatch.setattr(state, "trace", lambda _: trace.with_recorded(broken))
    monkeypatch.setattr(state.Choice, "key", property(lambda _: ("lens", "nan")))
    app = lens_page()
    assert not app.exception
    assert "not finite" in app.error[0].value
