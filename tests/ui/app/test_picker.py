"""Choosing a model in the app: what is here, what needs a download, and what goes wrong."""

import threading

import pytest

import vitviz
from tests.support.app_pages import choice_of, explore, query, start, texts
from tests.support.exhaustive import exhaustive
from tests.support.facts import assert_mentions
from tests.support.local_hub import NAME, point_at
from vitviz import zoo
from vitviz.analysis.predictions import predictions
from vitviz.ui.app import catalogue, models, state
from vitviz.ui.app.jobs import background, queue

pytestmark = pytest.mark.usefixtures("empty_model_cache")


def open_catalogue(app):
    app.selectbox(key="model").select("more").run()
    assert app.selectbox(key="model").value == choice_of(app).model, "opening it changes nothing"


def test_only_what_is_here_is_in_the_box():
    app = explore()
    assert app.selectbox(key="model").options == [*(models.title(name) for name in zoo.SHIPPED), "More models …"]


def test_the_catalogue_says_what_each_model_is_and_what_a_download_costs():
    app = start()
    open_catalogue(app)
    said = texts(app).replace("\\", "")
    for entry in zoo.CURATED.values():
        assert entry.title in said
        assert entry.summary in said
        assert f"{entry.parameters / 1e6:,.1f} M parameters" in said
        assert app.button(key=f"use_{entry.name}").label == f"Download {models.megabytes(4 * entry.parameters)}"
    assert app.button(key="use_dinov2-small").disabled, "it is in use"
    assert not app.exception


def test_a_found_model_is_downloaded_and_its_predictions_are_the_librarys(server):
    app = explore(image="coffee")
    open_catalogue(app)
    app.text_input(key="model_search").set_value("test_vit r160 in1k").run()
    assert app.button(key=f"use_{NAME}").label == "Download 1 MB"
    app.button(key=f"use_{NAME}").click().run()
    assert not app.exception
    assert query(app)["model"] == NAME
    expected = predictions(vitviz.load(NAME).trace(state.samples()["coffee"], size=160))
    shown = "".join(element.proto.body for element in app.get("html"))
    for one in expected:
        assert f'data-class="{one.label}" data-probability="{one.probability:.9f}"' in shown
    assert app.selectbox(key="size").value == 160


def test_a_download_that_fails_is_said_and_can_be_tried_again(server):
    server.status["GET"] = 500
    app = explore()
    open_catalogue(app)
    app.text_input(key="model_search").set_value("test_vit r160 in1k").run()
    app.button(key=f"use_{NAME}").click().run()
    assert not app.exception
    assert len(app.error) == 1
    assert_mentions(app.error[0].value.replace("\\", ""), "download", repr(NAME), "HfHubHTTPError")
    assert query(app)["model"] == "dinov2-small"
    del server.status["GET"]
    app.button(key=f"use_{NAME}").click().run()
    assert query(app)["model"] == NAME


def test_a_download_goes_on_behind_a_closed_catalogue_and_ends_when_it_is_stopped(server, monkeypatch):
    go, real = threading.Event(), zoo.shared

    def slow(name, progress=None):
        if progress is not None:
            progress(10**6, 2 * 10**6)
            assert go.wait(60)
            progress(2 * 10**6, 2 * 10**6)
        return real(name, progress)

    monkeypatch.setattr(zoo, "shared", slow)
    monkeypatch.setattr(catalogue, "_downloaded", {})
    monkeypatch.setattr(background, "set_dialog", lambda _: setattr(background._session(), "dialog", "another"))
    app = explore()
    open_catalogue(app)
    app.text_input(key="model_search").set_value("test_vit r160 in1k").run()
    app.button(key=f"use_{NAME}").click().run()
    (job,) = queue.downloads()._jobs.values()
    app.session_state["catalogue"] = False
    app.run()
    assert f"use_{NAME}" not in [button.key for button in app.button]
    assert not job.has_ended
    open_catalogue(app)
    app.text_input(key="model_search").set_value("test_vit r160 in1k").run()
    assert app.button(key=f"use_{NAME}").label == "Stop"
    app.button(key=f"use_{NAME}").click().run()
    go.set()
    assert job._ended.wait(60)
    assert isinstance(job.error, queue.AbandonedError)
    assert app.run().button(key=f"use_{NAME}").label.startswith("Download")
    assert not zoo.is_on_disk(NAME)
    assert NAME in catalogue._downloaded, "some of it may be on the disk"


@pytest.mark.parametrize(
    ("done", "came", "seconds", "words"),
    [
        (100, 50, 10, "100 MB of 350 MB, about 50\u00a0s left"),  # the other half was here before
        (100, 0, 10, "100 MB of 350 MB"),
        (100, 50, 0.01, "100 MB of 350 MB"),
        (350, 50, 10, "350 MB of 350 MB"),
    ],
)
def test_the_rest_of_a_download_takes_as_long_as_its_speed_says(done, came, seconds, words):
    assert catalogue.format_progress(done * 10**6, 350 * 10**6, came * 10**6, seconds) == words


def test_offline_it_is_said_at_once_and_nothing_can_be_downloaded(cache):
    app = explore()
    open_catalogue(app)
    assert not app.exception
    assert "Offline" in app.warning[0].value
    downloads = [button for button in app.button if button.label.startswith("Download")]
    assert len(downloads) == len(zoo.CURATED)
    assert all(button.disabled for button in downloads)
    assert not app.button(key="use_digits").disabled, "what ships can be used"


@pytest.mark.exhaustive
def test_the_hub_is_asked_once_for_each_time_that_the_catalogue_is_opened(monkeypatch):
    asked, answers = [], [False, True]
    monkeypatch.setattr(zoo, "can_reach_hub", lambda: asked.append(1) or answers[len(asked) - 1])
    app = explore()
    assert not asked
    open_catalogue(app)
    app.text_input(key="model_search").set_value("dinov2").run()
    assert len(asked) == 1
    app.button(key="hub_again").click().run()
    assert len(asked) == 2
    assert not app.warning
    app.text_input(key="model_search").set_value("dinov3").run()
    assert len(asked) == 2
    assert not any(button.disabled for button in app.button if button.label.startswith("Download"))


def test_a_hub_that_is_lost_meanwhile_is_said(server):
    app = explore()
    open_catalogue(app)
    point_at_nothing = "http://127.0.0.1:1"
    with pytest.MonkeyPatch.context() as patch:
        point_at(patch, point_at_nothing)
        app.button(key="use_vit_small_patch14_dinov2.lvd142m").click().run()
    assert not app.exception
    assert len(app.error) == 1
    assert "vit_small_patch14_dinov2.lvd142m" in app.error[0].value.replace("\\", "")
    assert query(app)["model"] == "dinov2-small"


@pytest.mark.parametrize("text", ["Swin tiny", "mvitv2", *(exhaustive(name) for name in ("swin", "hiera", "pvt"))])
def test_a_search_for_a_hierarchical_model_says_why_it_is_refused(text, server):
    app = explore()
    open_catalogue(app)
    app.text_input(key="model_search").set_value(text).run()
    assert not app.exception
    assert "stage" in app.info[0].value
    app.text_input(key="model_search").set_value("dinov2").run()
    assert not app.info


@pytest.mark.parametrize("text", ["![x](https://a.org)", *(exhaustive(text) for text in ("no such model", "   ", "*"))])
def test_a_search_for_nothing_says_no_reason(text, server):
    app = explore()
    open_catalogue(app)
    app.text_input(key="model_search").set_value(text).run()
    assert not app.exception
    assert not app.info


@pytest.mark.parametrize(
    ("image_size", "patch", "expected"),
    [
        ((518, 518), 14, (224, 294, 336, 378, 448, 518)),
        ((224, 224), 16, (224, 288, 336, 384, 448, 512)),
        ((224, 224), 8, (224, 288)),
        ((32, 32), 4, (32,)),
        ((384, 384), 32, (224, 288, 320, 384, 448, 512)),
        ((1024, 768), 16, ((256, 192), 224, 288, 336, 384, 448, 512)),
    ],
)
def test_sizes_that_make_sense(image_size, patch, expected):
    assert models.sizes(vitviz.ViTConfig(image_size=image_size, patch_size=patch)) == expected
