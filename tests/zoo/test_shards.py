"""Weights in several files, adapters, and tensors that are not weights of a model."""

import json

import pytest
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import SHAPE, close, pixels, randomised, saved
from tests.support.facts import mentions
from vitviz import ModelError

# --- Shards and adapters ---------------------------------------------------------------------------------------------


def in_shards(folder, weights, write=save_file, file="model.safetensors"):
    """Write weights in several files, as `save_pretrained` does for large models."""
    folder.mkdir()
    stem, suffix = file.split(".")
    names = {f"{stem}-0000{i + 1}-of-00002.{suffix}": sorted(weights)[i::2] for i in range(2)}
    for name, keys in names.items():
        write({key: weights[key].contiguous() for key in keys}, folder / name)
    index = {"metadata": {}, "weight_map": {key: name for name, keys in names.items() for key in keys}}
    (folder / f"{file}.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps({"model_type": "vit", "num_attention_heads": 3, "image_size": 64}))
    return folder


@pytest.mark.parametrize(("write", "file"), [(save_file, "model.safetensors"), (torch.save, "pytorch_model.bin")])
def test_weights_in_several_files(write, file, tmp_path):
    weights = hugging_face.random_weights()
    folder = in_shards(tmp_path / "checkpoint-500", weights, write, file)
    for path in (folder, next(folder.glob("*-00002-of-*")), folder / f"{file}.index.json"):
        ours = vitviz.load(path)
        assert ours.name == "checkpoint-500"
        assert close(ours(pixels()), hugging_face.forward(weights, pixels()))


def missing_shard(folder, index):
    next(folder.glob("*-00002-of-*")).unlink()


def missing_weight(folder, index):
    index["weight_map"]["vit.more"] = next(iter(index["weight_map"].values()))


def outside(folder, index):
    (folder.parent / "secret.safetensors").write_bytes(next(folder.glob("*-00001-of-*")).read_bytes())
    index["weight_map"] = dict.fromkeys(index["weight_map"], "../secret.safetensors")


@pytest.mark.parametrize(
    "spoil",
    [missing_shard, missing_weight, outside, lambda f, i: i.clear(), lambda f, i: i.update(weight_map={"a": ["b"]})],
)
def test_an_index_that_cannot_be_followed_is_refused(spoil, tmp_path):
    folder = in_shards(tmp_path / "run", hugging_face.random_weights())
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    spoil(folder, index)
    path.write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"index\.json"):
        vitviz.load(folder)


def test_parts_without_their_index(tmp_path):
    weights = hugging_face.random_weights()
    folder = in_shards(tmp_path / "run", weights)
    (folder / "model.safetensors.index.json").unlink()
    for path in (folder, folder / "model-00002-of-00002.safetensors"):
        assert close(vitviz.load(path)(pixels()), hugging_face.forward(weights, pixels()))
    (folder / "model-00001-of-00002.safetensors").unlink()
    for path in (folder, folder / "model-00002-of-00002.safetensors"):
        with pytest.raises(ModelError, match=mentions(2)):
            vitviz.load(path)


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.complex64, torch.int64])
def test_weights_that_are_no_real_numbers_are_refused(kind, original, tmp_path):
    weights = {**original.state_dict(), "blocks.0.mlp.fc1.weight": torch.ones(768, 192, dtype=kind)}
    with pytest.raises(ModelError, match=str(kind).removeprefix("torch.")):
        vitviz.load(saved(tmp_path / "a.pth", weights))


def test_an_adapter_is_no_model_and_the_message_says_what_makes_it_one(original, tmp_path):
    run = tmp_path / "lora"
    run.mkdir()
    key = "base_model.model.vit.layers.0.attention.q_proj.lora_{}.weight"
    save_file(
        {key.format("A"): torch.zeros(4, 192), key.format("B"): torch.zeros(192, 4)}, run / "adapter_model.safetensors"
    )
    (run / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    unmerged = {**original.state_dict(), "blocks.0.attn.qkv.lora_A.default.weight": torch.zeros(4, 192)}
    other = tmp_path / "other"
    other.mkdir()
    save_file({"some.other_change": torch.zeros(3)}, other / "adapter_model.safetensors")
    (other / "adapter_config.json").write_text("{}")
    paths = (run, run / "adapter_model.safetensors", other / "adapter_model.safetensors")
    for path in (*paths, saved(tmp_path / "unmerged.pth", unmerged)):
        with pytest.raises(ModelError, match="merge_and_unload"):
            vitviz.load(path)


def test_a_checkpoint_of_many_processes_says_how_to_join_it(tmp_path):
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save, torch_save_to_dcp

    theirs = randomised(TimmViT(**SHAPE))
    torch.save(theirs.state_dict(), tmp_path / "whole.pth")
    torch_save_to_dcp(tmp_path / "whole.pth", tmp_path / "parts")
    with pytest.raises(ModelError, match="dcp_to_torch_save"):
        vitviz.load(tmp_path / "parts")
    dcp_to_torch_save(tmp_path / "parts", tmp_path / "joined.pth")
    assert close(vitviz.load(tmp_path / "joined.pth")(pixels()), theirs(pixels()))
