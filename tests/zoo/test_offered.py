"""Checkpoints that a server offers: those in its folder, and no other file, whatever name a user requests."""

import os

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

from tests.support.facts import mentions
from vitviz import ModelError, zoo
from vitviz.zoo.model_cache import ModelCache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of offered checkpoints, and a secret file beside it."""
    model = TimmViT(img_size=32, patch_size=16, embed_dim=192, depth=1, num_heads=3, num_classes=2)
    folder = tmp_path / "offered"
    for name in ("best.pth", "run7/last.pth", ".hidden/a.pth", "run7/.b.pth", "../secret/key.pth"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), folder / name)
    (folder / "notes.txt").write_text("not a checkpoint")
    (folder / "empty.pth").mkdir()
    (folder / "way_out.pth").symlink_to(tmp_path / "secret" / "key.pth")
    (folder / "out").symlink_to(tmp_path / "secret", target_is_directory=True)
    (folder / "inside.pth").symlink_to(folder / "best.pth")
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(folder))
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 2))
    return folder


def test_what_is_in_the_folder_is_on_offer(folder):
    assert zoo.checkpoints() == ("best.pth", "inside.pth", "run7/last.pth")
    assert zoo.load_offered("run7/last.pth").config.num_classes == 2
    assert zoo.shared("best.pth") is zoo.shared("best.pth")
    assert zoo.shared("best.pth").name == "best"


def test_a_folder_that_is_itself_a_link(folder, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path / "link"))
    assert zoo.checkpoints() == ("best.pth", "inside.pth", "run7/last.pth")


ELSEWHERE = [
    "../secret/key.pth",
    "run7/../../secret/key.pth",
    "run7/../best.pth",
    "way_out.pth",
    "out/key.pth",
    "./best.pth",
    ".hidden/a.pth",
    "run7/.b.pth",
    "notes.txt",
    "empty.pth",
    "best.pth\0",
    "",
    ".",
    "/etc/passwd",
]


@pytest.mark.parametrize("name", [b"\xff.pth", b"two\nlines.pth", b"\xe2\x80\xae.pth"])
def test_names_that_no_page_or_link_could_hold_are_left_out(name, folder):
    path = os.path.join(os.fsencode(folder), name)
    try:
        with open(path, "wb"):
            pass
    except OSError:
        pytest.skip("this file system has no such names")
    assert zoo.checkpoints() == ("best.pth", "inside.pth", "run7/last.pth")


@pytest.mark.parametrize("name", [*ELSEWHERE, "{folder}/best.pth", "{folder}/../secret/key.pth"])
def test_nothing_else_is(name, folder):
    name = name.format(folder=folder)
    with pytest.raises(ModelError, match=mentions("checkpoint", "'best.pth'", "'inside.pth'", "'run7/last.pth'")):
        zoo.load_offered(name)
    with pytest.raises(ModelError, match=r"; .+, .+, .+"):
        zoo.shared(name)


@pytest.mark.parametrize("value", [None, "", "no such folder"])
def test_without_a_folder_nothing_is_on_offer(value, folder, monkeypatch):
    if value is None:
        monkeypatch.delenv("VITVIZ_CHECKPOINT_DIR")
    else:
        monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", value)
    assert zoo.checkpoints() == ()
    with pytest.raises(ModelError, match=mentions("checkpoint", "'best.pth'", "model")):
        zoo.load_offered("best.pth")


def test_what_a_training_run_leaves_beside_its_weights_is_not_on_offer(folder):
    for name in ("optimizer.pt", "scheduler.pt", "rng_state_0.pth", "training_args.bin", "pytorch_model.bin"):
        (folder / "run7" / name).write_bytes(b"x")
    assert zoo.checkpoints() == ("best.pth", "inside.pth", "run7/last.pth", "run7/pytorch_model.bin")


def test_a_file_that_has_changed_is_read_again(folder):
    before = zoo.shared("best.pth")
    assert zoo.shared("best.pth") is before
    assert zoo.is_loaded(before)
    weights = {key: value + 1 for key, value in torch.load(folder / "best.pth", weights_only=True).items()}
    torch.save({"state_dict": weights}, folder / "best.pth")  # another size, in case the time is the same
    after = zoo.shared("best.pth")
    assert torch.allclose(after.head.bias, before.head.bias + 1)
    assert zoo.loaded() == ("best.pth", "best.pth")
