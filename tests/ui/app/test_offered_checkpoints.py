"""Checkpoints that a server offers, in the app: chosen, changed, invalid or deleted."""

import gc
import weakref

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

from tests.support.app_pages import explore, query, start, texts
from vitviz import zoo
from vitviz.ui.app import models
from vitviz.zoo.model_cache import ModelCache

pytestmark = pytest.mark.usefixtures("empty_model_cache")


AROUND_PAGES = {"reach_script", "own_image", "own_image_part_image"}  # keys of components of every page


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """A server's own checkpoint, of two classes."""
    torch.manual_seed(0)
    model = TimmViT(img_size=64, patch_size=16, embed_dim=192, depth=2, num_heads=3, num_classes=2)
    (tmp_path / "checkpoints").mkdir()
    torch.save(model.state_dict(), tmp_path / "checkpoints" / "best.pth")
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path / "checkpoints"))
    return tmp_path / "checkpoints"


def test_what_was_assumed_of_a_checkpoint_stands_below_its_name(offered):
    app = explore(model="best.pth")
    (said,) = (caption for caption in app.sidebar.caption if "attention heads" in caption.value)
    assert "heads" in said.help
    assert "best.toml" in said.help.replace("\\", "")
    assert "num_heads=" not in said.help
    assert not any("attention heads" in caption.value for caption in explore().sidebar.caption)


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
    assert_says_only(explore(model=name), name)


@pytest.mark.parametrize("name", ["vit_small_patch14_dinov2.lvd142m", "nonsense", "resnet18"])
def test_a_link_opens_no_unknown_model_and_downloads_nothing(name, offered):
    app = explore(model=name)
    assert not app.exception
    assert len(app.warning) == 1
    assert name in app.warning[0].value.replace("\\", "")
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
    assert_says_only(app, "best.pth")
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
