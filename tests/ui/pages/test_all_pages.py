"""Every page, without a browser: what a visitor reads, and that nothing they do ends in an exception."""

import io
from functools import cache as cache_result

import pytest
from PIL import Image

import vitviz
from tests.support.app_pages import choice_of, dropped, explore, picture, placed, query, start, texts
from tests.support.exhaustive import exhaustive
from vitviz.analysis.predictions import predictions
from vitviz.notation.view import View, token_label
from vitviz.trace.vision_transformer import VisionTransformer
from vitviz.ui.app import cache, state

SAMPLES = list(state.samples())


@pytest.mark.parametrize("name", [name if name in ("cat", "digit-4") else exhaustive(name) for name in SAMPLES])
@pytest.mark.parametrize("page", [exhaustive(start), explore])
def test_every_page_opens_with_every_sample(page, name):
    app = page(image=name)
    assert not app.exception
    assert not app.warning
    assert not app.error
    assert app.session_state.picked.name == name


def test_each_model_is_offered_the_samples_it_is_made_for():
    photographs, digits = (list(state.samples_for(model)) for model in ("dinov2-small", "digits"))
    assert (len(photographs), len(digits)) == (6, 5)
    assert photographs + digits == SAMPLES
    assert all(name.startswith("digit-") for name in digits)


@pytest.mark.parametrize("name", state.samples_for("digits"))
def test_the_prediction_stands_on_the_page_and_is_the_librarys(name):
    app = explore(model="digits", image=name)
    assert not app.exception
    found = predictions(vitviz.load("digits").trace(state.samples()[name]))
    shown = "".join(element.proto.body for element in app.get("html"))
    for one in found:
        assert f'data-class="{one.label}" data-probability="{one.probability:.9f}"' in shown
    assert found[0].label == name.removeprefix("digit-")


def test_a_model_without_classes_predicts_nothing():
    assert "prediction" not in "".join(element.proto.body for element in explore().get("html"))


def test_changing_the_model_brings_its_own_size_and_samples():
    app = explore(image="rocket", size="280")
    app.selectbox(key="model").select("digits").run()
    opened = {"layer": "", "head": "", "query": ""}  # where Explore opens is the model's own matter
    assert query(app) | opened == {
        "image": "digit-0",
        "model": "digits",
        "size": "32",
        "fit": "crop",
        **opened,
        "direction": "from",
        "scale": "relative",
    }
    app.selectbox(key="model").select("dinov2-small").run()
    assert (query(app)["image"], query(app)["size"]) == ("cat", "224")
    assert not app.exception


@pytest.mark.parametrize(
    ("size", "fit", "grid", "tokens"),
    [("224", "crop", "16 × 16", 257), ("280", "squash", "20 × 20", 401), ("224", "native", "13 × 20", 261)],
)
def test_the_sidebar_says_how_many_tokens_follow(size, fit, grid, tokens):
    app = explore(image="pagoda", size=size, fit=fit)
    assert f"{grid} = {tokens - 1} patches + class token = {tokens} tokens" in texts(app)


def test_choices_survive_moving_between_pages():
    app = start()
    app.selectbox(key="size").set_value(280).run()
    app.selectbox(key="fit").set_value("pad").run()
    app.switch_page("pages/explore.py").run()
    assert (app.selectbox(key="size").value, app.selectbox(key="fit").value) == (280, "pad")
    app.switch_page("pages/start.py").run()
    assert (app.selectbox(key="size").value, app.selectbox(key="fit").value) == (280, "pad")
    assert query(app) == {"image": "cat", "model": "dinov2-small", "size": "280", "fit": "pad"}


def test_a_link_opens_its_view_and_stays_in_the_address():
    link = {
        "image": "coffee",
        "model": "dinov2-small",
        "size": "280",
        "fit": "squash",
        "layer": "7",
        "head": "3",
        "query": "4-9",
        "direction": "to",
        "scale": "raw",
    }
    app = explore(**link)
    assert query(app) == link
    assert View(6, 2, 1 + 3 * 20 + 8).label(state.trace(choice_of(app))) in texts(app)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("image", "../../etc/passwd"),
        ("model", "gpt"),
        ("size", "-14"),
        ("size", "225"),
        ("fit", "<b>"),
        ("layer", "13"),
        ("head", "nan"),
        ("query", "17-1"),
        ("query", "9" * 5000),
        ("direction", ""),
        ("scale", "log"),
        ("layr", "3"),
    ],
)
def test_nonsense_in_a_link_is_left_out_with_a_notice(parameter, value):
    app = explore(**{parameter: value})
    assert not app.exception
    assert len(app.warning) == 1
    assert parameter in app.warning[0].value.replace("\\", "")
    assert app.session_state.picked.name == "cat"
    assert query(app).get(parameter) != value
    assert not app.run().warning, "said once"


@pytest.mark.parametrize("parameter", ["utm_source", "fbclid", "gclid", "ref", "__theme"])
def test_what_others_put_into_a_link_is_dropped_without_a_word(parameter):
    app = explore(**{parameter: "mail"}, layer="3")
    assert not app.exception
    assert not app.warning
    assert parameter not in query(app)
    assert query(app)["layer"] == "3"


def test_a_link_cannot_put_markdown_on_the_page():
    app = explore(image="![x](https://a.org/x) :red[!] <b>")
    assert r"\!\[x\]\(https\://a.org/x\) \:red\[\!\] \<b\>" in app.warning[0].value


def test_an_upload_is_looked_at_and_is_not_in_the_link():
    app = explore()
    dropped(app, "sidebar_upload", "mine.png", picture(), "image/png")
    assert not app.exception
    assert not app.error
    assert app.session_state.picked.name == "mine.png"
    assert query(app)["image"] == "own"
    assert "mine.png" in " ".join(placed(app, "own_image_kept"))


HOSTILE = {
    "empty": (b"", "empty"),
    "text": (b"<?php system('id'); ?>", "not an image"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "SVG"),
    "half a photo": (picture(256)[:3000], "damaged"),
    "tiny": (picture(4), "8"),
    "long": (None, "20"),
    "bomb": (None, "megapixels"),
}


@cache_result
def hostile(name: str) -> bytes:
    data, _ = HOSTILE[name]
    if data is None:
        buffer = io.BytesIO()
        Image.new("1", (30_000, 30_000) if name == "bomb" else (2100, 100)).save(buffer, "PNG")
        return buffer.getvalue()
    return data


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("page", [start, explore])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_hostile_upload_is_refused_in_a_sentence_and_changes_nothing(page, name):
    app = page(image="rocket")
    dropped(app, "start_upload" if page is start else "sidebar_upload", "evil.png", hostile(name), "image/png")
    assert not app.exception
    said = app.error[0].value
    assert HOSTILE[name][1] in said
    assert "Traceback" not in said
    assert app.session_state.picked.name == "rocket"


def test_a_problem_is_forgotten_with_the_next_good_image():
    app = explore()
    dropped(app, "sidebar_upload", "evil.png", b"no", "image/png")
    assert app.error
    dropped(app, "sidebar_upload", "good.png", picture(), "image/png")
    assert not app.error


def test_a_drop_zone_names_no_file_that_is_not_shown():
    app = explore(image="rocket")
    for name, data in (("mine.png", picture()), ("evil.png", b"no")):
        dropped(app, "sidebar_upload", name, data)
        assert {widget.value for widget in app.file_uploader} == {None}
        assert app.session_state.picked.name == "mine.png"
        assert "mine.png" in " ".join(placed(app, "own_image_kept"))
    assert not placed(explore(image="rocket"), "own_image_kept")


def test_the_camera_takes_a_photo():
    app = start()
    app.toggle(key="camera_on").set_value(True).run()
    app.camera_input(key="camera").upload("photo.jpg", picture(kind="JPEG"), "image/jpeg").run()
    assert not app.exception
    assert app.session_state.picked.name == "camera"


def test_what_was_done_to_an_image_is_said():
    notes = [caption.value for caption in explore().sidebar.caption]
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    app = explore()
    dropped(app, "sidebar_upload", "two.gif", buffer.getvalue(), "image/gif")
    assert state.prepared(choice_of(app)).notes
    assert set(state.prepared(choice_of(app)).notes) <= {one.value for one in app.sidebar.caption} - set(notes)


def test_a_failing_model_is_said_in_one_sentence(monkeypatch):
    def broken(name):
        raise state.zoo.ModelError("The weights of 'x' are missing.")

    cache.clear()
    monkeypatch.setattr(state.zoo, "shared", broken)
    app = start()
    assert not app.exception
    app = explore(image="flower", size="336")
    assert not app.exception
    assert app.error[0].value == "The weights of 'x' are missing."


def test_visitors_who_look_at_the_same_thing_share_one_forward_pass(monkeypatch):
    passes = []
    forward = VisionTransformer.forward
    monkeypatch.setattr(VisionTransformer, "forward", lambda *args: passes.append(1) or forward(*args))
    cache.clear()
    for layer in ("3", "5"):
        assert not explore(image="astronaut", size="280", layer=layer).exception
    assert len(passes) == 1


@pytest.mark.parametrize("size", [224, 448])
def test_size_and_fit_can_be_changed_to_and_fro_while_exploring(size):
    app = explore(image="rocket", size=str(size), query="3-3")
    for name, value in (("size", 280), ("size", 448), ("fit", "native"), ("size", 224), ("fit", "crop"), ("size", 280)):
        app.selectbox(key=name).set_value(value).run()
        assert not app.exception
        assert "query" not in query(app), "a pin on one grid is another place on the next"
        trace = state.trace(choice_of(app))
        assert f"{token_label(trace, 0)}, {View(0).direction_label(trace)}" in texts(app)


def test_start_has_one_place_for_images_and_one_button_for_each_guide():
    app = start()
    assert [one.key.rpartition("_")[0] for one in app.get("file_uploader") if not one.key.startswith("own_")] == [
        "start_upload"
    ]
    keys = [button.key for button in app.button]
    assert keys.count("start_tour") == keys.count("start_lesson") == 1
    assert "sidebar_tour" not in keys


@pytest.mark.parametrize(("box", "other"), [("size", 280), ("fit", "squash"), ("model", "digits"), ("model", "more")])
def test_a_setting_may_be_heard_together_with_a_click_that_chooses_another_model(box, other):
    """A click while the page is still drawn: Streamlit then handles both in one run."""
    app = start()
    app.selectbox(key=box).set_value(other)
    app.button(key="start_draw").click().run()
    assert not app.exception
    assert choice_of(app).model == "digits"
    assert choice_of(app).size == 32
