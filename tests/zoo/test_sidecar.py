"""Sidecar files of a checkpoint: their options are used, and errors in them are reported."""

import os

import pytest
import torch

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import close, pixels, prefixed, saved, trainer_folder, zeros
from tests.support.facts import mentions
from tests.support.image_files import assert_one_sentence
from vitviz import ModelError, zoo
from vitviz.images import Preprocessing

ALL = """
arch_kwargs = {global_pool = "token"}
arch = "vit_tiny_patch16_224"
prefix = "b"
num_heads = 3
classes = ["ant", "bee", "cat", "dog", "fox"]
mean = [0.5, 0.4, 0.3]
std = 0.25
interpolation = "bilinear"
crop_pct = 0.9
fit = "squash"
size = [64, 96]
"""


@pytest.mark.parametrize(
    ("checkpoint", "beside"),
    [
        ("best.safetensors", "best.toml"),
        ("best.pth", "best.toml"),
        ("best.pth.tar", "best.toml"),
        ("epoch=3-loss=0.25.ckpt", "epoch=3-loss=0.25.toml"),
        ("best.pth", "vitviz.toml"),
        ("model.safetensors", "vitviz.toml"),
    ],
)
def test_every_option_may_stand_beside_a_checkpoint(checkpoint, beside, original, tmp_path):
    weights = original.state_dict()
    saved(tmp_path / checkpoint, {**prefixed(zeros(weights), "a."), **prefixed(weights, "b.")})
    (tmp_path / beside).write_text(ALL)
    for path in (tmp_path / checkpoint, tmp_path) if checkpoint == "model.safetensors" else (tmp_path / checkpoint,):
        ours = vitviz.load(path)
        assert ours.preprocessing == Preprocessing(
            (0.5, 0.4, 0.3), (0.25,) * 3, "bilinear", 0.9, "squash", size=(64, 96)
        )
        assert ours.labels == ("ant", "bee", "cat", "dog", "fox")
        assert ours.notes == ()
        assert close(ours(pixels()), original(pixels()))


def test_a_checkpoints_own_file_wins_over_the_folders_and_a_caller_over_both(original, tmp_path):
    path = saved(tmp_path / "best.pth", original.state_dict())
    other = saved(tmp_path / "other.pth", original.state_dict())
    (tmp_path / "vitviz.toml").write_text("mean = 0.1\nstd = 0.2")
    (tmp_path / "best.toml").write_text("mean = 0.3")
    assert vitviz.load(other).preprocessing.mean == (0.1,) * 3
    ours = vitviz.load(path)
    assert (ours.preprocessing.mean, ours.preprocessing.std) == ((0.3,) * 3, Preprocessing().std)
    assert vitviz.load(path, mean=0.4).preprocessing.mean == (0.4,) * 3


def test_class_names_in_a_file_that_it_names(original, tmp_path):
    path = saved(tmp_path / "best.pth", original.state_dict())
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\ne\n")
    (tmp_path / "best.toml").write_text('classes = "names.txt"')
    assert vitviz.load(path).labels == tuple("abcde")
    (tmp_path / "best.toml").write_text("classes = {fox = 4, ant = 0, bee = 1, cat = 2, dog = 3}")
    assert vitviz.load(path).labels == ("ant", "bee", "cat", "dog", "fox")


HOSTILE = {
    "an unknown option": b"lr = 0.1",
    "a wrong type": b'num_heads = "six"',
    "out of range": b"mean = [123.7, 116.3, 103.5]",
    "a date": b"crop_pct = 2020-01-01",
    "not a number": b"std = nan",
    "infinite": b"crop_pct = inf",
    "a table": b"[size]\nheight = 3",
    "not TOML": b"mean: 0.5",
    "half of it": b"mean = [0.5,",
    "no text": b"\xff\xfe\x00",
    "a control character": b'arch = "a\x1b[31m"',
    "nested": b"mean = " + b"[" * 50_000,
    "a long number": b"num_heads = " + b"9" * 50_000,
    "twice": b"num_heads = 3\nnum_heads = 3",
    "huge": b"# " + b"x" * 1_000_000,
    "a file elsewhere": b'classes = "../names.txt"',
    "an absolute file": b'classes = "/etc/passwd"',
    "no file": b'classes = "none.txt"',
    "a folder": b'classes = "."',
    "a file of no name": b'classes = "a\\u0000b"',
    "names that do not fit": b'classes = ["a"]',
    "an architecture that is none": b'arch = "no_such_vit"',
}


@pytest.mark.parametrize("beside", ["best.toml", "vitviz.toml"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_wrong_file_is_refused_in_a_sentence(text, beside, original, tmp_path):
    path = saved(tmp_path / "best.pth", original.state_dict())
    (tmp_path / beside).write_bytes(text)
    with pytest.raises(ModelError) as caught:
        vitviz.load(path)
    message = str(caught.value)
    assert_one_sentence(message.replace("TOMLDecodeError", ""))
    assert len(message) < 500
    assert message.isprintable()
    assert beside in message


@pytest.mark.parametrize("name", ["best.toml", "labels.txt"])
@pytest.mark.parametrize("kind", ["link", "dead link", "folder", "pipe"])
def test_what_is_no_file_of_this_folder_is_refused(name, kind, original, tmp_path):
    path = saved(tmp_path / "best.pth", original.state_dict())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("a\nb\nc\nd\ne\n")
    {
        "link": lambda: (tmp_path / name).symlink_to(tmp_path / "elsewhere" / "secret"),
        "dead link": lambda: (tmp_path / name).symlink_to(tmp_path / "elsewhere" / "nothing"),
        "folder": (tmp_path / name).mkdir,
        "pipe": lambda: os.mkfifo(tmp_path / name),
    }[kind]()
    with pytest.raises(ModelError, match=name.replace(".", r"\.")) as caught:
        vitviz.load(path)
    assert_one_sentence(str(caught.value))


def test_links_within_a_folder_and_in_the_cache_of_the_hub_are_followed(original, tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    saved(blobs / "1.safetensors", original.state_dict())
    (blobs / "2").write_text("a\nb\nc\nd\ne\n")
    (snapshot / "model.safetensors").symlink_to(blobs / "1.safetensors")
    (snapshot / "labels.txt").symlink_to(blobs / "2")
    assert vitviz.load(snapshot).labels == tuple("abcde")


# --- labels.txt ------------------------------------------------------------------------------------------------------


def test_class_names_in_the_folder(original, tmp_path):
    path = saved(tmp_path / "best.pth", original.state_dict())
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    assert vitviz.load(path).labels == tuple("abcde")
    assert vitviz.load(path, classes=list("vwxyz")).labels == tuple("vwxyz")
    assert vitviz.load(path, classes=0).config.num_classes == 0
    told = saved(tmp_path / "told.pth", {"state_dict": original.state_dict(), "class_names": list("vwxyz")})
    assert vitviz.load(told).labels == tuple("vwxyz"), "what the file says is surely of this model"
    (tmp_path / "labels.txt").write_text("a\nb\n")
    ours = vitviz.load(path)
    assert ours.labels == ()
    assert any("labels.txt" in note for note in ours.notes)


# --- Offered ---------------------------------------------------------------------------------------------------------


def test_an_offered_checkpoint_is_read_again_when_a_file_beside_it_changes(original, tmp_path, monkeypatch):
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    saved(tmp_path / "best.pth", original.state_dict())
    versions = {zoo.version("best.pth")}
    for name, text in (("labels.txt", "a"), ("vitviz.toml", "std = 0.5"), ("best.toml", "mean = 0.25\nstd = 0.5")):
        (tmp_path / name).write_text(text)
        versions.add(zoo.version("best.pth"))
    assert len(versions) == 4
    assert zoo.checkpoints() == ("best.pth",)
    assert zoo.load_offered("best.pth").preprocessing.mean == (0.25,) * 3


# --- Folders of a training run ---------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Folder of a Trainer that saved intermediate checkpoints, but not the final model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for step in (500, 1500, 1000):
        trainer_folder(tmp_path / "run" / f"checkpoint-{step}", hugging_face.random_weights())
    (tmp_path / "run" / "checkpoint-2000").mkdir()  # without weights
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["run", "./run", "run/"])
def test_a_folder_of_checkpoints_points_at_the_last(name, run):
    with pytest.raises(ModelError, match=mentions("checkpoint-500", "checkpoint-1000", "checkpoint-1500")) as caught:
        vitviz.load(name)
    assert_one_sentence(str(caught.value))
    assert vitviz.load(str(caught.value).rsplit("'", 2)[1]).name == "checkpoint-1500"


@pytest.mark.parametrize("place", [".", "checkpoint-1500"])
@pytest.mark.parametrize("best", ["run/checkpoint-1000", "C:\\\\runs\\\\run\\\\checkpoint-1000"])
def test_or_at_the_best(place, best, run):
    (run / place / "trainer_state.json").write_text(f'{{"best_model_checkpoint": "{best}"}}')
    with pytest.raises(ModelError, match=r"checkpoint-1000'"):
        vitviz.load(run)


@pytest.mark.parametrize("state", ["{", "[]", '{"best_model_checkpoint": null}', '{"best_model_checkpoint": "a/b"}'])
def test_a_state_that_says_nothing(state, run):
    (run / "trainer_state.json").write_text(state)
    with pytest.raises(ModelError, match=r"checkpoint-1500'"):
        vitviz.load(run)


def test_a_folder_that_is_called_as_a_model_is_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert vitviz.load("digits").config.num_classes == 10
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=mentions("'empty'", "folder")):
        vitviz.load("empty")


# --- Messages --------------------------------------------------------------------------------------------------------


def test_messages_name_the_file_with_its_suffix(tmp_path):
    for name in ("best.pth", "best.safetensors"):
        path = saved(tmp_path / name, {"blocks.0.norm1.weight": torch.ones(3), "other": torch.ones(2)})
        with pytest.raises(ModelError, match=name.replace(".", r"\.")):
            vitviz.load(path)
