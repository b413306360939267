"""Checkpoints of training runs: each layout computes what its framework computes, and nothing in a file is ever run."""

import argparse
import json
import os
import pathlib
import pickle
import re
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from vitviz import ModelError
from vitviz.images import Preprocessing
from vitviz.zoo import restore
from vitviz.zoo.checkpoint import read_checkpoint

from . import hugging_face

SHAPE = {"img_size": 64, "patch_size": 16, "embed_dim": 192, "depth": 2, "num_heads": 3, "num_classes": 5}


def randomised(model):
    """A model whose parts all matter."""
    random = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random) / 5
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def original():
    """A small timm model, as a training run has it in memory."""
    return randomised(TimmViT(**SHAPE))


def pixels(side=64):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2))


def close(ours, expected):
    assert (expected[0] - expected[1]).abs().max() > 0.01
    return torch.allclose(ours, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def saved(path, weights):
    """Save as the suffix says; returns the path as text."""
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in weights.items()}, path)
    else:
        torch.save(weights, path)
    return str(path)


# --- Wrappers --------------------------------------------------------------------------------------------------------


def prefixed(weights, prefix):
    return {prefix + key: value for key, value in weights.items()}


def zeros(weights):
    return {key: torch.zeros_like(value) for key, value in weights.items()}


WRAPPERS = {
    "bare": lambda weights: weights,
    "state_dict": lambda weights: {"state_dict": weights, "epoch": 3, "optimizer": {"state": {0: torch.zeros(2)}}},
    "model": lambda weights: {"model": weights, "best": 0.5, "args": "vit"},
    "averaged weights win": lambda weights: {"model": zeros(weights), "model_ema": weights},
    "timm's averaged weights win": lambda weights: {"state_dict": zeros(weights), "state_dict_ema": weights},
    "a wrapper in a wrapper": lambda weights: {"model": {"state_dict": weights}},
    "DataParallel": lambda weights: prefixed(weights, "module."),
    "torch.compile": lambda weights: prefixed(weights, "_orig_mod."),
    "both": lambda weights: {"model": prefixed(weights, "module._orig_mod.")},
    "Lightning": lambda weights: {"state_dict": prefixed(weights, "model."), "pytorch-lightning_version": "2.0"},
    "compiled blocks": lambda weights: {
        key.replace("blocks.0.", "blocks.0._orig_mod."): weights[key] for key in weights
    },
    "a mask token": lambda weights: {**weights, "mask_token": torch.zeros(1, 192)},
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_what_a_training_script_wraps_around_weights_is_taken_off(wrap, original, tmp_path):
    ours = vitviz.load(saved(tmp_path / "last.pth", wrap(original.state_dict())))
    assert close(ours(pixels()), original(pixels()))
    assert (ours.name, ours.config.classes, ours.config.heads, ours.labels) == ("last", 5, 3, ())


@pytest.mark.parametrize("file", ["best.safetensors", "best.pt", "best.pth", "best.ckpt", "best.bin", "best.pth.tar"])
def test_every_suffix(file, original, tmp_path):
    path = saved(tmp_path / file, original.state_dict())
    assert close(vitviz.load(path)(pixels()), original(pixels()))
    assert close(vitviz.load(tmp_path / file)(pixels()), original(pixels()))


def test_the_old_format_of_pytorch(original, tmp_path):
    torch.save(original.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert close(vitviz.load(tmp_path / "old.pth")(pixels()), original(pixels()))


def test_half_precision_becomes_float32(original, tmp_path):
    halves = {key: value.half() for key, value in original.state_dict().items()}
    ours = vitviz.load(saved(tmp_path / "half.safetensors", halves))
    assert {value.dtype for value in ours.state_dict().values()} == {torch.float32}
    assert torch.equal(ours.head.weight, halves["head.weight"].float())


# --- The architecture ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"depth": 3, "patch_size": 8, "img_size": 24},
        {"embed_dim": 384, "num_heads": 6, "depth": 1},
        {"init_values": 0.5, "reg_tokens": 4, "no_embed_class": True},
        {"reg_tokens": 1},
        {"num_classes": 0, "qkv_bias": False},
        {"in_chans": 1, "mlp_ratio": 2.7},
    ],
)
def test_the_shape_of_a_plain_vit_is_read_from_its_keys(options, tmp_path):
    theirs = randomised(TimmViT(**{**SHAPE, **options}))
    ours = vitviz.load(saved(tmp_path / "best.safetensors", theirs.state_dict()))
    image = pixels(options.get("img_size", 64))[:, : options.get("in_chans", 3)]
    assert close(ours(image), theirs(image))


@pytest.mark.parametrize(
    "theirs",
    [
        TimmViT(**SHAPE, global_pool="avg"),
        TimmViT(**SHAPE, global_pool="avg", class_token=False, no_embed_class=True, reg_tokens=1),
        TimmViT(**SHAPE, global_pool="avg", class_token=False, fc_norm=False),
        VisionTransformerDistilled(**SHAPE),
    ],
    ids=["mean with a class token", "mean without one", "mean after the norm", "distilled"],
)
def test_how_features_are_pooled_is_read_from_the_keys(theirs, tmp_path, built_by_timm):
    theirs = randomised(theirs)
    vitviz.load(saved(tmp_path / "best.safetensors", theirs.state_dict()))
    assert torch.equal(built_by_timm[0](pixels()), theirs(pixels()))


@pytest.fixture
def built_by_timm(monkeypatch):
    """The timm models that are built on the way, whatever part of them can be converted."""
    built = []

    def keep(model):
        built.append(model)
        return SimpleNamespace(config=SimpleNamespace(classes=model.num_classes))

    monkeypatch.setattr(restore, "from_timm", keep)
    return built


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_tiny_patch16_224", {"num_classes": 7}),
        ("vit_tiny_patch16_224.augreg_in21k", {"num_classes": 0, "img_size": 64}),
        ("deit_tiny_distilled_patch16_224", {"num_classes": 3, "img_size": 64}),
        ("test_vit", {"num_classes": 4, "in_chans": 1}),
        ("eva02_tiny_patch14_224", {"num_classes": 2}),
        ("beit_base_patch16_224", {"num_classes": 2}),
    ],
)
def test_an_architecture_by_name(name, options, tmp_path, built_by_timm):
    import timm

    with torch.device("meta"):
        theirs = timm.create_model(name, **options)
    random = torch.Generator().manual_seed(4)
    weights = {key: torch.randn(value.shape, generator=random) for key, value in theirs.state_dict().items()}
    ours = vitviz.load(saved(tmp_path / "best.safetensors", weights), arch=name)
    found = built_by_timm[0].state_dict()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)
    assert ours.preprocessing.mean == tuple(timm.get_pretrained_cfg(name).mean)


@pytest.mark.parametrize(
    "note",
    [
        {"arch": "test_vit"},
        {"args": {"model": "test_vit"}},
        {"args": "test_vit"},
        {"args": argparse.Namespace(model="test_vit", lr=0.1)},  # timm's own training script
    ],
)
def test_an_architecture_that_the_file_names(note, tmp_path):
    import timm

    theirs = randomised(timm.create_model("test_vit", num_classes=4))
    ours = vitviz.load(saved(tmp_path / "best.pth", {"state_dict": theirs.state_dict(), **note}))
    assert (ours.config.heads, ours.config.width) == (2, 64)  # which no key tells
    assert close(ours(pixels(160)), theirs(pixels(160)))


def test_a_name_that_timm_does_not_know_is_left_aside(original, tmp_path):
    path = saved(tmp_path / "best.pth", {"state_dict": original.state_dict(), "arch": "our_vit"})
    assert close(vitviz.load(path)(pixels()), original(pixels()))


def test_a_folder_of_timm(tmp_path):
    """What `save_for_hf` writes."""
    import timm
    from timm.models import save_for_hf

    theirs = randomised(timm.create_model("test_vit", num_classes=2))
    names = {"label_names": ["cat", "dog"], "label_descriptions": {"cat": "tabby, tabby cat", "dog": "hound"}}
    save_for_hf(theirs, tmp_path / "run7", model_config=names, safe_serialization=True)
    ours = vitviz.load(tmp_path / "run7")
    assert close(ours(pixels(160)), theirs(pixels(160)))
    assert (ours.name, ours.labels) == ("run7", ("tabby", "hound"))
    assert ours.preprocessing.crop_fraction == pytest.approx(theirs.pretrained_cfg["crop_pct"])


# --- Other frameworks ------------------------------------------------------------------------------------------------

HUGGING_FACE = {
    "ViTForImageClassification": ("vit", {}),
    "ViTModel": ("", {"classes": 0}),
    "DeiTForImageClassification": ("deit", {}),
    "Dinov2Model": ("", {"classes": 0}),
    "Dinov2ForImageClassification": ("dinov2", {}),
    "Dinov2ForImageClassification without its classifier": ("dinov2", {"classes": 0}),
    "Dinov2WithRegisters": ("dinov2_with_registers", {"classes": 0, "registers": 4}),
}


@pytest.mark.parametrize(("model", "options"), HUGGING_FACE.values(), ids=HUGGING_FACE)
def test_hugging_face(model, options, tmp_path):
    weights = hugging_face.random_weights(model, **options)
    eps = 1e-6 if "dinov2" in model else 1e-12
    ours = vitviz.load(saved(tmp_path / "model.safetensors", weights))
    assert close(ours(pixels()), hugging_face.forward(weights, pixels(), model, eps=eps))
    assert ours.config.norm_eps == eps
    assert ours.name == tmp_path.name


@pytest.mark.parametrize("prefix", ["module.", "model.", "module._orig_mod."])
def test_hugging_face_in_a_wrapper(prefix, tmp_path):
    weights = hugging_face.random_weights()
    ours = vitviz.load(saved(tmp_path / "last.pth", {"state_dict": prefixed(weights, prefix)}))
    assert close(ours(pixels()), hugging_face.forward(weights, pixels()))


def test_dinov2_without_a_prefix_has_its_own_epsilon(tmp_path):
    weights = hugging_face.random_weights("dinov2", classes=0)
    bare = {key.removeprefix("dinov2."): value for key, value in weights.items()}
    ours = vitviz.load(saved(tmp_path / "model.safetensors", bare))
    assert close(ours(pixels()), hugging_face.forward(weights, pixels(), "dinov2", eps=1e-6))


def test_gated_dinov2(tmp_path, built_by_timm):
    weights = hugging_face.random_weights("dinov2", classes=0, swiglu=True)
    vitviz.load(saved(tmp_path / "model.safetensors", weights))
    assert close(built_by_timm[0](pixels()), hugging_face.forward(weights, pixels(), "dinov2", eps=1e-6))


def test_deit_with_its_teachers_classifier(tmp_path, built_by_timm):
    weights = hugging_face.random_weights("deit")
    for part in ("weight", "bias"):
        weights[f"cls_classifier.{part}"] = weights.pop(f"classifier.{part}")
        weights[f"distillation_classifier.{part}"] = weights[f"cls_classifier.{part}"].flip(0) + 1
    vitviz.load(saved(tmp_path / "model.safetensors", weights))
    assert close(built_by_timm[0](pixels()), hugging_face.forward(weights, pixels(), "deit"))


@pytest.mark.parametrize("extra", ["vit.pooler.dense.weight", "vit.embeddings.mask_token"])
def test_what_no_forward_pass_uses_is_left_out(extra, tmp_path):
    weights = {**hugging_face.random_weights(), extra: torch.zeros(192, 192)}
    ours = vitviz.load(saved(tmp_path / "model.safetensors", weights))
    assert close(ours(pixels()), hugging_face.forward(weights, pixels()))


def trainer_folder(path, weights, config=None, preprocessor=None):
    """What a run of the Trainer leaves behind."""
    path.mkdir()
    saved(path / "model.safetensors", weights)
    for name, said in (("config.json", config), ("preprocessor_config.json", preprocessor)):
        if said is not None:
            (path / name).write_text(json.dumps(said))
    return path


def test_a_run_of_the_trainer(tmp_path):
    weights = hugging_face.random_weights(width=128, classes=2)
    config = {
        "model_type": "vit",
        "num_attention_heads": 4,
        "layer_norm_eps": 0.1,
        "image_size": 64,
        "hidden_act": "gelu",
        "id2label": {"0": "cat", "1": "dog"},
    }
    preprocessor = {
        "image_mean": [0.4] * 3,
        "image_std": [0.2] * 3,
        "resample": 3,
        "size": {"height": 64, "width": 64},
    }
    folder = trainer_folder(tmp_path / "checkpoint-500", weights, config, preprocessor)
    for path in (folder, str(folder), folder / "model.safetensors"):
        ours = vitviz.load(path)
        assert close(ours(pixels()), hugging_face.forward(weights, pixels(), heads=4, eps=0.1))
        assert (ours.name, ours.labels, ours.config.heads) == ("checkpoint-500", ("cat", "dog"), 4)
        assert ours.preprocessing == Preprocessing((0.4,) * 3, (0.2,) * 3, "bicubic", 1.0, "squash")
    assert vitviz.load(folder, classes=["Katze", "Hund"]).labels == ("Katze", "Hund")


def test_names_that_a_program_made_up_are_not_shown(tmp_path):
    config = {"id2label": {str(i): f"LABEL_{i}" for i in range(5)}}
    assert vitviz.load(trainer_folder(tmp_path / "run", hugging_face.random_weights(), config)).labels == ()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, Preprocessing((0.5,) * 3, (0.5,) * 3, "bilinear", 1.0, "squash")),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
            Preprocessing((0.5,) * 3, (0.5,) * 3, "bilinear", 224 / 256, "crop"),
        ),
        ({"size": 224, "do_normalize": False}, Preprocessing((0.0,) * 3, (1.0,) * 3, "bilinear", 1.0, "squash")),
        (
            {"resample": 1, "image_std": [0.1, 0.2, 0.3]},
            Preprocessing((0.5,) * 3, (0.1, 0.2, 0.3), "lanczos", 1, "squash"),
        ),
    ],
)
def test_preprocessing_of_hugging_face(said, expected, tmp_path):
    folder = trainer_folder(tmp_path / "run", hugging_face.random_weights(), preprocessor=said or None)
    assert vitviz.load(folder).preprocessing == expected


@pytest.mark.parametrize("old", [False, True], ids=["new names", "old names"])
def test_torchvision(old, tmp_path):
    from torchvision.models import VisionTransformer

    theirs = VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=3, hidden_dim=192, mlp_dim=300, num_classes=5
    )
    theirs = randomised(theirs)
    weights = theirs.state_dict()
    if old:
        weights = {
            key.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): weights[key] for key in weights
        }
    ours = vitviz.load(saved(tmp_path / "best.pth", weights))
    assert close(ours(pixels()), theirs(pixels()))
    assert ours.preprocessing == Preprocessing(interpolation="bilinear", crop_fraction=0.875)


# --- Class names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a\nb\nc\nd\ne", "a\r\nb\r\nc\r\n d \r\ne\r\n\r\n", "\ufeffa\nb\nc\nd\ne\n"])
def test_class_names_from_a_file(text, original, tmp_path):
    (tmp_path / "labels.txt").write_bytes(text.encode())
    path = saved(tmp_path / "best.safetensors", original.state_dict())
    for classes in (tmp_path / "labels.txt", str(tmp_path / "labels.txt"), list("abcde")):
        assert vitviz.load(path, classes=classes).labels == tuple("abcde")
    assert vitviz.load(path, classes=5).labels == ()


def test_zero_classes_leave_the_classifier_out(original, tmp_path):
    ours = vitviz.load(saved(tmp_path / "best.safetensors", original.state_dict()), classes=0)
    assert close(ours(pixels()), original.forward_head(original.forward_features(pixels()), pre_logits=True))
    weights = hugging_face.random_weights("dinov2")
    features = {key: value for key, value in weights.items() if "classifier" not in key}
    ours = vitviz.load(saved(tmp_path / "dino.safetensors", weights), classes=0)
    assert close(ours(pixels()), hugging_face.forward(features, pixels(), "dinov2", eps=1e-6))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (3, "classes gives 3 classes, but the classifier of 'best' has 5."),
        (["cat"], "classes gives 1 class, but the classifier of 'best' has 5."),
        ("none.txt", r"The class names in 'none.txt' cannot be read; give a text file in UTF-8, one name a line."),
        ("image.jpg", r"The class names in .* cannot be read"),
        ("large.txt", r".* is too large for a list of class names"),
    ],
)
def test_class_names_that_do_not_fit(classes, message, original, tmp_path, photo):
    (tmp_path / "image.jpg").write_bytes(photo.read_bytes())
    (tmp_path / "large.txt").write_bytes(b"\n" * 10_000_001)
    path = saved(tmp_path / "best.safetensors", original.state_dict())
    there = isinstance(classes, str) and (tmp_path / classes).exists()
    with pytest.raises(ModelError, match=message):
        vitviz.load(path, classes=tmp_path / classes if there else classes)


# --- What does not fit -----------------------------------------------------------------------------------------------


def without(weights, *keys):
    return {key: value for key, value in weights.items() if key not in keys}


MISFITS = {
    "missing": (
        lambda w: without(w, "norm.bias", "blocks.1.attn.proj.bias"),
        "not those of its architecture: blocks.1.attn.proj.bias is missing; norm.bias is missing.",
    ),
    "missing, many": (
        lambda w: {key: w[key] for key in w if not key.startswith("blocks.0.") or "mlp.fc" in key},
        r"blocks.0.norm1.weight is missing; blocks.0.norm1.bias is missing; .* and 3 more\.",
    ),
    "a shape": (
        lambda w: {**w, "norm.bias": torch.zeros(3)},
        r"The weights in 'best' are not those of its architecture: norm.bias is \(3,\), not \(192,\)\.",
    ),
    "gated": (
        lambda w: {**w, "blocks.0.mlp.fc2.weight": torch.zeros(192, 384)},
        "cannot be told: its MLPs are gated, and no key tells with which activation; pass timm",
    ),
    "other parts": (
        lambda w: {**w, "norm_pre.weight": torch.zeros(192), "decoder.x": torch.zeros(1)},
        "cannot be told: a plain ViT has no decoder.x, norm_pre.weight; pass timm's name",
    ),
    "no ViT": (
        lambda w: {"conv1.weight": torch.zeros(3), "fc.bias": torch.zeros(3)},
        "cannot be told: a plain ViT has no conv1.weight, fc.bias; pass",
    ),
    "no patches": (
        lambda w: {**w, "patch_embed.proj.weight": torch.zeros(192, 768)},
        "patch_embed.proj.weight is missing or not of a ViT's shape",
    ),
    "no positions": (lambda w: without(w, "pos_embed"), "pos_embed is missing or not of a ViT's shape"),
    "no square": (
        lambda w: {**w, "pos_embed": torch.zeros(1, 16, 192)[:, :13]},
        "its 13 positions are not of a square grid",
    ),
    "a layer far away": (
        lambda w: {**w, "blocks.999999999.norm1.bias": torch.zeros(192)},
        "cannot be told: layers are missing between its first and its last; pass",
    ),
    "a number as classifier": (
        lambda w: {**w, "head.weight": torch.tensor(1.0)},
        "'best', or a JSON file .*makes no sense",
    ),
    "a number as registers": (
        lambda w: {**w, "reg_token": torch.tensor(1.0)},
        "'best', or a JSON file .*makes no sense",
    ),
    "student and teacher": (
        lambda w: {**prefixed(w, "student."), **prefixed(zeros(w), "teacher.")},
        "'best' holds several models, under 'student.', 'teacher.'; save the one that you want to see.",
    ),
}


@pytest.mark.parametrize(("change", "message"), MISFITS.values(), ids=MISFITS)
def test_weights_that_do_not_fit_are_refused_by_name(change, message, original, tmp_path):
    path = saved(tmp_path / "best.safetensors", change(original.state_dict()))
    with pytest.raises(ModelError, match=message):
        vitviz.load(path)


def test_an_unusual_width_needs_a_name(tmp_path):
    path = saved(tmp_path / "best.safetensors", TimmViT(**{**SHAPE, "embed_dim": 96}).state_dict())
    with pytest.raises(
        ModelError, match="no key tells how many heads it has, and at a width of 96 there is no usual number"
    ):
        vitviz.load(path)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (
            "vit_tiny_patch16_225",
            "timm has no architecture 'vit_tiny_patch16_225'; the nearest names are vit_tiny_patch16",
        ),
        ("vit_small_patch16_224", r"cls_token is \(1, 1, 192\), not \(1, 1, 384\)|blocks.2.norm1.weight is missing"),
        ("local-dir:/etc", "timm has no architecture"),
        ("hf-hub:timm/vit", "timm has no architecture"),
    ],
)
def test_a_wrong_architecture_is_refused(arch, message, original, tmp_path):
    path = saved(tmp_path / "best.safetensors", original.state_dict())
    with pytest.raises(ModelError, match=message):
        vitviz.load(path, arch=arch)


def test_a_classifier_that_cannot_be_represented_is_refused_with_a_way_out(tmp_path):
    weights = hugging_face.random_weights("dinov2_with_registers", registers=4)
    path = saved(tmp_path / "model.safetensors", weights)
    with pytest.raises(ModelError, match=r"reads the class token and a mean, .* load it with classes=0"):
        vitviz.load(path)


def test_an_incomplete_hugging_face_layer_is_refused(tmp_path):
    weights = hugging_face.random_weights()
    del weights["vit.encoder.layer.1.attention.attention.key.weight"]
    with pytest.raises(
        ModelError, match=r"blocks\.1\.attn\.qkv\.weight is missing; blocks\.1\.attn\.query\.weight is not exp"
    ):
        vitviz.load(saved(tmp_path / "best.safetensors", weights))


@pytest.mark.parametrize(
    ("config", "preprocessor", "message"),
    [
        ({"hidden_act": "mish"}, None, "config.json names the activation 'mish'; known are gelu"),
        (None, {"do_rescale": False}, "preprocessor_config.json does not scale pixels from 0 to 1"),
        (None, {"resample": 17}, "There is no interpolation '17'"),
        ({"num_attention_heads": 5}, None, "'run', or a JSON file beside it, makes no sense: "),
        ({"num_attention_heads": 0}, None, "makes no sense"),
        ({"layer_norm_eps": "small"}, None, "makes no sense: could not convert string to float"),
        ({"image_size": ["a", "b"]}, None, "makes no sense"),
        (None, {"rescale_factor": "1"}, "makes no sense"),
        (None, {"image_mean": 3}, "makes no sense"),
        (None, {"image_mean": []}, "preprocessing cannot be done here: mean and std must be three numbers each"),
        (None, {"image_std": [1, 0, 1]}, "mean and std must be three numbers each"),
        (None, {"image_std": [1, 1, float("nan")]}, "mean and std must be three numbers each"),
        (
            None,
            {"size": [], "crop_size": "x", "do_center_crop": True, "resample": {}},
            "no interpolation|makes no sense",
        ),
    ],
)
def test_settings_that_cannot_be_followed(config, preprocessor, message, tmp_path):
    folder = trainer_folder(tmp_path / "run", hugging_face.random_weights(), config, preprocessor)
    with pytest.raises(ModelError, match=message):
        vitviz.load(folder)


@pytest.mark.parametrize("text", ["{", "[1]", "\x00"])
def test_broken_json(text, tmp_path):
    folder = trainer_folder(tmp_path / "run", hugging_face.random_weights())
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config.json beside the weights is not (valid JSON|a JSON object)"):
        vitviz.load(folder)


def test_a_config_beside_other_files_is_not_theirs(original, tmp_path):
    (tmp_path / "config.json").write_text('{"num_attention_heads": 6}')
    ours = vitviz.load(saved(tmp_path / "best.safetensors", original.state_dict()))
    assert ours.config.heads == 3


# --- Files that are not what they seem -------------------------------------------------------------------------------


class Bomb:
    """Whoever unpickles this creates a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def as_zip(thing):
    return lambda path: torch.save(thing, path)


def compressed(path):
    torch.save({"a": torch.zeros(9)}, path.with_suffix(".stored"))
    with (
        zipfile.ZipFile(path.with_suffix(".stored")) as stored,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for record in stored.infolist():
            packed.writestr(record.filename, stored.read(record))


def cut(path):
    torch.save({"a": torch.zeros(999)}, path)
    path.write_bytes(path.read_bytes()[:700])


MALFORMED = {
    "nothing there": ("no.pth", lambda path: None, r"There is no file .*no\.pth'; check its path\."),
    "empty": ("a.pth", lambda path: path.touch(), "'a.pth' is empty; save or copy it again."),
    "a folder": (
        "a.pth",
        lambda path: path.mkdir(),
        "is a folder without model.safetensors or pytorch_model.bin; give",
    ),
    "noise": (
        "a.pth",
        lambda path: path.write_bytes(b"noise" * 99),
        "'a.pth' is damaged or no PyTorch file; save the weights",
    ),
    "cut": ("a.pth", cut, "'a.pth' is damaged or no PyTorch file"),
    "an image": ("a.bin", lambda path: path.write_bytes(b"\xff\xd8\xff" * 99), "'a.bin' is damaged or no PyTorch file"),
    "noise as safetensors": (
        "a.safetensors",
        lambda path: path.write_bytes(b"\xff" * 99),
        "is not a whole safetensors file",
    ),
    "a pickle as safetensors": ("a.safetensors", as_zip({"a": torch.zeros(9)}), "is not a whole safetensors file"),
    "a header without data": (
        "a.safetensors",
        lambda path: path.write_bytes(
            (header := b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}')
            and len(header).to_bytes(8, "little") + header
        ),
        "is not a whole safetensors file",
    ),
    "a list": ("a.pth", as_zip([1, 2]), "'a.pth' holds a list and no weights by name; save the weights alone"),
    "a tensor": ("a.pth", as_zip(torch.zeros(3)), "'a.pth' holds a Tensor and no weights by name"),
    "no weights": (
        "a.pth",
        as_zip({"epoch": 3, "optimizer": {}}),
        "'a.pth' holds no weights; its keys are 'epoch', 'optimizer'.",
    ),
    "nothing in it": ("a.pth", as_zip({}), "'a.pth' holds no weights; its keys are none."),
    "arguments": (
        "a.pth",
        as_zip({"model": {"a": torch.zeros(3)}, "args": pathlib.PurePosixPath("run7")}),
        "holds more than weights: its pathlib.*PurePosixPath could only be read by running code that the file chooses; "
        r"save the weights alone, with safetensors or torch.save\(model.state_dict\(\), path\)\.",
    ),
    "a NumPy number": (
        "a.pth",
        as_zip({"best": np.float64(1)}),
        r"holds more than weights: its numpy.*scalar could only be",
    ),
    "a whole model": (
        "a.pth",
        as_zip(torch.nn.Linear(2, 2)),
        "its torch.nn.modules.linear.Linear could only be read by",
    ),
    "a script": (
        "a.pt",
        lambda path: torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path),
        "is a TorchScript archive",
    ),
    "compressed": ("a.pth", compressed, "'a.pth' is compressed, which PyTorch's files are not"),
    "larger than its file": (
        "a.pth",
        as_zip({"a": torch.zeros(1).expand(10**12)}),
        "a in 'a.pth' is not a plain tensor",
    ),
    "sparse": (
        "a.pth",
        as_zip({"a": torch.eye(3).to_sparse()}),
        "a in 'a.pth' is not a plain tensor that is stored whole",
    ),
    "without data": ("a.pth", as_zip({"a": torch.zeros(3, device="meta")}), "a in 'a.pth' is not a plain tensor"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("file", "write", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_refused_with_the_reason(file, write, message, tmp_path):
    write(tmp_path / file)
    with pytest.raises(ModelError, match=message):
        vitviz.load(tmp_path / file)


BOMBS = {
    "zip": torch.save,
    "old format": lambda thing, path: torch.save(thing, path, _use_new_zipfile_serialization=False),
    "bare pickle": lambda thing, path: path.write_bytes(pickle.dumps(thing)),
    "old bare pickle": lambda thing, path: path.write_bytes(pickle.dumps(thing, protocol=2)),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.ckpt", "a.bin", "a.tar", "a.safetensors"])
@pytest.mark.parametrize("save", BOMBS.values(), ids=BOMBS)
def test_a_pickle_is_never_run(save, name, tmp_path, original):
    marker = tmp_path / "marker"
    save({"state_dict": original.state_dict(), "extra": Bomb(marker)}, tmp_path / name)
    with pytest.raises(ModelError) as caught:
        vitviz.load(tmp_path / name)
    assert not marker.exists()
    assert re.search("damaged|not a whole safetensors|holds more than weights", str(caught.value))


def test_the_bomb_would_have_gone_off(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "marker")))
    assert (tmp_path / "marker").exists()


def test_what_is_read_is_not_kept_open_by_gradients(original, tmp_path):
    torch.save({key: torch.nn.Parameter(value) for key, value in original.state_dict().items()}, tmp_path / "a.pth")
    weights = read_checkpoint(tmp_path / "a.pth").weights
    assert not any(value.requires_grad for value in weights.values())


@pytest.mark.parametrize(
    ("problem", "meaning"),
    [
        ("multi_label_classification", "independent"),
        ("regression", "values"),
        ("single_label_classification", "classes"),
        (None, "classes"),
        (7, "classes"),
    ],
)
def test_what_the_outputs_of_a_training_run_mean(problem, meaning, tmp_path):
    saved(tmp_path / "model.safetensors", hugging_face.random_weights())
    (tmp_path / "config.json").write_text(json.dumps({"problem_type": problem, "num_attention_heads": 3}))
    ours = vitviz.load(tmp_path)
    assert ours.meaning == meaning
    assert ours.tells_classes == (meaning != "values")


def test_class_names_make_an_embedding_a_classifier(tmp_path):
    import timm

    arch = "vit_base_patch32_clip_quickgelu_224"
    path = saved(tmp_path / "best.pth", timm.create_model(arch, num_classes=512).state_dict())
    assert not vitviz.load(path, arch=arch).tells_classes, "512 numbers, as CLIP's embedding has"
    named = vitviz.load(path, arch=arch, classes=[f"thing {i}" for i in range(512)])
    assert named.tells_classes
    assert named.labels[511] == "thing 511"
