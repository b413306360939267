"""Checkpoint options of the command line, and the assumptions it prints."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models.vision_transformer import VisionTransformer as TimmViT

from tests.support.checkpoints import SHAPE, prefixed, randomised, zeros
from tests.support.command_line import CAT, objects, only_line
from vitviz.cli.checkpoint import as_typed


@pytest.mark.parametrize(
    ("python", "typed"),
    [
        ("pass num_heads=6, or mean=0.5.", "pass --num-heads 6, or --mean 0.5."),
        ("pass num_heads= with the number", "pass --num-heads with the number"),
        ("give arch='vit' and crop_pct=0.9.", "give --arch 'vit' and --crop-pct 0.9."),
        (
            "such as arch_kwargs={'img_size': (height, width), 'global_pool': 'avg'}.",
            "such as --arch-kwargs 'img_size=(height, width)' --arch-kwargs global_pool=avg.",
        ),
        ("the num_heads=6attention", "the num_heads=6attention"),
    ],
)
def test_advice_names_options_as_they_are_typed(python, typed):
    assert as_typed(python) == typed


@pytest.fixture(scope="module")
def theirs():
    return randomised(TimmViT(**{**SHAPE, "embed_dim": 384, "num_heads": 12}))


def test_heads_that_are_assumed_are_said_once_and_can_be_given(vit, theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "best.pth")
    asked = ("attention", CAT, "-m", str(tmp_path / "best.pth"), "--format", "npz", "--json")
    assumed = vit(*asked)
    assert assumed.exit_code == 0
    assert assumed.stderr.count("--num-heads") == 1
    assert "Warning" not in assumed.stderr
    given = vit(*asked, "--num-heads", "12")
    assert "heads" not in given.stderr
    assert objects(given)[0]["files"] != objects(assumed)[0]["files"], "another question writes another file"


def test_one_of_several_models_and_the_vit_alone(vit, theirs, tmp_path):
    weights = theirs.state_dict()
    both = {**prefixed(zeros(weights), "left."), **prefixed(weights, "right.")}
    torch.save(both | {"right.head.1.weight": torch.zeros(2, 5)}, tmp_path / "best.pth")
    asked = ["attention", CAT, "-m", str(tmp_path / "best.pth"), "--num-heads", "12", "--json"]
    assert "--prefix " in only_line(vit(*asked[:-1]))
    asked += ["--prefix", "right."]
    assert "--classes 0" in only_line(vit(*asked[:-3], "--prefix", "right."))
    assert vit(*asked, "--classes", "0").exit_code == 0


def test_class_names_from_a_file(vit, theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "best.pth")
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\ndog\nfox\n")
    asked = ("explain", CAT, "-m", str(tmp_path / "best.pth"), "--num-heads", "12", "--method", "legrad", "--json")
    result = vit(*asked, "--classes", str(tmp_path / "names.txt"), "--target", "dog")
    assert result.exit_code == 0, result.stderr
    assert "dog" in str(objects(result)[0])


def test_what_is_assumed_stands_in_every_file(vit, theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "best.pth")
    formats = ("--format", "png", "--format", "npz", "--format", "html", "--json")
    result = vit("attention", CAT, "-m", str(tmp_path / "best.pth"), *formats)
    (said,) = objects(result)
    (note,) = [note for note in said["assumed"] if note.startswith("Preprocessing assumed: ImageNet")]
    assert said["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    files = {Path(file).suffix: Path(file).read_bytes() for file in said["files"]}
    picture = Image.open(io.BytesIO(files[".png"]))
    assert note in json.loads(picture.text["vitviz"])["assumed"]
    assert note in json.loads(str(np.load(io.BytesIO(files[".npz"]))["metadata"]))["assumed"]
    page = files[".html"].decode()
    assert note in page.partition('<li id="')[0], "above the first image"


def test_options_of_pixels_and_of_the_architecture(vit, theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "best.pth")
    asked = ("attention", CAT, "-m", str(tmp_path / "best.pth"), "--size", "64", "--json")
    usual = vit(*asked)
    options = ("--mean", "0.5,0.4,0.3", "--std", "0.25", "--crop-pct", "0.9", "--interpolation", "bilinear")
    said = vit(*asked, *options)
    assert said.exit_code == 0, said.stderr
    assert objects(said)[0]["files"] != objects(usual)[0]["files"], "another question writes another file"
    assert objects(said)[0]["preprocessing"] == {
        "mean": [0.5, 0.4, 0.3],
        "std": [0.25] * 3,
        "interpolation": "bilinear",
        "crop_pct": 0.9,
        "fit": "crop",
    }
    padded = vit(*asked, "--fit", "pad")
    assert (objects(padded)[0]["fit"], objects(padded)[0]["preprocessing"]["fit"]) == ("pad", "pad")
    assert objects(padded)[0]["files"] != objects(usual)[0]["files"]
    arch = ("--arch", "vit_small_patch16_224", "--arch-kwargs", "num_heads=12", "--arch-kwargs", "global_pool=token")
    assert vit(*asked, *arch).exit_code == 0
    for wrong in (
        ("--mean", "half"),
        ("--std", "0.5,"),
        ("--mean", "120"),
        ("--crop-pct", "95"),
        ("--arch-kwargs", "x"),
    ):
        line = vit(*asked[:-1], *wrong)
        assert (line.exit_code == 0) == (wrong[1] == "0.5,")
        assert line.exit_code == 0 or len(line.stderr.splitlines()) == 1


def test_advice_names_options_as_they_are_typed_and_works(vit, theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "best.pth")
    asked = ("attention", CAT, "-m", str(tmp_path / "best.pth"), "--size", "64")
    wrong = vit(*asked, "--arch", "vit_base_patch16_224")
    assert wrong.exit_code == 2
    assert " --num-heads " in only_line(wrong)
    assert "num_heads=" not in only_line(wrong)
    assert "--crop-pct" in vit(*asked, "--arch", "vit_base_patch16_224", "--num-heads", "12").stderr
