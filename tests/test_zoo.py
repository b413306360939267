"""vitviz.zoo: what can be loaded, and what is said of the rest. No test uses a network."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import vitviz
from vitviz import ModelError, zoo
from vitviz.convert import build
from vitviz.images import Preprocessing

from .conftest import SMALL


def in_a_new_process(code, **environment):
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(vitviz.__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- What ships ------------------------------------------------------------------------------------------------------


def test_the_shipped_model_is_ready_to_use(model):
    assert (model.name, model.config.depth, model.config.heads, model.config.patch) == ("dinov2-small", 12, 6, 14)
    assert not model.training
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    assert {value.device.type for value in model.state_dict().values()} == {"cpu"}
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("entry", zoo.SHIPPED.values(), ids=zoo.SHIPPED)
def test_every_entry_is_complete(entry):
    assert zoo.SHIPPED[entry.name] is entry
    assert (zoo.assets() / "models" / entry.weights).is_file()
    assert entry.title
    assert entry.summary.endswith(".")
    assert 224 in entry.sizes
    assert all(size % entry.config.patch == 0 for size in entry.sizes)
    assert list(entry.sizes) == sorted(entry.sizes)


def test_the_shipped_model_knows_a_cat_from_a_rocket(model):
    """A cat is more like its mirror image than like a rocket: nonsense weights would not know."""

    def feature(image):
        output = model.trace(image).output
        return output / np.linalg.norm(output)

    cat, rocket = (Image.open(zoo.assets() / "images" / f"{name}.jpg") for name in ("cat", "rocket"))
    mirrored = cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert feature(cat) @ feature(mirrored) > 0.9
    assert feature(cat) @ feature(rocket) < 0.5


def test_missing_weights_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(zoo, "assets", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"weights of 'dinov2-small' are missing: assets/models/dinov2-small-patch14"):
        vitviz.load("dinov2-small")


def test_the_shipped_model_needs_neither_timm_nor_torchvision_nor_a_user_interface(photo):
    code = """
import os, sys, vitviz
print(*sorted({name.partition(".")[0] for name in sys.modules}))
print(vitviz.load("dinov2-small").trace(os.environ["PHOTO"]).attention(11, 3, 0).sum())
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    imported, total, used = in_a_new_process(code, PHOTO=str(photo)).splitlines()
    assert float(total) == pytest.approx(1, abs=1e-5)
    for modules in (imported.split(), used.split()):
        assert not {"timm", "torchvision", "streamlit", "plotly", "huggingface_hub"} & set(modules)
    assert "torch" in imported.split()


# --- Names that are not known ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("dinov2-smal", "dinov2-small"),
        ("DINOv2-small", "dinov2-small"),
        ("vit_base_patch16_225", "vit_base_patch16_224"),
        ("vit_base_patch16_224.augreg", "vit_base_patch16_224.augreg_in1k"),
        ("", None),
        ("no such thing \N{SNOWMAN}", None),
    ],
)
def test_an_unknown_name_gets_the_three_nearest(name, near):
    import timm

    with pytest.raises(ModelError) as caught:
        vitviz.load(name)
    sentence = re.fullmatch(r"There is no model (.*); the nearest names are (.*)\.", str(caught.value))
    nearest = sentence[2].split(", ")
    assert sentence[1] == repr(name)
    assert len(set(nearest)) == 3
    for found in nearest:
        assert found in zoo.SHIPPED or found in timm.list_pretrained() or timm.is_model(found)
    assert near is None or near in nearest


# --- Models of timm --------------------------------------------------------------------------------------------------


def test_a_timm_name_without_network_is_an_error_in_plain_words(tmp_path):
    code = """
import vitviz
for name in ("vit_tiny_patch16_224", "deit_tiny_patch16_224.fb_in1k", "vit_tiny_r_s16_p8_224", "resnet18"):
    try:
        vitviz.load(name)
    except vitviz.ModelError as error:
        print(error)
"""
    said = in_a_new_process(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path), TORCH_HOME=str(tmp_path)).splitlines()
    assert [re.sub(" could not .*", "", line) for line in said] == [
        "The weights of 'vit_tiny_patch16_224' are not on this disk and",
        "The weights of 'deit_tiny_patch16_224.fb_in1k' are not on this disk and",
        "patch_embed is HybridEmbed; only PatchEmbed can be represented exactly.",
        "ResNet is not timm's VisionTransformer, so this model cannot be converted.",
    ]
    assert said[0].endswith("without a network there are: dinov2-small.")


@pytest.fixture
def download(monkeypatch):
    """Stands in for the network: what timm asked for, and what it gets."""
    import timm

    create, download = timm.create_model, SimpleNamespace(asked=[], result=None)

    def create_or_pretend(name, pretrained=False, **options):
        if not pretrained:
            return create(name, **options)
        download.asked.append(name)
        if isinstance(download.result, Exception):
            raise download.result
        return download.result

    monkeypatch.setattr(timm, "create_model", create_or_pretend)
    return download


@pytest.mark.parametrize("error", [OSError("no route to host"), RuntimeError("no such weights"), TimeoutError()])
def test_a_failed_download_is_an_error_in_plain_words(download, error):
    download.result = error
    with pytest.raises(ModelError, match="'vit_tiny_patch16_224' are not on this disk") as caught:
        vitviz.load("vit_tiny_patch16_224")
    assert download.asked == ["vit_tiny_patch16_224"]
    assert caught.value.__cause__ is error


def test_a_downloaded_model_is_converted(download):
    import timm

    download.result = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=3).eval()
    ours = vitviz.load("vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    assert download.asked == ["vit_tiny_patch16_224.augreg_in21k_ft_in1k"]
    pixels = torch.ones(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(ours(pixels), download.result(pixels), rtol=1e-4, atol=1e-5)


def test_a_model_that_cannot_be_converted_is_not_downloaded(download):
    with pytest.raises(ModelError, match="norm_pre is LayerNorm"):
        vitviz.load("vit_base_patch16_clip_224.openai")
    assert download.asked == []


# --- Weights are checked ---------------------------------------------------------------------------------------------


def weights(**changes):
    """The weights of a small model; None removes one."""
    small = vitviz.VisionTransformer(SMALL).state_dict() | changes
    return {name: value for name, value in small.items() if value is not None}


def test_the_right_weights_are_kept_without_copying():
    given = weights()
    model = build(SMALL, given, name="mine", preprocessing=Preprocessing(crop_fraction=0.9))
    assert all(value.data_ptr() == given[name].data_ptr() for name, value in model.state_dict().items())
    assert (model.name, model.preprocessing.crop_fraction) == ("mine", 0.9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cls_token": None}, "cls_token is missing."),
        ({"extra": torch.zeros(2)}, "extra is not expected."),
        ({"norm.bias": torch.zeros(23)}, "norm.bias is (23,), not (24,)."),
        (
            {"head.weight": torch.zeros(24, 5), "cls_token": None, "b": torch.zeros(1)},
            "cls_token is missing; b is not expected; head.weight is (24, 5), not (5, 24).",
        ),
        ({str(i): torch.zeros(1) for i in range(5)}, "; ".join(f"{i} is not expected" for i in range(5)) + "."),
        (
            {str(i): torch.zeros(1) for i in range(17)},
            "; ".join(f"{i} is not expected" for i in range(5)) + " and 12 more.",
        ),
    ],
)
def test_wrong_weights_are_refused_by_name(changes, message):
    with pytest.raises(ModelError) as caught:
        build(SMALL, weights(**changes), name="mine", preprocessing=Preprocessing())
    assert str(caught.value) == f"These are not the weights of 'mine': {message}"


def test_weights_of_another_model_are_refused():
    with pytest.raises(ModelError, match=r"blocks\.2\..* is not expected.* and 9 more\."):
        build(replace(SMALL, depth=2), weights(), name="mine", preprocessing=Preprocessing())
