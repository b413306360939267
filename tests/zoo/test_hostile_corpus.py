"""Checkpoints that lie, are cut, are two files in one, leave their folder, call functions, or swell when read."""

import json
import pickle
from contextlib import suppress
from pickle import UnpicklingError

import pytest
import torch

import vitviz
from tests.support.facts import mentions
from tests.support.hostile import checkpoints
from tests.support.hostile.images import AFTER, PAGE, SMALL_FILES
from tests.support.hostile.limits import cpu_limit, handled, lacks_memory, memory_limit
from vitviz import ModelError
from vitviz.zoo.checkpoint import read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore")


def written(path, data):
    path.write_bytes(data)
    return path


def test_the_small_checkpoint_is_valid_in_every_format(tmp_path):
    for name, data in (("a.safetensors", checkpoints.safetensors()), ("a.pth", checkpoints.pth())):
        model = vitviz.load(written(tmp_path / name, data), num_heads=2)
        assert (model.config.depth, model.config.num_classes) == (2, 3)
    old = vitviz.load(written(tmp_path / "old.pth", checkpoints.pth(legacy=True)), num_heads=2)
    assert old.labels == model.labels == ("cat", "dog", "fox")


@pytest.mark.parametrize("lie", checkpoints.LIES)
def test_a_lying_safetensors_file_is_refused(lie, tmp_path):
    path = written(tmp_path / "a.safetensors", checkpoints.LIES[lie])
    assert handled(lambda: vitviz.load(path, num_heads=2)) is None


@pytest.mark.parametrize("dtype", checkpoints.BITS)
def test_a_type_that_no_weights_have_is_refused(dtype, tmp_path):
    path = written(tmp_path / "a.safetensors", checkpoints.of_type(dtype))
    assert handled(lambda: vitviz.load(path)) is None


def test_a_tensor_of_tensors_is_refused(tmp_path):
    torch.save({"cls_token": torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)])}, tmp_path / "a.pth")
    assert handled(lambda: vitviz.load(tmp_path / "a.pth")) is None


@pytest.mark.parametrize("kind", ["a.safetensors", "a.pth", "old.pth"])
def test_a_checkpoint_cut_at_every_tenth_is_refused(kind, tmp_path):
    data = {
        "a.safetensors": checkpoints.safetensors(),
        "a.pth": checkpoints.pth(),
        "old.pth": checkpoints.pth(legacy=True),
    }[kind]
    for tenth in range(10):
        path = written(tmp_path / kind, data[: len(data) * tenth // 10])
        assert handled(lambda path=path: vitviz.load(path, num_heads=2)) is None


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "vitviz.toml"])
def test_a_text_beside_a_checkpoint_that_is_cut_at_every_tenth_is_handled(name, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(checkpoints.safetensors())
    (tmp_path / "config.json").write_text(json.dumps(checkpoints.CONFIG))
    text = checkpoints.TOML if name == "vitviz.toml" else json.dumps(checkpoints.PREPROCESSOR)
    for tenth in range(10):
        (tmp_path / name).write_text(text[: len(text) * tenth // 10])
        handled(lambda: vitviz.load(tmp_path, num_heads=2))


# --- Two files in one ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["GIF", "PNG", "JPEG"])
def test_an_image_with_a_checkpoint_behind_it_is_refused(image, tmp_path):
    for name in ("a.pth", "a.safetensors"):
        path = written(tmp_path / name, SMALL_FILES[image] + checkpoints.pth())
        assert handled(lambda path=path: vitviz.load(path, num_heads=2)) is None


@pytest.mark.parametrize("after", AFTER)
def test_what_follows_a_checkpoint_changes_nothing_in_it(after, tmp_path):
    for name, data in (("a.pth", checkpoints.pth()), ("a.safetensors", checkpoints.safetensors())):
        path = written(tmp_path / name, data + AFTER[after])
        model = handled(lambda path=path: vitviz.load(path, num_heads=2))
        assert model is None or torch.equal(model.head.weight, checkpoints.weights()["head.weight"])


def test_a_second_pickle_of_the_same_name_is_not_run(tmp_path):
    marker = tmp_path / "marker"
    records = checkpoints.records(checkpoints.pth())
    hostile = checkpoints.gadgets(str(marker))["REDUCE"]
    twice = {**records, "archive/DATA.PKL": hostile, "data.pkl": hostile, "other/data.pkl": hostile}
    for contents in (twice, dict(reversed(twice.items())), {"archive/data.pkl": hostile, **records}):
        handled(lambda c=contents: vitviz.load(written(tmp_path / "a.pth", checkpoints.archive_of(c)), num_heads=2))
        assert not marker.exists()


# --- Names that leave the folder -------------------------------------------------------------------------------------

OUTSIDE = ("../evil", "../../evil", "{folder}/evil", "archive/../../evil", "..\\evil", "archive/data/../../../evil")


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_record_of_an_archive_is_never_unpacked(name, tmp_path):
    (tmp_path / "run").mkdir()
    name = name.format(folder=tmp_path)
    records = {**checkpoints.records(checkpoints.pth()), name: b"evil"}
    before = sorted(tmp_path.rglob("*"))
    path = written(tmp_path / "run" / "a.pth", checkpoints.archive_of(records))
    handled(lambda: vitviz.load(path, num_heads=2))
    assert sorted(tmp_path.rglob("*")) == sorted([*before, path])


@pytest.mark.parametrize(
    "file",
    [
        "",
        "..",
        ".",
        "../a.safetensors",
        "/etc/passwd",
        "a\0b",
        "x" * 300,
        "x" * 100_000,
        "a\nb",
        "\ud800",
        PAGE.decode(),
    ],
)
def test_an_index_that_lists_no_file_of_its_folder_is_refused(file, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(checkpoints.CONFIG))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"cls_token": file}}))
    assert handled(lambda: vitviz.load(tmp_path)) is None


def test_a_very_long_name_in_an_index_makes_no_very_long_message(tmp_path):
    weight_map = {**dict.fromkeys(checkpoints.weights(), "a.safetensors"), "x" * 1_000_000: "a.safetensors"}
    (tmp_path / "a.safetensors").write_bytes(checkpoints.safetensors())
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelError) as caught:
        vitviz.load(tmp_path)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("config.json", {"hidden_act": "x" * 100_000}),
        ("config.json", {"hidden_act": ["gelu"] * 100_000}),
        ("config.json", {"layer_norm_eps": "9" * 100_000}),
        ("preprocessor_config.json", {"image_mean": [5] * 100_000}),
    ],
)
def test_a_very_long_setting_makes_no_very_long_message(name, setting, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(checkpoints.safetensors())
    right = checkpoints.CONFIG if name == "config.json" else checkpoints.PREPROCESSOR
    (tmp_path / "config.json").write_text(json.dumps(checkpoints.CONFIG))
    (tmp_path / name).write_text(json.dumps({**right, **setting}))
    with pytest.raises(ModelError) as caught:
        vitviz.load(tmp_path)
    assert len(str(caught.value)) < 500


# --- Code ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "way", ["REDUCE", "INST", "OBJ", "STACK_GLOBAL", "BUILD", "eval", "getattr", "a persistent name"]
)
def test_the_pickles_would_run(way, tmp_path):
    with suppress(UnpicklingError):
        pickle.loads(checkpoints.gadgets(str(tmp_path / "marker"))[way])
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("way", checkpoints.gadgets(""))
@pytest.mark.parametrize("form", ["zip", "bare", "old format", "safetensors"])
def test_no_opcode_calls_a_function(way, form, tmp_path):
    marker = tmp_path / "marker"
    data = hostile = checkpoints.gadgets(str(marker))[way]
    name = "a.safetensors" if form == "safetensors" else "a.pth"
    if form == "zip":
        data = checkpoints.archive_of({**checkpoints.records(checkpoints.pth()), "archive/data.pkl": hostile})
    elif form == "old format":
        data = checkpoints.START_OF_OLD_FILES + hostile
    path = written(tmp_path / name, data)
    handled(lambda: vitviz.load(path, num_heads=2))
    assert not marker.exists()


# --- Small files that describe much ----------------------------------------------------------------------------------

SWELLING = {
    "an axis without values": (checkpoints.with_empty_axis, "a.safetensors", mentions("head.weight", "shape")),
    "shared numbers": (checkpoints.with_shared_numbers, "a.pth", "same numbers"),
    "a storage larger than the file": (checkpoints.claiming_values, "a.pth", mentions("'a.pth'", "values", "bytes")),
    "a text longer than the file": (checkpoints.claiming_text, "a.pth", mentions("'a.pth'", "damaged")),
    "very many layers": (checkpoints.with_many_layers, "a.safetensors", mentions("50,000 layers", 256)),
    "an endless option": (checkpoints.with_endless_option, "a.pth", mentions("a tuple", "'img_size'")),
}


@pytest.mark.parametrize("what", SWELLING)
def test_what_would_swell_is_refused_by_name(what, tmp_path):
    make, name, facts = SWELLING[what]
    path = written(tmp_path / name, make())
    with memory_limit(), cpu_limit(), pytest.raises(ModelError, match=facts) as caught:
        vitviz.load(path, num_heads=2)
    assert not lacks_memory(caught.value)


def test_views_of_one_buffer_are_no_swelling(tmp_path):
    """FSDP and others keep all weights in one buffer; a tied or copied weight is stored once."""
    weights = checkpoints.weights()
    buffer = torch.cat([value.ravel() for value in weights.values()])
    sizes = [value.numel() for value in weights.values()]
    views = [part.view(value.shape) for part, value in zip(buffer.split(sizes), weights.values(), strict=True)]
    torch.save({"a": dict(zip(weights, views, strict=True))}, tmp_path / "a.pth")
    assert vitviz.load(tmp_path / "a.pth", num_heads=2).config.depth == 2


def test_arguments_that_merge_to_a_billion_pairs_are_read_or_left_out(tmp_path):
    path = written(tmp_path / "a.pth", checkpoints.with_merged_arguments())
    with memory_limit(), cpu_limit():
        assert len(read_checkpoint(path).args) < 1000


@pytest.mark.parametrize("part", ["a", '"="', "'a' ", '"a" '])
def test_a_key_of_very_many_parts_is_refused_before_it_is_parsed(part, tmp_path, monkeypatch):
    path = written(tmp_path / "a.safetensors", checkpoints.safetensors())
    (tmp_path / "a.toml").write_text(f"{'.'.join([part] * (99_000 // (len(part) + 1)))} = 1\n")
    monkeypatch.setattr("tomllib.loads", lambda _: pytest.fail("it was parsed"))
    with pytest.raises(ModelError, match=mentions("a.toml", 20)):
        vitviz.load(path)


def test_names_with_dots_are_no_deep_keys(tmp_path):
    path = written(tmp_path / "a.safetensors", checkpoints.safetensors())
    (tmp_path / "a.toml").write_text('num_heads = 2\nclasses = ["a. b. c", "e.g. a cat...", "1.5"]\n')
    assert vitviz.load(path).labels[1] == "e.g. a cat..."
