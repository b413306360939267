"""Stated architectures that contradict the weights, and the advice in the error message."""

import argparse

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import close, pixels, randomised, saved
from tests.support.facts import mentions
from tests.support.image_files import assert_one_sentence
from vitviz import ModelError

NAME = "vit_tiny_patch16_224"
NARROW = {"img_size": 64, "patch_size": 8, "embed_dim": 96, "depth": 4, "num_heads": 3, "num_classes": 3}
WRONG = {
    "depth": 5,
    "num_classes": 5,
    "img_size": 128,
    "patch_size": 16,
    "embed_dim": 192,
    "mlp_ratio": 2,
    "reg_tokens": 1,
    "class_token": False,
    "qkv_bias": False,
    "init_values": 0.1,
    "qk_norm": True,
    "in_chans": 1,
    "num_heads": 5,
}


@pytest.fixture(scope="module")
def narrow():
    """A ViT with an embed_dim other than that of the timm architecture of this name."""
    return randomised(TimmViT(**NARROW))


def told(model, **changed):
    """A checkpoint that stores the architecture and its arguments."""
    args = argparse.Namespace(model=NAME, img_size=64, model_kwargs=changed or None)
    return {"model": model.state_dict(), "args": args}


@pytest.mark.parametrize("option", WRONG)
def test_what_a_caller_says_is_refused_if_the_weights_contradict_it(option, narrow, tmp_path):
    path = saved(tmp_path / "best.pth", narrow.state_dict())
    with pytest.raises(ModelError) as caught:
        vitviz.load(path, arch=NAME, arch_kwargs=NARROW | {option: WRONG[option]})
    assert_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    "said", [NARROW, NARROW | {"img_size": [64, 64], "mlp_ratio": 4.0}, {"embed_dim": 96, "num_heads": 3}]
)
def test_what_the_weights_bear_out_is_no_contradiction(said, narrow, tmp_path):
    path = saved(tmp_path / "best.pth", narrow.state_dict())
    assert close(vitviz.load(path, arch=NAME, arch_kwargs=said)(pixels()), narrow(pixels()))
    without = vitviz.load(path, arch=NAME, arch_kwargs=said, classes=0)  # num_classes has no effect
    assert without.config.num_classes == 0


@pytest.mark.parametrize("option", ["depth", "mlp_ratio", "reg_tokens"])
def test_what_a_script_notes_and_the_weights_contradict_is_a_note(option, narrow, tmp_path):
    noted = {"embed_dim": 96, "num_heads": 3}
    fits = vitviz.load(saved(tmp_path / "a.pth", told(narrow, **noted)))
    assert not any(option in note for note in fits.notes)
    wrong = vitviz.load(saved(tmp_path / "b.pth", told(narrow, **noted, **{option: WRONG[option]})))
    assert any(f"{option}={WRONG[option]}" in note for note in wrong.notes)
    assert close(wrong(pixels()), narrow(pixels()))


def test_each_advice_on_an_unusual_width_leads_to_the_model(narrow, tmp_path):
    plain, named = (saved(tmp_path / f"{i}.pth", held) for i, held in enumerate((narrow.state_dict(), told(narrow))))
    for path, said in ((plain, {}), (plain, {"arch": NAME}), (named, {})):
        with pytest.raises(ModelError, match="num_heads=") as caught:
            vitviz.load(path, **said)
        assert_one_sentence(str(caught.value))
        assert close(vitviz.load(path, **said, num_heads=3)(pixels()), narrow(pixels()))


def test_the_advice_on_positions_that_are_no_square_leads_to_the_model(tmp_path):
    theirs = randomised(timm.create_model("vit_small_patch16_224", img_size=(32, 48), depth=1, num_classes=3))
    path = saved(tmp_path / "best.pth", theirs.state_dict())
    with pytest.raises(ModelError, match=mentions("arch='vit_small_patch16_224'", "arch_kwargs={'img_size'")):
        vitviz.load(path)
    ours = vitviz.load(path, arch="vit_small_patch16_224", arch_kwargs={"img_size": (32, 48)})
    random = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(2))
    assert close(ours(random), theirs(random))


def test_heads_are_taken_from_an_architecture_of_the_same_width_alone(tmp_path):
    weights = hugging_face.random_weights("vit")
    path = saved(tmp_path / "best.pth", weights)
    assert close(vitviz.load(path, arch=NAME)(pixels()), hugging_face.forward(weights, pixels()))
    with pytest.raises(ModelError, match="num_heads="):
        vitviz.load(path, arch="vit_small_patch16_224")
    assert vitviz.load(path, arch="vit_small_patch16_224", num_heads=6).config.num_heads == 6
