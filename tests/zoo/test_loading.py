"""vitviz.zoo: loading of models, and error messages for unknown names. No test uses a network."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import vitviz
from tests.conftest import SMALL
from tests.support.facts import assert_mentions, mentions
from vitviz import ModelError, zoo
from vitviz.images import Preprocessing, normalise, prepare, read_image
from vitviz.zoo import shipped
from vitviz.zoo.convert import build
from vitviz.zoo.convert.labels import imagenet_labels, labels_of
from vitviz.zoo.convert.preprocessing import from_timm_config
from vitviz.zoo.hub import Source
from vitviz.zoo.pretrained import measure, pretrained_config, source_of


def in_a_new_process(code, **environment):
    """Run a program in a new process and return its output."""
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


# --- Shipped ---------------------------------------------------------------------------------------------------------


def test_the_shipped_model_is_ready_to_use(model):
    assert (model.name, model.config.depth, model.config.num_heads, model.config.patch_size) == (
        "dinov2-small",
        12,
        6,
        14,
    )
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
    assert entry.licence
    assert entry.parameters == sum(value.numel() for value in load_file(entry.path).values())
    assert (entry.patch_size, entry.image_size, entry.num_classes) == (
        entry.config.patch_size,
        entry.config.image_size,
        entry.config.num_classes,
    )
    assert entry.download_bytes == entry.path.stat().st_size
    assert len(entry.labels) == entry.num_classes
    assert zoo.is_on_disk(entry.name)
    assert vitviz.load(entry.name).labels == entry.labels
    assert all(size % entry.config.patch_size == 0 for size in entry.sizes)
    assert list(entry.sizes) == sorted(entry.sizes)


def test_the_shipped_model_knows_a_cat_from_a_rocket(model):
    """The features of a cat are closer to those of its mirror image than to those of a rocket."""

    def feature(image):
        output = model.trace(image).output
        return output / np.linalg.norm(output)

    cat, rocket = (Image.open(zoo.assets() / "images" / f"{name}.jpg") for name in ("cat", "rocket"))
    mirrored = cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert feature(cat) @ feature(mirrored) > 0.9
    assert feature(cat) @ feature(rocket) < 0.5


def test_missing_weights_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "assets", lambda: tmp_path)
    with pytest.raises(ModelError, match=mentions("'dinov2-small'", "assets/models/dinov2-small-patch14.safetensors")):
        vitviz.load("dinov2-small")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[:5000] + bytes(len(data) - 5000),
        lambda data: b"",
    ],
    ids=["cut", "one bit", "zeros", "empty"],
)
def test_damaged_weights_are_said(damage, monkeypatch, tmp_path):
    whole = zoo.SHIPPED["digits"].path.read_bytes()
    monkeypatch.setattr(shipped, "assets", lambda: tmp_path)
    path = zoo.SHIPPED["digits"].path
    path.parent.mkdir()
    path.write_bytes(damage(whole))
    with pytest.raises(ModelError, match=mentions("'digits'", "damaged", zoo.SHIPPED["digits"].path.name)):
        vitviz.load("digits")


def test_the_shipped_model_needs_neither_timm_nor_torchvision_nor_a_user_interface(photo):
    code = """
import os, sys, vitviz
names = [getattr(vitviz, name) for name in vitviz.__all__]
print(*sorted({name.partition(".")[0] for name in sys.modules}))
print(vitviz.load("dinov2-small").trace(os.environ["PHOTO"]).attention(11, 3, 0).sum())
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    imported, total, used = in_a_new_process(code, PHOTO=str(photo)).splitlines()
    assert float(total) == pytest.approx(1, abs=1e-5)
    for modules in (imported.split(), used.split()):
        assert not {"timm", "torchvision", "streamlit", "plotly", "huggingface_hub"} & set(modules)
    assert "torch" in imported.split()


# --- Unknown names ---------------------------------------------------------------------------------------------------


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
    message = str(caught.value)
    assert_mentions(message, repr(name))
    nearest = [word.rsplit(" ", 1)[-1] for word in message.removesuffix(".").split("; ")[-1].split(", ")]
    assert len(set(nearest)) == 3
    for found in nearest:
        assert found in zoo.SHIPPED or found in timm.list_pretrained() or timm.is_model(found)
    assert near is None or near in nearest


# --- The catalogue ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", zoo.CURATED)
def test_what_is_said_of_a_curated_model_is_what_timm_says(name):
    entry = zoo.CURATED[name]
    assert entry.summary.endswith(".")
    assert replace(measure(name), title=entry.title, summary=entry.summary) == entry
    config = pretrained_config(name)
    assert source_of(name) == Source(config["hf_hub_id"])
    assert "hf_hub_filename" not in config


def test_the_curated_titles_are_all_different():
    titles = [entry.title for entry in (*zoo.SHIPPED.values(), *zoo.CURATED.values())]
    assert len(set(titles)) == len(titles)
    assert 14 <= len(zoo.CURATED) <= 20


def test_a_download_is_about_four_bytes_for_each_parameter():
    assert zoo.CURATED["vit_tiny_patch16_224.augreg_in21k_ft_in1k"].download_bytes == 4 * 5_717_416


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vit_base_patch16_224.augreg_in21k", {"num_classes": 21843, "patch_size": 16, "licence": "apache-2.0"}),
        ("vit_base_patch16_224.bamboo", {"num_classes": 115217, "embedding_dim": 0, "licence": ""}),
        ("vit_base_patch16_clip_224.laion2b", {"num_classes": 0, "embedding_dim": 512, "image_size": (224, 224)}),
        ("vit_base_patch16_sapiens2.fb", {"image_size": (1024, 768), "hub_id": "timm/vit_base_patch16_sapiens2.fb"}),
        ("vit_small_r26_s32_224.augreg_in21k", {"patch_size": 32, "num_classes": 21843}),
        ("naflexvit_base_patch16_siglip.v2_webli", {"patch_size": 16, "num_classes": 0}),
        ("vit_huge_patch14_gap_224.in1k_ijepa", {"hub_id": "", "patch_size": 14}),
        ("vit_tiny_patch16_224", {"parameters": 5_717_416, "title": "vit_tiny_patch16_224", "summary": ""}),
    ],
)
def test_facts_of_any_pretrained_model_need_no_weights(name, expected):
    found = zoo.facts(name)
    assert {key: getattr(found, key) for key in expected} == expected


def test_facts_of_a_curated_model_come_with_its_title():
    assert zoo.facts("vit_small_patch8_224.dino") is zoo.CURATED["vit_small_patch8_224.dino"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dinov2 small", ("vit_small_patch14_dinov2.lvd142m", "vit_small_patch14_reg4_dinov2.lvd142m")),
        ("SMALL  DINOv2 reg4", ("vit_small_patch14_reg4_dinov2.lvd142m",)),
        ("perception ti/16", ("vit_pe_core_tiny_patch16_384.fb",)),
        ("swin", ()),
        ("resnet50", ()),
        ("no such thing", ()),
    ],
)
def test_search_finds_words_in_any_order(text, expected):
    assert zoo.search(text) == expected


def test_search_shows_curated_models_first_and_keeps_to_its_limit():
    everything = zoo.search("", limit=10_000)
    assert everything[: len(zoo.CURATED)] == tuple(zoo.CURATED)
    assert len(set(everything)) == len(everything) > 300
    assert zoo.search("", limit=3) == everything[:3]
    assert zoo.search("naflexvit", limit=1) == ("naflexvit_base_patch16_gap.e300_s576_in1k",)


def test_nobody_has_published_weights_of_some_architectures():
    with pytest.raises(ModelError, match="'vit_base_patch16_18x2_224'"):
        zoo.load("vit_base_patch16_18x2_224")


# --- Class names and preprocessing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "index", "name"),
    [
        (1000, 281, "tabby"),
        (1000, 134, "crane: large long-necked wading bird of marshes and plains in many parts of the world"),  # not 517
        (1000, 638, "maillot"),
        (1000, 639, "maillot, tank suit"),
        (11821, 2, "person"),
        (21841, 6, "plant, flora, plant life"),
        (21843, 0, "organism"),
        (21842, 3, "tiger shark"),
        (11221, 3, "animal"),
    ],
)
def test_class_names_are_readable(count, index, name):
    names = labels_of({"num_classes": count})
    assert len(names) == count
    assert names[index] == name


@pytest.mark.parametrize("count", [0, 2, 512, 999, None])
def test_other_counts_have_no_names(count):
    assert labels_of({"num_classes": count}) == ()


def test_names_in_the_configuration_win():
    said = {"num_classes": 2, "label_names": ["n1", "n2"], "label_descriptions": {"n1": "tabby, tabby cat"}}
    assert labels_of(said) == ("tabby", "n2")
    assert labels_of({"num_classes": 1000, "label_names": [f"mine {i}" for i in range(1000)]})[7] == "mine 7"
    assert labels_of({"num_classes": 3, "label_names": ["too", "few"]}) == ()


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
        "vit_medium_patch16_gap_384.sw_in12k_ft_in1k",
        "vit_small_patch16_lingbot.robbyant",
        "vit_base_patch16_clip_224.openai",
        "flexivit_small.300ep_in1k",
    ],
)
def test_a_model_sees_what_timm_shows_it(name, photo):
    """The preprocessing equals timm's evaluation transform in every pixel."""
    from timm.data import create_transform, resolve_data_config

    pretrained = pretrained_config(name)
    transform = create_transform(**resolve_data_config(pretrained_cfg=pretrained))
    ours = from_timm_config(pretrained)
    size = pretrained["input_size"][1]
    seen = prepare(read_image(photo), size, size, ours.fit, ours)
    expected = transform(Image.open(photo).convert("RGB")).numpy()
    assert np.allclose(normalise(seen.pixels, ours), expected, atol=1e-5)


def test_a_border_is_a_pad():
    assert from_timm_config({"crop_mode": "border"}).fit == "pad"
    assert from_timm_config({"mean": (0, 0, 0)}).crop_fraction == 0.875  # timm's default
    with pytest.raises(ModelError, match="'spiral'"):
        from_timm_config({"crop_mode": "spiral"})


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
    ("changes", "facts"),
    [
        ({"cls_token": None}, ("cls_token", "missing")),
        ({"extra": torch.zeros(2)}, ("extra", "not expected")),
        ({"norm.bias": torch.zeros(23)}, ("norm.bias", "(23,)", "(24,)")),
        (
            {"head.weight": torch.zeros(24, 5), "cls_token": None, "b": torch.zeros(1)},
            ("cls_token", "missing", "b", "not expected", "head.weight", "(24, 5)", "(5, 24)"),
        ),
        ({str(i): torch.zeros(1) for i in range(5)}, (*range(5), "not expected")),
        (
            {str(i): torch.zeros(1) for i in range(17)},
            (*range(5), "not expected", 12),
        ),
    ],
)
def test_wrong_weights_are_refused_by_name(changes, facts):
    with pytest.raises(ModelError) as caught:
        build(SMALL, weights(**changes), name="mine", preprocessing=Preprocessing())
    message = str(caught.value)
    assert_mentions(message, "'mine'", *facts)
    assert message.count(";") == max(0, min(len(changes), 5) - 1)


def test_weights_of_another_model_are_refused():
    with pytest.raises(ModelError, match=mentions("blocks.2.norm1.weight", 9)):
        build(replace(SMALL, depth=2), weights(), name="mine", preprocessing=Preprocessing())


@pytest.mark.parametrize("count", [1000, 11221, 11821, 21841, 21843])
def test_no_two_classes_have_the_same_name(count):
    assert len(set(imagenet_labels(count))) == count


@pytest.mark.parametrize(
    ("text", "first", "without"),
    [
        ("siglip 2", "vit_base_patch16_siglip_224.v2_webli", ".webli"),
        ("dino 8", "vit_small_patch8_224.dino", "patch16"),
    ],
)
def test_a_number_is_found_where_it_stands_alone(text, first, without):
    found = zoo.search(text)
    assert found[0] == first
    assert not any(without in name for name in found)


def test_a_name_that_no_file_can_have_is_unknown():
    with pytest.raises(ModelError, match="aaa"):
        vitviz.load("a" * 300)
