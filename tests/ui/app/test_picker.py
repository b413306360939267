"""Choosing a model in the app: what is here, what needs a download, what a server offers, and what goes wrong."""

import gc
import threading
import weakref

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support.app_pages import choice_of, explore, query, start, texts
from tests.support.local_hub import NAME, point_at
from vitviz import zoo
from vitviz.analysis.predictions import predictions
from vitviz.ui.app import cache, catalogue, models, state
from vitviz.ui.app.jobs import background, queue
from vitviz.zoo.model_cache import ModelCache

AROUND_PAGES = {"reach_script", "own_image", "own_image_part_image"}  # keys of components of every page


@pytest.fixture(autouse=True)
def empty_shelf(monkeypatch):
    """No model is in memory, and none stays there."""
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 2))
    cache.clear()


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """A server's own checkpoint, of two classes."""
    torch.manual_seed(0)
    model = TimmViT(img_size=64, patch_size=16, embed_dim=192, depth=2, num_heads=3, num_classes=2)
    (tmp_path / "checkpoints").mkdir()
    torch.save(model.state_dict(), tmp_path / "checkpoints" / "best.pth")
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path / "checkpoints"))
    return tmp_path / "checkpoints"


def open_catalogue(app):
    app.selectbox(key="model").select("more").run()
    assert app.selectbox(key="model").value == choice_of(app).model, "opening it changes nothing"


def test_what_was_assumed_of_a_checkpoint_stands_below_its_name(offered):
    app = explore(model="best.pth")
    (said,) = (caption for caption in app.sidebar.caption if "attention heads" in caption.value)
    assert "heads" in said.help
    assert "best.toml beside the checkpoint" in said.help.replace("\\", "")
    assert "num_heads=" not in said.help
    assert not any("attention heads" in caption.value for caption in explore().sidebar.caption)


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
    assert "load it again to retry" in app.error[0].value
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
    assert "not on this disk and the hub cannot be reached" in app.error[0].value.replace("\\", "")
    assert query(app)["model"] == "dinov2-small"


@pytest.mark.parametrize("text", ["swin", "Swin tiny", "hiera", "pvt", "mvitv2"])
def test_a_search_for_a_hierarchical_model_says_why_it_is_refused(text, server):
    app = explore()
    open_catalogue(app)
    app.text_input(key="model_search").set_value(text).run()
    assert not app.exception
    assert "stage" in app.info[0].value
    app.text_input(key="model_search").set_value("dinov2").run()
    assert not app.info


@pytest.mark.parametrize("text", ["no such model", "![x](https://a.org)", "   ", "*"])
def test_a_search_for_nothing_says_no_reason(text, server):
    app = explore()
    open_catalogue(app)
    app.text_input(key="model_search").set_value(text).run()
    assert not app.exception
    assert not app.info


def test_a_checkpoint_that_the_server_offers(offered):
    app = explore()
    app.selectbox(key="model").select("best.pth").run()
    assert not app.exception
    assert query(app)["model"] == "best.pth"
    assert "4 × 4 = 16 patches + class token = 17 tokens" in texts(app)
    assert 'data-class="class 0"' in "".join(element.proto.body for element in app.get("html"))
    assert (app.selectbox(key="size").value, app.selectbox(key="size").options) == (64, ["64 px"])


def assert_says_only(app, *words):
    """An error is on the page, and nothing of any model: no sample, no settings, no numbers."""
    assert not app.exception
    (error,) = app.error
    assert all(word in error.value.replace("\\", "") for word in words), error.value
    assert not app.warning
    assert [box.key for box in app.selectbox] == ["model"]
    assert not app.sidebar.selectbox
    assert not app.get("html") or not any("data-class" in element.proto.body for element in app.get("html"))
    pictures = {element.key for element in app.get("bidi_component")} - AROUND_PAGES
    assert not pictures, "no picture of any model"


BROKEN = {
    "damaged": (lambda path: path.write_bytes(b"PK\x03\x04 nothing"), "is damaged"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "no model": (lambda path: torch.save({"a": torch.zeros(2)}, path), "cannot be determined"),
    "a wrong option beside it": (
        lambda path: (
            torch.save(TimmViT(img_size=32, embed_dim=192, depth=1, num_heads=3).state_dict(), path),
            path.with_suffix(".toml").write_text("num_heads = 5"),
        ),
        "heads is 5",
    ),
}


@pytest.mark.parametrize("page", [start, explore])
@pytest.mark.parametrize(("write", "why"), BROKEN.values(), ids=BROKEN)
def test_a_checkpoint_that_does_not_load_is_an_error_and_never_another_model(page, write, why, offered):
    write(offered / "broken.pth")
    by_link = page(model="broken.pth", image="rocket", size="64")
    by_box = page()
    by_box.selectbox(key="model").select("broken.pth").run()
    for app in (by_link, by_box):
        assert_says_only(app, "broken.pth", why)
        assert query(app)["model"] == "broken.pth", "the address is not that of another model"
        assert app.selectbox(key="model").value == "broken.pth"
        assert_says_only(app.run(), "broken.pth", why)
        app.selectbox(key="model").select("best.pth").run()
        assert not app.exception
        assert not app.error
        assert query(app)["model"] == "best.pth"
        assert app.sidebar.selectbox(key="size").value == 64


def test_a_mended_checkpoint_is_looked_at(offered):
    weights = (offered / "best.pth").read_bytes()
    (offered / "best.pth").write_bytes(weights[:1000])
    app = explore(model="best.pth")
    assert_says_only(app, "best.pth")
    (offered / "best.pth").write_bytes(weights)
    app.run()
    assert not app.error
    assert (query(app)["model"], app.selectbox(key="size").value) == ("best.pth", 64)


def test_the_app_is_told_options_in_a_file_beside_a_checkpoint(offered):
    (offered / "best.toml").write_text('arch = "vit_tiny_patch16_224"\nmean = 0.5\nstd = 0.5\nsize = 96\n')
    (offered / "labels.txt").write_text("ant\nbee\n")
    app = explore(model="best.pth")
    assert not app.exception
    assert app.selectbox(key="size").value == 96
    assert "6 × 6 = 36 patches" in texts(app)
    assert 'data-class="ant"' in "".join(element.proto.body for element in app.get("html"))
    assert any("interpolation" in caption.value for caption in app.sidebar.caption)
    assert not any("attention heads" in caption.value for caption in app.sidebar.caption)
    assert models.describe("best.pth").preprocessing.mean == (0.5, 0.5, 0.5)
    (offered / "best.toml").write_text('interpolation = "bilinear"\nsize = 32\nnum_heads = 3\n# another length')
    assert "2 × 2 = 4 patches" in texts(explore(model="best.pth"))


@pytest.mark.parametrize("name", ["../secret.pth", "gone.safetensors"])
def test_a_link_to_a_checkpoint_that_is_not_on_offer_is_an_error(name, offered):
    torch.save({}, offered.parent / "secret.pth")
    assert_says_only(explore(model=name), name, "offers no checkpoint")


@pytest.mark.parametrize("name", ["vit_small_patch14_dinov2.lvd142m", "nonsense", "resnet18"])
def test_a_link_opens_no_unknown_model_and_downloads_nothing(name, offered):
    app = explore(model=name)
    assert not app.exception
    assert "The link's model" in app.warning[0].value
    assert query(app)["model"] == "dinov2-small"


def test_a_link_to_a_model_that_is_here(offered):
    app = explore(model="best.pth", size="64", layer="2", head="3")
    assert not app.warning
    assert query(app)["model"] == "best.pth"
    assert "Layer 2, head 3" in texts(app)


def test_only_so_many_models_stay_in_memory(offered, monkeypatch):
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 1))
    app = explore()
    assert zoo.loaded() == ("dinov2-small",)
    app.selectbox(key="model").select("best.pth").run()
    assert zoo.loaded() == ("best.pth",)
    assert not app.exception
    app.selectbox(key="model").select("dinov2-small").run()
    assert zoo.loaded() == ("dinov2-small",)
    assert not app.exception


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


def shares(app):
    """Probabilities shown by the bars."""
    return [element.proto.body for element in app.get("html") if "data-probability" in element.proto.body]


def test_a_checkpoint_that_was_written_again_shows_its_new_numbers(offered):
    before = shares(explore(model="best.pth"))
    weights = torch.load(offered / "best.pth", weights_only=True)
    weights["head.bias"] += torch.tensor([3.0, 0.0])
    torch.save({"state_dict": weights}, offered / "best.pth")
    after = shares(explore(model="best.pth"))
    assert before != after


def test_a_checkpoint_that_is_gone_is_an_error_until_another_model_is_chosen(offered):
    app = explore(model="best.pth")
    (offered / "best.pth").unlink()
    app.run()
    assert_says_only(app, "best.pth", "offers no checkpoint")
    app.selectbox(key="model").select("dinov2-small").run()
    assert not app.error
    assert query(app)["model"] == "dinov2-small"


def test_a_checkpoint_that_became_another_model_is_looked_at_in_its_own_size(offered):
    app = explore(model="best.pth")
    other = TimmViT(img_size=70, patch_size=14, embed_dim=192, depth=2, num_heads=3, num_classes=2)
    torch.save(other.state_dict(), offered / "best.pth")
    app.run()
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="size").value == 70


def test_no_trace_of_a_dropped_model_stays(offered, monkeypatch):
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 1))
    explore(model="best.pth")
    model = weakref.ref(zoo.shared("best.pth"))
    explore(image="cat")
    gc.collect()
    assert model() is None


def test_a_pinned_patch_is_let_go_when_its_number_becomes_a_register(offered):
    torch.manual_seed(0)
    for registers in (0, 4):
        model = TimmViT(
            img_size=64, patch_size=16, embed_dim=192, depth=2, num_heads=3, num_classes=2, reg_tokens=registers
        )
        torch.save(model.state_dict(), offered / f"reg{registers}.pth")
    app = explore(model="reg0.pth", query="1-3", layer="1", head="1")
    assert query(app)["query"] == "1-3"
    app.selectbox(key="model").select("reg4.pth").run()
    assert "query" not in query(app)
    assert "class token" in texts(app)


def test_weights_that_are_not_numbers_are_said(offered):
    weights = torch.load(offered / "best.pth", weights_only=True)
    weights["head.bias"] += float("nan")
    torch.save(weights, offered / "nan.pth")
    app = explore(model="nan.pth")
    assert not app.exception
    assert "not finite" in app.error[0].value
