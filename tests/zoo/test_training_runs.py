"""Files of training scripts and papers: timm's files, published layouts, shards, adapters, NumPy values."""

import argparse
import collections
import datetime
import json
import pathlib
import types
import warnings

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from timm.models import save_for_hf
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import SHAPE, close, pixels, randomised, saved, trainer_folder
from vitviz import ModelError, VitvizWarning


@pytest.fixture(autouse=True)
def _quiet():
    """Ignore notes on assumptions, which other tests cover."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VitvizWarning)
        yield


# --- timm's own files ------------------------------------------------------------------------------------------------

OPTIONS = {
    "heads": {"num_heads": 4},
    "pooling": {"global_pool": "avg"},
    "pooling without its norm": {"global_pool": "avg", "fc_norm": False},
    "not square": {"img_size": (64, 256)},
    "square": {"img_size": 96},
    "activation": {"act_layer": "quick_gelu"},
    "LayerScale": {"init_values": 0.1},
    "registers": {"reg_tokens": 3, "no_embed_class": True},
    "no class token": {"class_token": False, "global_pool": "avg"},
    "normed queries and keys": {"qk_norm": True},
    "a norm before": {"pre_norm": True},
    "patch and depth": {"patch_size": 8, "depth": 2, "mlp_ratio": 4.0, "img_size": 64},
    "grey": {"in_chans": 1},
    "no bias": {"qkv_bias": False},
}


def images_for(model):
    """Random input of the size that a timm model was made for."""
    random = torch.Generator().manual_seed(2)
    return torch.randn(2, model.patch_embed.proj.in_channels, *model.patch_embed.img_size, generator=random)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_folder_of_timm_says_how_the_model_was_made(options, tmp_path):
    theirs = randomised(timm.create_model("test_vit", num_classes=3, **options))
    save_for_hf(theirs, tmp_path / "run", model_args=options, safe_serialization=True)
    ours = vitviz.load(tmp_path / "run")
    assert ours.config.grid == theirs.patch_embed.grid_size
    assert close(ours(images_for(theirs)), theirs(images_for(theirs)))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_file_of_timms_training_script_does_too(options, tmp_path):
    theirs = randomised(timm.create_model("test_vit", num_classes=3, **options))
    options = dict(options)
    args = argparse.Namespace(
        model="test_vit", gp=options.pop("global_pool", None), num_classes=3, model_kwargs=options
    )
    file = {"state_dict": theirs.state_dict(), "arch": "test_vit", "args": args, "epoch": 3, "metric": np.float64(71.2)}
    torch.save(file, tmp_path / "last.pth.tar")
    ours = vitviz.load(tmp_path / "last.pth.tar")
    assert close(ours(images_for(theirs)), theirs(images_for(theirs)))


WRITTEN = {
    "a text": str,
    "as on a command line": lambda options: [f"{key}={value!r}" for key, value in options.items()],
    "YAML": lambda options: options,
}


@pytest.mark.parametrize("form", WRITTEN)
def test_options_in_whatever_form_a_script_wrote_them(form, tmp_path):
    options = {"num_heads": 4, "qk_norm": True}
    theirs = randomised(timm.create_model("test_vit", num_classes=3, **options))
    args = {"model": "test_vit", "model_kwargs": WRITTEN[form](options)}
    args = json.dumps(args) if form == "YAML" else argparse.Namespace(**args)
    file = {"state_dict": theirs.state_dict(), "arch": "test_vit", "args": args}
    ours = vitviz.load(saved(tmp_path / "last.pth", file))
    assert close(ours(images_for(theirs)), theirs(images_for(theirs)))


@pytest.mark.parametrize("where", ["args", "hyper_parameters", "config"])
def test_heads_and_pooling_that_a_script_notes(where, tmp_path):
    theirs = randomised(TimmViT(**{**SHAPE, "num_heads": 12}, global_pool="avg", fc_norm=False))
    said = {"num_heads": 12, "global_pool": "avg", "lr": 0.1}
    ours = vitviz.load(saved(tmp_path / "last.pth", {"state_dict": theirs.state_dict(), where: said}))
    assert ours.config.num_heads == 12
    named = vitviz.load(
        saved(tmp_path / "b.pth", {"state_dict": theirs.state_dict(), where: {**said, "model": "vit_tiny_patch16_224"}})
    )
    assert close(ours(pixels()), theirs(pixels()))
    assert close(named(pixels()), theirs(pixels()))


def test_a_hybrid(tmp_path):
    theirs = randomised(timm.create_model("vit_tiny_r_s16_p8_224", num_classes=3, depth=1))
    save_for_hf(theirs, tmp_path / "run", safe_serialization=True)
    image = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(
        vitviz.load(tmp_path / "run")(image), theirs(image), rtol=1e-4, atol=1e-4 * float(theirs(image).abs().max())
    )


def test_dinov3_as_published(tmp_path):
    """DINOv3 calls its register tokens storage tokens, names LayerScale as DINOv2 does, and has one bias tensor."""
    theirs = randomised(timm.create_model("vit_small_patch16_dinov3_qkvb", depth=2, img_size=64))
    weights = {}
    for key, value in theirs.state_dict().items():
        if key.endswith("q_bias"):
            other = theirs.state_dict()[key.replace("q_bias", "v_bias")]
            weights[key.replace("q_bias", "qkv.bias")] = torch.cat([value, torch.zeros_like(value), other])
        elif not key.endswith(("v_bias", "k_bias")):
            name = (
                key.replace("reg_token", "storage_tokens")
                .replace("gamma_1", "ls1.gamma")
                .replace("gamma_2", "ls2.gamma")
            )
            weights[name] = value
    weights["mask_token"], weights["rope_embed.periods"] = torch.zeros(1, 384), torch.ones(16)
    ours = vitviz.load(saved(tmp_path / "dinov3.pth", weights), arch="vit_small_patch16_dinov3_qkvb")
    assert close(ours(pixels()), theirs(pixels()))


TOLD_BY_KEYS = ("square", "LayerScale", "registers", "patch and depth", "grey", "no bias", "a norm before")


@pytest.mark.parametrize("name", TOLD_BY_KEYS)
def test_options_that_the_weights_tell_need_not_be_written_down(name, tmp_path):
    theirs = randomised(timm.create_model("test_vit", num_classes=3, **OPTIONS[name]))
    ours = vitviz.load(saved(tmp_path / "a.pth", {"state_dict": theirs.state_dict(), "arch": "test_vit"}))
    assert close(ours(images_for(theirs)), theirs(images_for(theirs)))


def test_the_training_script_says_how_pixels_are_prepared(tmp_path):
    weights = timm.create_model("test_vit", num_classes=3).state_dict()
    args = argparse.Namespace(
        model="test_vit", mean=[0.5, 0.4, 0.3], std=[0.2] * 3, crop_pct=0.8, interpolation="bilinear"
    )
    found = vitviz.load(saved(tmp_path / "a.pth", {"state_dict": weights, "args": args})).preprocessing
    assert (found.mean, found.std, found.interpolation) == ((0.5, 0.4, 0.3), (0.2,) * 3, "bilinear")
    assert found.crop_fraction == pytest.approx(0.8)


@pytest.mark.parametrize(
    "options",
    [
        {"depth": 10**9},
        {"num_heads": 7},
        {"num_heads": "many"},
        {"checkpoint_path": "/etc/passwd"},
        {"pretrained_cfg_overlay": {"file": "/etc/passwd"}},
        {"act_layer": "no such"},
        {"img_size": [1, 2, 3]},
        {"global_pool": "avgmax"},
    ],
)
def test_options_that_cannot_be_followed_are_refused(options, tmp_path):
    folder = tmp_path / "run"
    save_for_hf(timm.create_model("test_vit", num_classes=3), folder, safe_serialization=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_args": options}))
    with pytest.raises(ModelError):
        vitviz.load(folder)


# --- Published layouts -----------------------------------------------------------------------------------------------


def test_deit_iii(tmp_path):
    theirs = randomised(timm.create_model("deit3_small_patch16_224", num_classes=3, img_size=32, depth=2))
    weights = {
        key.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2"): value
        for key, value in theirs.state_dict().items()
    }
    path = saved(tmp_path / "deit3.pth", {"model": weights})
    for options in ({"arch": "deit3_small_patch16_224"}, {}):
        assert close(vitviz.load(path, **options)(pixels(32)), theirs(pixels(32)))


@pytest.mark.parametrize("arch", ["beit_base_patch16_224", "beitv2_base_patch16_224"])
def test_beit(arch, tmp_path):
    theirs = randomised(timm.create_model(arch, num_classes=3, img_size=64, depth=2))
    extra = {f"blocks.{i}.attn.relative_position_index": torch.zeros(17, 17, dtype=torch.int64) for i in range(2)}
    extra |= {"mask_token": torch.zeros(1, 1, 768), "lm_head.weight": torch.zeros(9, 768)}
    path = saved(tmp_path / "beit.pth", {"model": {**theirs.state_dict(), **extra}})
    assert close(vitviz.load(path, arch=arch)(pixels()), theirs(pixels()))
    with pytest.raises(ModelError, match="arch="):
        vitviz.load(path)


@pytest.mark.parametrize("gated", [False, True], ids=["MLP", "SwiGLU"])
@pytest.mark.parametrize("registers", [0, 4])
def test_dinov2_as_published(gated, registers, tmp_path):
    from timm.layers import SwiGLUPacked

    shape = {**SHAPE, "num_classes": 0, "init_values": 0.1}
    shape |= {"reg_tokens": registers, "no_embed_class": bool(registers)}
    shape |= {"mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU} if gated else {}
    theirs = randomised(TimmViT(**shape))
    weights = dict(theirs.state_dict())
    if registers:
        weights["register_tokens"] = weights.pop("reg_token")
        place = torch.randn(1, 1, 192, generator=torch.Generator().manual_seed(4))
        weights["cls_token"] = weights["cls_token"] - place
        weights["pos_embed"] = torch.cat([place, weights["pos_embed"]], dim=1)
    if gated:
        weights = {key.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3"): weights[key] for key in weights}
    weights["mask_token"] = torch.zeros(1, 192)
    assert close(vitviz.load(saved(tmp_path / "a.pth", weights))(pixels()), theirs(pixels()))


# --- Hugging Face ----------------------------------------------------------------------------------------------------


def of_version_5(weights):
    """Weights by the names of transformers 5."""
    names = {
        "encoder.layer.": "layers.",
        "attention.attention.query": "attention.q_proj",
        "attention.attention.key": "attention.k_proj",
        "attention.attention.value": "attention.v_proj",
        "attention.output.dense": "attention.o_proj",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
    }
    renamed = {}
    for key, value in weights.items():
        if "mlp.weights_in" in key:
            renamed |= {
                key.replace("mlp.weights_in", f"mlp.{name}_proj"): part
                for name, part in zip(("gate", "up"), value.chunk(2), strict=True)
            }
            continue
        new = key.replace("mlp.weights_out", "mlp.down_proj")
        for old, now in names.items():
            if not (old == "encoder.layer." and "dinov2" in key):  # DINOv2 keeps this prefix
                new = new.replace(old, now)
        renamed[new] = value
    return renamed


VERSION_5 = {
    "ViT": ("vit", {}),
    "DeiT": ("deit", {}),
    "DINOv2": ("dinov2", {}),
    "DINOv2 with registers": ("dinov2_with_registers", {"classes": 0, "registers": 4}),
}


@pytest.mark.parametrize(("model", "options"), VERSION_5.values(), ids=VERSION_5)
def test_names_of_transformers_5(model, options, tmp_path):
    weights = hugging_face.random_weights(model, **options)
    new = of_version_5(weights)
    assert new.keys() != weights.keys()
    expected = hugging_face.forward(weights, pixels(), model, eps=1e-6 if "dinov2" in model else 1e-12)
    lightning = {"state_dict": {f"model.{key}": value for key, value in new.items()}, "epoch": 2}
    for file in (new, lightning):
        assert close(vitviz.load(saved(tmp_path / "best.pth", file))(pixels()), expected)


@pytest.mark.parametrize("grid", [(2, 2), (6, 3), (4, 8)])
@pytest.mark.parametrize(
    ("model", "registers", "antialias"),
    [("vit", 0, False), ("dinov2", 0, False), ("dinov2_with_registers", 4, True)],
)
def test_positions_at_another_size_are_resampled_as_there(model, registers, antialias, grid, tmp_path):
    """`interpolate_pos_encoding` is bicubic without antialiasing, except for DINOv2 with registers."""
    weights = hugging_face.random_weights(model, classes=0, registers=registers)
    ours = vitviz.load(saved(tmp_path / "model.safetensors", weights))
    key = f"{model}.embeddings.position_embeddings"
    first, rest = weights[key].split([1, 16], dim=1)
    square = rest.unflatten(1, (4, 4)).permute(0, 3, 1, 2)
    rest = F.interpolate(square, grid, mode="bicubic", align_corners=False, antialias=antialias).flatten(2).mT
    weights[key] = torch.cat([first, rest], dim=1)
    image = torch.randn(2, 3, grid[0] * 16, grid[1] * 16, generator=torch.Generator().manual_seed(2))
    expected = hugging_face.forward(weights, image, model, eps=1e-12 if model == "vit" else 1e-6)
    assert close(ours(image), expected)


# --- Values saved with weights ---------------------------------------------------------------------------------------

VALUES = {
    "float64": np.float64(0.93),
    "float32": np.float32(0.93),
    "int64": np.int64(3),
    "bool": np.bool_(True),
    "an array": np.arange(4.0),
    "text": np.array(["a", "b"]),
    "a path": pathlib.Path("runs/7"),
    "a Windows path": pathlib.PureWindowsPath("runs/7"),
    "a date": datetime.datetime(2026, 1, 2, 3),
    "a duration": datetime.timedelta(1),
    "a history": collections.defaultdict(list, {"loss": [1.0]}),
    "a queue": collections.deque([1, 2], maxlen=3),
    "a counter": collections.Counter("aab"),
    "settings": types.SimpleNamespace(lr=0.1, path=pathlib.Path("a")),
    "a range": range(3),
    "a set": frozenset({1, 2}),
    "a slice": slice(1, 2),
    "a type": np.float32,
    "a random state": np.random.RandomState(0).get_state(),
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values_beside_the_weights_are_no_obstacle(value, zipped, original, tmp_path):
    file = {"state_dict": original.state_dict(), "extra": value, "best": {"nested": [value]}}
    torch.save(file, tmp_path / "best.pth", _use_new_zipfile_serialization=zipped)
    assert close(vitviz.load(tmp_path / "best.pth")(pixels()), original(pixels()))


@pytest.mark.parametrize(
    "kept",
    [
        {"class_to_idx": {"fox": 4, "ant": 0, "bee": 1, "dog": 3, "cat": 2}},
        {"idx_to_class": {4: "fox", 0: "ant", 1: "bee", 3: "dog", 2: "cat"}},
        {"class_names": ["ant", "bee", "cat", "dog", "fox"]},
    ],
)
def test_class_names_beside_the_weights_are_the_classes(kept, original, tmp_path):
    path = saved(tmp_path / "best.pth", {"state_dict": original.state_dict(), **kept})
    assert vitviz.load(path).labels == ("ant", "bee", "cat", "dog", "fox")
    assert vitviz.load(path, classes=list("abcde")).labels == tuple("abcde")


def test_class_names_that_do_not_fit_are_said(original, tmp_path):
    path = saved(tmp_path / "best.pth", {"state_dict": original.state_dict(), "class_names": ["ant", "bee"]})
    with pytest.warns(VitvizWarning, match="class names"):
        assert vitviz.load(path).labels == ()


def test_a_folder_with_positions_of_another_grid(tmp_path):
    weights = hugging_face.random_weights(grid=4)
    config = {"model_type": "vit", "num_attention_heads": 3, "image_size": [32, 128], "patch_size": 16}
    ours = vitviz.load(trainer_folder(tmp_path / "run", weights, config))
    assert ours.config.grid == (2, 8)


def test_mappings_that_contain_themselves_end(tmp_path):
    loop = {"a": torch.zeros(3)}
    loop["again"] = {"model": loop}
    wide = {"leaf": 1}
    for _ in range(11):
        wide = {str(i): wide for i in range(8)}
    for thing in (loop, {"state_dict": wide}):
        torch.save(thing, tmp_path / "a.pth")
        with pytest.raises(ModelError):
            vitviz.load(tmp_path / "a.pth")
