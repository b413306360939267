"""Options of a checkpoint: preprocessing, size, architecture; and the assumptions if they are not given."""

import argparse
import warnings

import numpy as np
import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import SHAPE, close, pixels, randomised, saved, trainer_folder
from tests.support.image_files import assert_one_sentence, noise
from vitviz import ModelError, VitvizWarning
from vitviz.images import Preprocessing
from vitviz.viz import provenance
from vitviz.zoo.options import PREPROCESSING_OPTIONS

HALF = (0.5, 0.5, 0.5)


def notes_on_pixels(model):
    """Notes on assumptions about the preprocessing."""
    return [note for note in model.notes if note.startswith("Preprocessing assumed")]


def assumed(model):
    """Options mentioned in the note."""
    return {name for name in PREPROCESSING_OPTIONS for note in notes_on_pixels(model) if f"{name}=" in note}


# --- From the caller -------------------------------------------------------------------------------------------------


def test_what_is_said_is_used_and_not_assumed(original, tmp_path):
    path = saved(tmp_path / "best.pth", original.state_dict())
    said = {"mean": 0.5, "std": np.float32([0.5, 0.25, 0.125]), "interpolation": "BILINEAR", "crop_pct": 0.9}
    ours = vitviz.load(path, **said, fit="squash", size=96)
    assert ours.preprocessing == Preprocessing(HALF, (0.5, 0.25, 0.125), "bilinear", 0.9, "squash", size=96)
    assert notes_on_pixels(ours) == []
    assert ours.trace(noise(40, 40)).grid == (6, 6), "the size is the default of trace"
    assert ours.trace(noise(40, 40), size=32).grid == (2, 2), "and trace may be asked for another"
    partly = vitviz.load(path, mean=0.5, std=0.5)
    assert partly.preprocessing == Preprocessing(HALF, HALF)
    assert assumed(partly) == {"interpolation", "crop_pct", "fit"}


def test_what_a_caller_says_wins_over_the_file(tmp_path):
    weights = hugging_face.random_weights()
    folder = trainer_folder(tmp_path / "run", weights, preprocessor={"size": 64, "image_mean": [0.1] * 3})
    assert vitviz.load(folder).preprocessing.mean == (0.1,) * 3
    ours = vitviz.load(folder, mean=0.2, crop_pct=0.8)
    assert (ours.preprocessing.mean, ours.preprocessing.crop_fraction) == ((0.2,) * 3, 0.8)
    assert ours.preprocessing.centre == "floor"
    assert notes_on_pixels(ours) == []


def test_a_grey_model_takes_one_number(tmp_path):
    theirs = randomised(TimmViT(**SHAPE, in_chans=1))
    path = saved(tmp_path / "best.pth", theirs.state_dict())
    assert vitviz.load(path, mean=0.2, std=(0.3,)).preprocessing.mean == pytest.approx((0.2,))
    with pytest.raises(ModelError, match="means"):
        vitviz.load(saved(tmp_path / "b.pth", randomised(TimmViT(**SHAPE)).state_dict()), mean=[0.1, 0.2], std=[1, 1])


def test_arguments_of_an_architecture(tmp_path):
    options = {"global_pool": "avg", "num_heads": 4, "fc_norm": False}
    theirs = randomised(timm.create_model("test_vit", num_classes=3, img_size=64, **options))
    path = saved(tmp_path / "best.pth", theirs.state_dict())
    ours = vitviz.load(path, arch="test_vit", arch_kwargs=options)
    assert close(ours(pixels()), theirs(pixels()))
    del options["num_heads"]
    assert close(vitviz.load(path, arch="test_vit", arch_kwargs=options, num_heads=4)(pixels()), theirs(pixels()))


WRONG = {
    "mean of 255": {"mean": [123.7, 116.3, 103.5]},
    "mean as text": {"mean": "0.5"},
    "no mean": {"mean": []},
    "a mean that is no number": {"mean": float("nan")},
    "std of 0": {"std": [0.5, 0, 0.5]},
    "a truth": {"std": True},
    "other counts": {"mean": [0.5] * 3, "std": [0.5] * 2},
    "means for other channels": {"mean": [0.5] * 4, "std": [0.5] * 4},
    "interpolation": {"interpolation": "cubic"},
    "crop_pct in per cent": {"crop_pct": 95},
    "fit": {"fit": "center"},
    "size of other patches": {"size": 65},
    "size": {"size": (64, 64, 3)},
    "huge": {"size": 10**6},
    "num_heads": {"num_heads": "six"},
    "arch": {"arch": 3},
    "arch_kwargs without a name": {"arch_kwargs": {"global_pool": "avg"}},
    "arch_kwargs": {"arch": "vit_tiny_patch16_224", "arch_kwargs": ["global_pool=avg"]},
    "an unknown argument": {"arch": "vit_tiny_patch16_224", "arch_kwargs": {"colour": 1}},
    "a file": {"arch": "vit_tiny_patch16_224", "arch_kwargs": {"checkpoint_path": "/etc/passwd"}},
    "an impossible depth": {"arch": "vit_tiny_patch16_224", "arch_kwargs": {"depth": 10**9}},
    "heads twice": {"arch": "vit_tiny_patch16_224", "arch_kwargs": {"num_heads": 6}, "num_heads": 3},
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
def test_an_option_that_cannot_be_is_refused_in_a_sentence(said, original, tmp_path):
    path = saved(tmp_path / "best.pth", original.state_dict())
    with pytest.raises(ModelError) as caught:
        vitviz.load(path, **said)
    assert_one_sentence(str(caught.value))


@pytest.mark.parametrize("name", ["dinov2-small", "vit_tiny_patch16_224.augreg_in21k_ft_in1k"])
def test_what_is_known_of_a_model_is_not_said(name):
    with pytest.raises(ModelError, match="mean="):
        vitviz.load(name, mean=0.5)


# --- From the training script ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["test_vit", "my_own_vit"])
def test_arguments_of_the_training_are_read_whether_or_not_timm_has_the_architecture(model, original, tmp_path):
    theirs = timm.create_model("test_vit", num_classes=3) if model == "test_vit" else original
    args = {"model": model, "mean": HALF, "std": [0.25] * 3, "crop_pct": 0.8, "interpolation": "bilinear"}
    args |= {"img_size": 96, "crop_mode": "border", "input_size": None}
    for where, form in (("args", argparse.Namespace(**args)), ("hyper_parameters", args)):
        ours = vitviz.load(saved(tmp_path / "a.pth", {"state_dict": theirs.state_dict(), where: form}))
        assert ours.preprocessing == Preprocessing(HALF, (0.25,) * 3, "bilinear", 0.8, "pad", size=96)
        assert notes_on_pixels(ours) == []
        assert len(set(ours.trace(noise(60, 60)).grid)) == 1
    assert vitviz.load(tmp_path / "a.pth", size=64).preprocessing.size == 64


def test_what_timms_script_leaves_open_is_the_architectures(tmp_path):
    left_open = dict.fromkeys(("mean", "std", "crop_pct", "img_size", "input_size", "crop_mode"))
    args = argparse.Namespace(model="test_vit", interpolation="", **left_open)
    weights = timm.create_model("test_vit", num_classes=3).state_dict()
    ours = vitviz.load(saved(tmp_path / "a.pth", {"state_dict": weights, "arch": "test_vit", "args": args}))
    assert ours.preprocessing.mean == tuple(timm.get_pretrained_cfg("test_vit").mean)
    assert ours.notes == ()


@pytest.mark.parametrize("size", [{"img_size": [64, 128]}, {"input_size": [3, 64, 128]}, {"image_size": (64, 128)}])
@pytest.mark.parametrize("model", ["test_vit", "my_own_vit"])
def test_a_size_in_training_tells_a_grid_that_is_not_square(model, size, tmp_path):
    shape = {"num_classes": 3, "img_size": (64, 128)}
    theirs = timm.create_model("test_vit", **shape) if model == "test_vit" else TimmViT(**{**SHAPE, **shape})
    theirs = randomised(theirs)
    file = {"state_dict": theirs.state_dict(), "args": {"model": model, **size}}
    ours = vitviz.load(saved(tmp_path / "a.pth", file))
    assert ours.config.image_size == (64, 128)
    assert not any("square" in note for note in ours.notes)
    image = torch.randn(2, 3, 64, 128, generator=torch.Generator().manual_seed(2))
    assert close(ours(image), theirs(image))


@pytest.mark.parametrize("wrong", [{"mean": [123.7, 116.3, 103.5]}, {"std": "many"}, {"crop_pct": -3, "mean": 0.5}])
def test_arguments_that_make_no_sense_are_left_out_and_said(wrong, original, tmp_path):
    file = {"state_dict": original.state_dict(), "args": {"model": "mine", **wrong}}
    ours = vitviz.load(saved(tmp_path / "a.pth", file))
    name = next(iter(wrong))
    assert any(name in note and "left out" in note for note in ours.notes)
    assert name in assumed(ours)


# --- Assumed ---------------------------------------------------------------------------------------------------------

WHOSE = {
    "plain": (lambda path: saved(path / "a.pth", randomised(TimmViT(**SHAPE)).state_dict()), "ImageNet", {}),
    "named by a caller": (
        lambda path: saved(path / "a.pth", timm.create_model("test_vit", num_classes=2).state_dict()),
        "test_vit",
        {"arch": "test_vit"},
    ),
    "named by the file": (
        lambda path: saved(
            path / "a.pth",
            {"state_dict": timm.create_model("test_vit", num_classes=2).state_dict(), "arch": "test_vit"},
        ),
        "test_vit",
        {},
    ),
    "Hugging Face": (lambda path: trainer_folder(path / "run", hugging_face.random_weights()), "Hugging Face ViT", {}),
}


@pytest.mark.parametrize(("write", "whose", "options"), WHOSE.values(), ids=WHOSE)
def test_whose_preprocessing_is_assumed_is_said_once_everywhere(write, whose, options, tmp_path):
    path = write(tmp_path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ours = vitviz.load(path, **options)
    (note,) = notes_on_pixels(ours)
    assert whose in note
    assert_one_sentence(note)
    assert [str(one.message) for one in said if one.category is VitvizWarning] == list(ours.notes)
    facts = provenance.of_model(ours)
    assert facts["assumed"] == list(ours.notes)
    assert note in provenance.describe_model(ours, "A title")
    told = vitviz.load(path, **options, **{name: facts["preprocessing"][name] for name in PREPROCESSING_OPTIONS})
    assert told.preprocessing == ours.preprocessing, "what is shown can be said"
    assert notes_on_pixels(told) == []


def test_setting_a_preprocessing_ends_the_assumption(original, tmp_path):
    ours = vitviz.load(saved(tmp_path / "best.pth", original.state_dict()), num_heads=3)
    rest = [note for note in ours.notes if note not in notes_on_pixels(ours)]
    ours.preprocessing = Preprocessing(HALF, HALF)
    assert list(ours.notes) == rest


def test_a_model_in_memory_that_tells_nothing_of_its_pixels(original):
    with pytest.warns(VitvizWarning, match="Preprocessing assumed: ImageNet"):
        ours = vitviz.from_timm(original)
    assert len(ours.notes) == 1
    with pytest.warns(VitvizWarning, match="Preprocessing assumed: timm's test_vit"):  # its weights have 1000 classes
        (note,) = vitviz.from_timm(timm.create_model("test_vit", num_classes=2)).notes
    assert all(value in note for value in ("mean 0.5,", "std 0.5,", "bicubic", "crop_pct 0.95")), note
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert vitviz.from_timm(timm.create_model("test_vit")).notes == ()


# --- Class names -----------------------------------------------------------------------------------------------------


def test_class_names_of_a_model_in_memory(original, tmp_path):
    (tmp_path / "names.txt").write_text("a\nb\nc\nd\ne\n")
    by_number = {"e": 4, "a": 0, "b": 1, "c": 2, "d": 3}
    for classes in (list("abcde"), by_number, dict(enumerate("abcde")), tmp_path / "names.txt"):
        assert vitviz.from_timm(original, classes=classes).labels == tuple("abcde")
    assert vitviz.from_timm(original, classes=5).labels == ()
    for wrong in (["a"], {"a"}, 4, "none.txt", 0.5):
        with pytest.raises(ModelError):
            vitviz.from_timm(original, classes=wrong)
