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
from vitviz import ModelError
from vitviz.zoo.checkpoint import read_checkpoint

# --- Misfits ---------------------------------------------------------------------------------------------------------


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
        r"The weights in 'best.safetensors' are not those of its architecture: norm.bias is \(3,\), not \(192,\)\.",
    ),
    "gated": (
        lambda w: {**w, "blocks.0.mlp.fc2.weight": torch.zeros(192, 384)},
        "its MLPs are gated.* activation .*; pass timm's name",
    ),
    "other parts": (
        lambda w: {**w, "norm_pre.weight": torch.zeros(192), "adapter.x": torch.zeros(192)},
        "a plain ViT has no adapter.x, norm_pre.weight; pass timm's name",
    ),
    "no ViT": (
        lambda w: {"conv1.weight": torch.zeros(3), "fc.bias": torch.zeros(3)},
        "a plain ViT has no conv1.weight, fc.bias; pass",
    ),
    "no patches": (
        lambda w: {**w, "patch_embed.proj.weight": torch.zeros(192, 768)},
        "patch_embed.proj.weight is missing or .* shape",
    ),
    "no positions": (lambda w: without(w, "pos_embed"), "pos_embed is missing or .* shape"),
    "no square": (
        lambda w: {**w, "pos_embed": torch.zeros(1, 16, 192)[:, :13]},
        "its 13 position embeddings .* square grid",
    ),
    "a layer far away": (
        lambda w: {**w, "blocks.999999999.norm1.bias": torch.zeros(192)},
        "layers are missing between its first and its last; pass",
    ),
    "a number as classifier": (
        lambda w: {**w, "head.weight": torch.tensor(1.0)},
        "'best.safetensors' or a JSON file ",
    ),
    "a number as registers": (
        lambda w: {**w, "reg_token": torch.tensor(1.0)},
        "'best.safetensors' or a JSON file ",
    ),
    "two models": (
        lambda w: {**prefixed(w, "left."), **prefixed(zeros(w), "right.")},
        "'best.safetensors' holds several models, under 'left.', 'right.'; choose one with prefix='left.'",
    ),
}


BIAS = "blocks.0.norm1.bias"
NO_WEIGHTS = {
    "not a number": (lambda bias: bias * float("nan"), "not finite"),
    "infinite": (lambda bias: bias + float("inf"), "not finite"),
    "infinite in single precision": (lambda bias: (bias + 1).double() * 1e300, "not finite"),
    **{
        str(kind): (lambda bias, kind=kind: bias.to(kind), f"is {str(kind).removeprefix('torch.')}; save the model in")
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
    with pytest.raises(ModelError, match=r"embed_dim 96; pass num_heads="):
        vitviz.load(path)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (
            "vit_tiny_patch16_225",
            "timm has no architecture 'vit_tiny_patch16_225'; the nearest names are vit_tiny_patch16",
        ),
        ("vit_small_patch16_224", r"192.*384.*num_heads="),
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
        ({"hidden_act": "mish"}, None, "config.json .* 'mish'; .* gelu"),
        (None, {"do_rescale": False}, "preprocessor_config.json does not scale pixels"),
        (None, {"resample": 17}, "There is no interpolation '17'"),
        ({"num_attention_heads": 5}, None, "'run/model.safetensors' or a JSON file "),
        ({"num_attention_heads": 0}, None, "num_attention_heads .* is 0;"),
        ({"num_attention_heads": True}, None, "num_attention_heads .* is True;"),
        ({"layer_norm_eps": "small"}, None, "JSON file .*could not convert string to float"),
        ({"layer_norm_eps": 1000}, None, "norm_eps"),
        (
            None,
            {"image_std": [1e-9] * 3},
            "std of a preprocessing .* from 0.0001 to 10000.* 1e-09, 1e-09, 1e-09",
        ),
        (None, {"image_mean": [1e9] * 3}, "has the mean .1000000000.0,"),
        ({"image_size": ["a", "b"]}, None, "JSON file"),
        (None, {"rescale_factor": "1"}, "JSON file"),
        (None, {"image_mean": 3}, "has the mean 3,"),
        (None, {"image_mean": []}, "mean and std must be finite"),
        (None, {"image_std": [1, 0, 1]}, "mean and std must be finite"),
        (None, {"image_std": [1, 1, float("nan")]}, "mean and std must be finite"),
        (
            None,
            {"size": [], "crop_size": "x", "do_center_crop": True, "resample": {}},
            "no interpolation|JSON file",
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
    "many axes": ("a.safetensors", many_axes, "^a in 'a.safetensors' has 1,000,000 dimensions"),
    "many records": ("a.pth", many_records, "^'a.pth' has more records than any"),
    "a long key": ("a.pth", as_zip({"x" * 10**6: torch.zeros(3)}), "^'a.pth' has the key 'x+…, which"),
    "a key of two lines": ("a.pth", as_zip({"a\nb": torch.zeros(3)}), r"^'a.pth' has the key 'a\\nb', which"),
    "nothing there": ("no.pth", lambda path: None, r"There is no file .*no\.pth'; check its path\."),
    "empty": ("a.pth", lambda path: path.touch(), "'a.pth' is empty; save or copy it again."),
    "a folder": (
        "a.pth",
        lambda path: path.mkdir(),
        "is a folder without model.safetensors or pytorch_model.bin; load",
    ),
    "noise": (
        "a.pth",
        lambda path: path.write_bytes(b"noise" * 99),
        "'a.pth' is damaged or .* PyTorch file; save",
    ),
    "cut": ("a.pth", cut, "'a.pth' is damaged"),
    "an image": ("a.bin", lambda path: path.write_bytes(b"\xff\xd8\xff" * 99), "'a.bin' is damaged"),
    "noise as safetensors": (
        "a.safetensors",
        lambda path: path.write_bytes(b"\xff" * 99),
        "is damaged or .* safetensors file",
    ),
    "a pickle as safetensors": ("a.safetensors", as_zip({"a": torch.zeros(9)}), "is damaged or .* safetensors file"),
    "a header without data": (
        "a.safetensors",
        lambda path: path.write_bytes(
            (header := b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}')
            and len(header).to_bytes(8, "little") + header
        ),
        "is damaged or .* safetensors file",
    ),
    "a list": ("a.pth", as_zip([1, 2]), "'a.pth' holds a list .*; save"),
    "a tensor": ("a.pth", as_zip(torch.zeros(3)), "'a.pth' holds a Tensor "),
    "no weights": (
        "a.pth",
        as_zip({"epoch": 3, "optimizer": {}}),
        "'a.pth' holds no weights; its keys are 'epoch', 'optimizer'.",
    ),
    "nothing in it": ("a.pth", as_zip({}), "'a.pth' holds no weights; its keys are none."),
    "arguments": (
        "a.pth",
        as_zip({"model": {"a": torch.zeros(3)}, "args": fractions.Fraction(1, 7)}),
        "holds more than weights: its fractions.Fraction could only be read by running code that the file chooses; "
        r"save only the weights, with safetensors or torch.save\(model.state_dict\(\), path\)\.",
    ),
    "a NumPy number": (
        "a.pth",
        as_zip({"best": np.float64(1)}),
        "'a.pth' holds no weights; its keys are 'best'.",
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
        "a in 'a.pth' is not a dense tensor",
    ),
    "sparse": (
        "a.pth",
        as_zip({"a": torch.eye(3).to_sparse()}),
        "a in 'a.pth' is not a dense tensor",
    ),
    "without data": ("a.pth", as_zip({"a": torch.zeros(3, device="meta")}), "a in 'a.pth' is not a dense tensor"),
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

    arch = "vit_base_patch32_clip_quickgelu_224"
    path = saved(tmp_path / "best.pth", timm.create_model(arch, num_classes=512).state_dict())
    assert not vitviz.load(path, arch=arch).is_classifier, "512 numbers, as CLIP's embedding has"
    named = vitviz.load(path, arch=arch, classes=[f"thing {i}" for i in range(512)])
    assert named.is_classifier
    assert named.labels[511] == "thing 511"
