"""Choosing a model in the app: what is here, what needs a download, what a server offers, and what goes wrong."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from vitviz import zoo
from vitviz.predictions import predictions
from vitviz.ui import models, state
from vitviz.zoo.shelf import ModelShelf

from .local_hub import NAME
from .test_app import explore, query, start, texts


@pytest.fixture(autouse=True)
def empty_shelf(monkeypatch):
    """No model is in memory, and none stays there."""
    monkeypatch.setattr(zoo, "_shelf", ModelShelf(lambda: 2))
    state._trace.clear()


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
    assert app.selectbox(key="model").value == app.session_state.settings["model"], "opening it changes nothing"


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


def test_offline_it_is_said_which_models_are_here():
    app = explore()
    open_catalogue(app)
    app.button(key="use_vit_small_patch14_dinov2.lvd142m").click().run()
    assert not app.exception
    assert "not on this disk and the hub cannot be reached" in app.error[0].value.replace("\\", "")
    assert query(app)["model"] == "dinov2-small"


def test_a_checkpoint_that_the_server_offers(offered):
    app = explore()
    app.selectbox(key="model").select("best.pth").run()
    assert not app.exception
    assert query(app)["model"] == "best.pth"
    assert "4 × 4 = 16 patches + class token = 17 tokens" in texts(app)
    assert 'data-class="class 0"' in "".join(element.proto.body for element in app.get("html"))
    assert (app.selectbox(key="size").value, app.selectbox(key="size").options) == (64, ["64 px"])


def test_a_checkpoint_that_cannot_be_read_is_said_and_changes_nothing(offered):
    (offered / "broken.pth").write_bytes(b"PK\x03\x04 nothing")
    app = explore()
    app.selectbox(key="model").select("broken.pth").run()
    assert not app.exception
    assert "broken" in app.error[0].value
    assert query(app)["model"] == "dinov2-small"
    assert app.selectbox(key="model").value == "dinov2-small"


@pytest.mark.parametrize("name", ["../secret.pth", "vit_small_patch14_dinov2.lvd142m", "nonsense", "resnet18"])
def test_a_link_opens_no_other_path_and_downloads_nothing(name, offered):
    torch.save({}, offered.parent / "secret.pth")
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
    monkeypatch.setattr(zoo, "_shelf", ModelShelf(lambda: 1))
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
        ((1024, 768), 16, (224, 288, 336, 384, 448, 512)),
    ],
)
def test_sizes_that_make_sense(image_size, patch, expected):
    assert models.sizes(vitviz.ViTConfig(image_size=image_size, patch=patch)) == expected
