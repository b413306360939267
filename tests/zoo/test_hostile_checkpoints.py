"""Checkpoints that do not fit, or are malicious: refused with one sentence, and no code in a file is run."""

import fractions
import json
import os
import pickle
import re
import struct
import zipfile

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import SHAPE, prefixed, saved, trainer_folder, zeros
from tests.support.facts import mentions
from vitviz import ModelError
from vitviz.zoo.checkpoint import read_checkpoint

# --- Misfits ---------------------------------------------------------------------------------------------------------


def without(weights, *keys):
    return {key: value for key, value in weights.items() if key not in keys}


MISFITS = {
    "missing": (
        lambda w: without(w, "norm.bias", "blocks.1.attn.proj.bias"),
        mentions("blocks.1.attn.proj.bias", "norm.bias", "missing"),
    ),
    "missing, many": (
        lambda w: {key: w[key] for key in w if not key.startswith("blocks.0.") or "mlp.fc" in key},
        mentions("blocks.0.norm1.weight", "blocks.0.norm1.bias", "missing", 3),
    ),
    "a shape": (
        lambda w: {**w, "norm.bias": torch.zeros(3)},
        mentions("'best.safetensors'", "norm.bias", "(3,)", "(192,)"),
    ),
    "gated": (
        lambda w: {**w, "blocks.0.mlp.fc2.weight": torch.zeros(192, 384)},
        mentions("gated", "activation", "timm", "arch="),
    ),
    "other parts": (
        lambda w: {**w, "norm_pre.weight": torch.zeros(192), "adapter.x": torch.zeros(192)},
        mentions("adapter.x", "norm_pre.weight", "timm", "arch="),
    ),
    "no ViT": (
        lambda w: {"conv1.weight": torch.zeros(3), "fc.bias": torch.zeros(3)},
        mentions("conv1.weight", "fc.bias", "arch="),
    ),
    "no patches": (
        lambda w: {**w, "patch_embed.proj.weight": torch.zeros(192, 768)},
        mentions("patch_embed.proj.weight", "shape"),
    ),
    "no positions": (lambda w: without(w, "pos_embed"), mentions("pos_embed", "shape")),
    "no square": (
        lambda w: {**w, "pos_embed": torch.zeros(1, 16, 192)[:, :13]},
        mentions(13, "position embeddings", "square"),
    ),
    "a layer far away": (
        lambda w: {**w, "blocks.999999999.norm1.bias": torch.zeros(192)},
        mentions("layers", "arch="),
    ),
    "a number as classifier": (
        lambda w: {**w, "head.weight": torch.tensor(1.0)},
        mentions("'best.safetensors'", "JSON"),
    ),
    "a number as registers": (
        lambda w: {**w, "reg_token": torch.tensor(1.0)},
        mentions("'best.safetensors'", "JSON"),
    ),
    "two models": (
        lambda w: {**prefixed(w, "left."), **prefixed(zeros(w), "right.")},
        mentions("'best.safetensors'", "'left.'", "'right.'", "prefix='left.'"),
    ),
}


BIAS = "blocks.0.norm1.bias"
NO_WEIGHTS = {
    "not a number": (lambda bias: bias * float("nan"), "finite"),
    "infinite": (lambda bias: bias + float("inf"), "finite"),
    "infinite in single precision": (lambda bias: (bias + 1).double() * 1e300, "finite"),
    **{
        str(kind): (lambda bias, kind=kind: bias.to(kind), str(kind).removeprefix("torch."))
        for kind in (torch.int64, torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn)
    },
}


@pytest.mark.parametrize(("change", "message"), NO_WEIGHTS.values(), ids=NO_WEIGHTS)
def test_weights_that_no_training_leaves_are_refused_by_name(change, message, original, tmp_path):
    weights = original.state_dict()
    torch.save({**weights, BIAS: change(weights[BIAS])}, tmp_path / "best.pth")
    with pytest.raises(ModelError, match=f"{BIAS} in 'best.pth' .*{message}"):
        vitviz.load(tmp_path / "best.pth")


@pytest.mark.parametrize(("change", "message"), MISFITS.values(), ids=MISFITS)
def test_weights_that_do_not_fit_are_refused_by_name(change, message, original, tmp_path):
    path = saved(tmp_path / "best.safetensors", change(original.state_dict()))
    with pytest.raises(ModelError, match=message):
        vitviz.load(path)


def test_an_unusual_width_needs_a_name(tmp_path):
    path = saved(tmp_path / "best.safetensors", TimmViT(**{**SHAPE, "embed_dim": 96}).state_dict())
    with pytest.raises(ModelError, match=mentions("embed_dim 96", "num_heads=")):
        vitviz.load(path)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (
            "vit_tiny_patch16_225",
            mentions("'vit_tiny_patch16_225'", "vit_tiny_patch16_224"),
        ),
        ("vit_small_patch16_224", r"192.*384.*num_heads="),
        ("local-dir:/etc", "'local-dir:/etc'"),
        ("hf-hub:timm/vit", "'hf-hub:timm/vit'"),
    ],
)
def test_a_wrong_architecture_is_refused(arch, message, original, tmp_path):
    path = saved(tmp_path / "best.safetensors", original.state_dict())
    with pytest.raises(ModelError, match=message):
        vitviz.load(path, arch=arch)


def test_a_classifier_that_cannot_be_represented_is_refused_with_a_way_out(tmp_path):
    weights = hugging_face.random_weights("dinov2_with_registers", registers=4)
    path = saved(tmp_path / "model.safetensors", weights)
    with pytest.raises(ModelError, match=mentions("class token", "mean", "classes=0")):
        vitviz.load(path)


def test_an_incomplete_hugging_face_layer_is_refused(tmp_path):
    weights = hugging_face.random_weights()
    del weights["vit.encoder.layer.1.attention.attention.key.weight"]
    with pytest.raises(ModelError, match=mentions("blocks.1.attn.qkv.weight", "missing", "blocks.1.attn.query.weight")):
        vitviz.load(saved(tmp_path / "best.safetensors", weights))


@pytest.mark.parametrize(
    ("config", "preprocessor", "message"),
    [
        ({"hidden_act": "mish"}, None, mentions("config.json", "'mish'", "gelu")),
        (None, {"do_rescale": False}, mentions("preprocessor_config.json", "pixels")),
        (None, {"resample": 17}, mentions("interpolation", "'17'")),
        ({"num_attention_heads": 5}, None, mentions("'run/model.safetensors'", "JSON")),
        ({"num_attention_heads": 0}, None, mentions("num_attention_heads", 0)),
        ({"num_attention_heads": True}, None, mentions("num_attention_heads", "True")),
        ({"layer_norm_eps": "small"}, None, mentions("JSON", "small")),
        ({"layer_norm_eps": 1000}, None, "norm_eps"),
        (
            None,
            {"image_std": [1e-9] * 3},
            mentions("std", "0.0001", "10000", "1e-09, 1e-09, 1e-09"),
        ),
        (None, {"image_mean": [1e9] * 3}, mentions("mean", "1000000000.0")),
        ({"image_size": ["a", "b"]}, None, "JSON"),
        (None, {"rescale_factor": "1"}, "JSON"),
        (None, {"image_mean": 3}, mentions("mean", 3)),
        (None, {"image_mean": []}, mentions("mean", "std", "finite")),
        (None, {"image_std": [1, 0, 1]}, mentions("mean", "std", "finite")),
        (None, {"image_std": [1, 1, float("nan")]}, mentions("mean", "std", "finite")),
        (
            None,
            {"size": [], "crop_size": "x", "do_center_crop": True, "resample": {}},
            "interpolation|JSON",
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
    with pytest.raises(ModelError, match=mentions("config.json", "JSON")):
        vitviz.load(folder)


def test_a_config_beside_other_files_is_not_theirs(original, tmp_path):
    (tmp_path / "config.json").write_text('{"num_attention_heads": 6}')
    ours = vitviz.load(saved(tmp_path / "best.safetensors", original.state_dict()))
    assert ours.config.num_heads == 3


# --- Malformed and malicious files -----------------------------------------------------------------------------------


class Bomb:
    """Object that creates a file when it is unpickled."""

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


def many_axes(path):
    table = json.dumps({"a": {"dtype": "F32", "shape": [1] * 10**6, "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(table).to_bytes(8, "little") + table + bytes(4))


def many_records(path):
    torch.save({"a": torch.zeros(9)}, path)
    whole = path.read_bytes()
    directory = (b"PK\x01\x02" + bytes(24) + b"\x01\x00" + bytes(16) + b"a") * 300_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), len(whole), 0)  # with one entry
    path.write_bytes(whole + directory + end)


MALFORMED = {
    "many axes": ("a.safetensors", many_axes, mentions("a", "'a.safetensors'", "1,000,000")),
    "many records": ("a.pth", many_records, mentions("'a.pth'", "records")),
    "a long key": ("a.pth", as_zip({"x" * 10**6: torch.zeros(3)}), "'a.pth'.*'x+…"),
    "a key of two lines": ("a.pth", as_zip({"a\nb": torch.zeros(3)}), r"'a.pth'.*'a\\nb'"),
    "nothing there": ("no.pth", lambda path: None, r"no\.pth'"),
    "empty": ("a.pth", lambda path: path.touch(), mentions("'a.pth'", "empty")),
    "a folder": (
        "a.pth",
        lambda path: path.mkdir(),
        mentions("folder", "model.safetensors", "pytorch_model.bin"),
    ),
    "noise": (
        "a.pth",
        lambda path: path.write_bytes(b"noise" * 99),
        mentions("'a.pth'", "damaged", "PyTorch"),
    ),
    "cut": ("a.pth", cut, mentions("'a.pth'", "damaged")),
    "an image": ("a.bin", lambda path: path.write_bytes(b"\xff\xd8\xff" * 99), mentions("'a.bin'", "damaged")),
    "noise as safetensors": (
        "a.safetensors",
        lambda path: path.write_bytes(b"\xff" * 99),
        mentions("'a.safetensors'", "damaged"),
    ),
    "a pickle as safetensors": ("a.safetensors", as_zip({"a": torch.zeros(9)}), mentions("'a.safetensors'", "damaged")),
    "a header without data": (
        "a.safetensors",
        lambda path: path.write_bytes(
            (header := b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}')
            and len(header).to_bytes(8, "little") + header
        ),
        mentions("'a.safetensors'", "damaged"),
    ),
    "a list": ("a.pth", as_zip([1, 2]), mentions("'a.pth'", "list")),
    "a tensor": ("a.pth", as_zip(torch.zeros(3)), mentions("'a.pth'", "Tensor")),
    "no weights": (
        "a.pth",
        as_zip({"epoch": 3, "optimizer": {}}),
        mentions("'a.pth'", "weights", "'epoch'", "'optimizer'"),
    ),
    "nothing in it": ("a.pth", as_zip({}), mentions("'a.pth'", "weights", "keys")),
    "arguments": (
        "a.pth",
        as_zip({"model": {"a": torch.zeros(3)}, "args": fractions.Fraction(1, 7)}),
        mentions("fractions.Fraction", "safetensors", "torch.save(model.state_dict(), path)"),
    ),
    "a NumPy number": (
        "a.pth",
        as_zip({"best": np.float64(1)}),
        mentions("'a.pth'", "weights", "'best'"),
    ),
    "a whole model": (
        "a.pth",
        as_zip(torch.nn.Linear(2, 2)),
        mentions("torch.nn.modules.linear.Linear"),
    ),
    "a script": (
        "a.pt",
        lambda path: torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path),
        mentions("TorchScript"),
    ),
    "compressed": ("a.pth", compressed, mentions("'a.pth'", "compressed")),
    "larger than its file": (
        "a.pth",
        as_zip({"a": torch.zeros(1).expand(10**12)}),
        mentions("a", "'a.pth'", "dense"),
    ),
    "sparse": (
        "a.pth",
        as_zip({"a": torch.eye(3).to_sparse()}),
        mentions("a", "'a.pth'", "dense"),
    ),
    "without data": ("a.pth", as_zip({"a": torch.zeros(3, device="meta")}), mentions("a", "'a.pth'", "dense")),
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
    assert re.search("damaged|holds more than weights", str(caught.value))


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
    assert ours.output_kind == meaning
    assert ours.is_classifier == (meaning != "values")


def test_class_names_make_an_embedding_a_classifier(tmp_path):
    import timm

    arch = "vit_xsmall_patch16_clip_224"
    path = saved(tmp_path / "best.pth", timm.create_model(arch, num_classes=512).state_dict())
    assert not vitviz.load(path, arch=arch).is_classifier, "512 numbers, as CLIP's embedding has"
    named = vitviz.load(path, arch=arch, classes=[f"thing {i}" for i in range(512)])
    assert named.is_classifier
    assert named.labels[511] == "thing 511"
