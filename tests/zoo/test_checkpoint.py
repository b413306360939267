"""Checkpoints of training runs: the output for each layout equals that of its framework."""

import argparse
from types import SimpleNamespace

import pytest
import torch
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import SHAPE, close, pixels, prefixed, randomised, saved, trainer_folder, zeros
from tests.support.exhaustive import exhaustive
from tests.support.facts import mentions
from vitviz import ModelError
from vitviz.images import Preprocessing
from vitviz.zoo import restore

# --- Wrappers --------------------------------------------------------------------------------------------------------


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
    assert (ours.name, ours.config.num_classes, ours.config.num_heads, ours.labels) == ("last", 5, 3, ())


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
    """Collect the timm models that are built while loading, even if their conversion fails."""
    built = []

    def keep(model):
        built.append(model)
        config = SimpleNamespace(
            num_classes=model.num_classes, position_embedding=False, patch_size=16, image_size=(64, 64)
        )
        ours = SimpleNamespace(config=config)
        ours.set_preprocessing = lambda preprocessing, notes: vars(ours).update(preprocessing=preprocessing)
        return ours

    monkeypatch.setattr(restore, "converted", keep)
    return built


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_tiny_patch16_224", {"num_classes": 7}),
        ("vit_tiny_patch16_224.augreg_in21k", {"num_classes": 0, "img_size": 64}),
        ("deit_tiny_distilled_patch16_224", {"num_classes": 3, "img_size": 64}),
        ("test_vit", {"num_classes": 4, "in_chans": 1}),
        ("eva02_tiny_patch14_224", {"num_classes": 2}),
        exhaustive("beit_base_patch16_224", {"num_classes": 2}),
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
    assert (ours.config.num_heads, ours.config.embed_dim) == (2, 64)  # cannot be derived from the weights
    assert close(ours(pixels(160)), theirs(pixels(160)))


def test_a_name_that_timm_does_not_know_is_left_aside(original, tmp_path):
    path = saved(tmp_path / "best.pth", {"state_dict": original.state_dict(), "arch": "our_vit"})
    assert close(vitviz.load(path)(pixels()), original(pixels()))


def test_a_folder_of_timm(tmp_path):
    """Load a folder as written by `save_for_hf`."""
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
    weights = {**hugging_face.random_weights(classes=0 if "pooler" in extra else 5), extra: torch.zeros(192, 192)}
    ours = vitviz.load(saved(tmp_path / "model.safetensors", weights))
    assert close(ours(pixels()), hugging_face.forward(weights, pixels()))


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
        assert (ours.name, ours.labels, ours.config.num_heads) == ("checkpoint-500", ("cat", "dog"), 4)
        assert ours.preprocessing == Preprocessing((0.4,) * 3, (0.2,) * 3, "bicubic", 1.0, "squash", "floor")
    assert vitviz.load(folder, classes=["Katze", "Hund"]).labels == ("Katze", "Hund")


def test_names_that_a_program_made_up_are_not_shown(tmp_path):
    config = {"id2label": {str(i): f"LABEL_{i}" for i in range(5)}}
    assert vitviz.load(trainer_folder(tmp_path / "run", hugging_face.random_weights(), config)).labels == ()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, Preprocessing((0.5,) * 3, (0.5,) * 3, "bilinear", 1.0, "squash", "floor")),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
            Preprocessing((0.5,) * 3, (0.5,) * 3, "bilinear", 224 / 256, "crop", "floor"),
        ),
        (
            {"size": 224, "do_normalize": False},
            Preprocessing((0.0,) * 3, (1.0,) * 3, "bilinear", 1.0, "squash", "floor"),
        ),
        (
            {"resample": 1, "image_std": [0.1, 0.2, 0.3]},
            Preprocessing((0.5,) * 3, (0.1, 0.2, 0.3), "lanczos", 1, "squash", "floor"),
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
        (3, mentions("classes", 3, "'best.safetensors'", 5)),
        (["cat"], mentions("classes", 1, "'best.safetensors'", 5)),
        ("none.txt", "'none.txt'"),
        ("image.jpg", mentions("class names", "image.jpg")),
        ("large.txt", mentions("large.txt", "class names")),
    ],
)
def test_class_names_that_do_not_fit(classes, message, original, tmp_path, photo):
    (tmp_path / "image.jpg").write_bytes(photo.read_bytes())
    (tmp_path / "large.txt").write_bytes(b"\n" * 10_000_001)
    path = saved(tmp_path / "best.safetensors", original.state_dict())
    there = isinstance(classes, str) and (tmp_path / classes).exists()
    with pytest.raises(ModelError, match=message):
        vitviz.load(path, classes=tmp_path / classes if there else classes)
