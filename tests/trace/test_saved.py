"""Saved traces: the same numbers with and without the model; invalid files are refused."""

import copy
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import vitviz
from tests.support.facts import mentions
from tests.support.image_files import assert_one_sentence
from tests.support.random_models import CONFIGS, POOLED, trace_of
from vitviz import ModelError, TraceError, VitvizError
from vitviz.model.edits import ActivationPatch, HeadAblation, KeyMask, Temperature
from vitviz.notation import view
from vitviz.trace import trace_file
from vitviz.viz import export
from vitviz.walkthrough import sequence, steps


@pytest.fixture
def path(tmp_path):
    return tmp_path / "it.trace"


def opened(trace, path, **options):
    trace.save(path)
    return vitviz.open_trace(path, **options)


def assert_same_numbers(one, other):
    assert one.grid == other.grid
    assert one.edits == other.edits
    assert one.edited == other.edited
    assert one.config == other.config
    assert np.array_equal(one.output, other.output)
    for layer in range(one.layers):
        for name in ("attention", "scores", "heatmap", "queries", "keys"):
            assert np.array_equal(getattr(one, name)(layer), getattr(other, name)(layer)), name
        assert one.row_sum(layer) == other.row_sum(layer)
    if one.config.pooling == "attention":
        assert np.array_equal(one.attention("pool"), other.attention("pool"))
    assert view.default_token(one) == view.default_token(other)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_trace_of_every_kind_comes_back(kind, path):
    trace = trace_of(kind)
    found = opened(trace, path)
    assert_same_numbers(trace, found)
    assert np.array_equal(trace.pixels(), found.pixels())
    assert (found.model.name, found.model.labels, found.model.output_kind) == (kind, (), "classes")
    weights = sum(value.nbytes for name, value in load_file(path).items() if name.startswith("model."))
    assert trace.nbytes <= path.stat().st_size <= trace.nbytes + weights + 4000
    assert found.nbytes == trace.nbytes
    assert_same_numbers(trace, opened(found, path.with_name("again")))


@pytest.mark.parametrize("kind", CONFIGS)
def test_with_its_model_a_trace_can_do_everything(kind, path):
    trace = trace_of(kind)
    found = opened(trace, path, model=trace.model)
    assert found.model is trace.model
    assert np.array_equal(trace.tokens(1), found.tokens(1))
    assert np.array_equal(
        found.rerun(edits=[HeadAblation(1, 0)]).output, trace.rerun(edits=[HeadAblation(1, 0)]).output
    )


def test_the_model_is_not_in_the_file(small, photo, path):
    trace = small.trace(photo)
    trace.save(path)
    weights = sum(value.nbytes for value in small.state_dict().values())
    assert path.stat().st_size < trace.nbytes + 8000 < trace.nbytes + weights < len(pickle.dumps(trace))


def test_a_picture_comes_back_with_its_geometry_and_what_was_recorded(small, photo, path):
    trace = small.trace(photo, fit="pad", record=("blocks.*.resid_post", "norm"))
    found = opened(trace, path)
    assert found.image.geometry == trace.image.geometry
    assert found.image.notes == trace.image.notes
    assert np.array_equal(found.image.pixels, trace.image.pixels)
    assert np.array_equal(found.pixels(), trace.pixels())
    assert np.array_equal(found.tokens(-1), trace.tokens(-1))
    assert np.array_equal(found.activation("norm"), trace.activation("norm"))
    assert not found.output.flags.writeable
    assert not found.tokens(0).flags.writeable
    looked = view.View(1, 1, 0)
    about, same = (export.metadata(one, looked, "cat.jpg", "small", "pad") for one in (trace, found))
    assert about == same
    png = [export.overlay_png(one, looked, one.image.picture(), about) for one in (trace, found)]
    npz = [export.arrays_npz(one, looked, about) for one in (trace, found)]
    assert png[0] == png[1]
    assert len(npz[0]) == len(npz[1])
    rollout = [vitviz.explain(one.model, one, method="rollout").map for one in (trace, found)]
    assert np.array_equal(*rollout)


def test_names_of_classes_and_what_was_assumed_come_back(small, photo, path):
    small = vitviz.VisionTransformer(small.config, "näme", labels=tuple("αβγδε"), output_kind="independent")
    small.notes = ("Something was assumed.",)
    found = opened(small.trace(photo), path).model
    assert (found.name, found.labels, found.output_kind, found.notes) == (
        small.name,
        small.labels,
        "independent",
        small.notes,
    )
    assert found.is_classifier


@pytest.mark.parametrize("kind", ["plain", *POOLED, "differential", "mean"])
def test_edits_come_back(kind, small, photo, path):
    trace = small.trace(photo) if kind == "plain" else trace_of(kind)
    values = np.ones((trace.token_count, trace.config.embed_dim), np.float32)
    edits = [
        HeadAblation(0, 1),
        Temperature(1, 0, 0.3),
        KeyMask(trace.prefix + 2),
        ActivationPatch(1, None, "mlp", values),
    ]
    edited = trace.rerun(edits=edits)
    assert_same_numbers(edited, opened(edited, path))
    assert np.array_equal(opened(edited, path, model=trace.model).tokens(0), edited.tokens(0))
    with vitviz.edit({"norm": torch.zeros_like}):
        unknown = trace.rerun()
    assert opened(unknown, path, model=trace.model).edited
    with pytest.raises(vitviz.HookError):
        opened(unknown, path, model=trace.model).tokens(0)


NEEDS_THE_MODEL = {
    "tokens": lambda trace: trace.tokens(0),
    "rerun": lambda trace: trace.rerun(),
    "another image": lambda trace: trace.model.trace(trace.image.picture()),
    "forward": lambda trace: trace.model(torch.zeros(1, 3, 32, 32)),
    "positions": lambda trace: trace.model.positions(2, 2),
    "lens": vitviz.lens,
    "explain": lambda trace: vitviz.explain(trace.model, trace),
    "steps": lambda trace: steps.block_by_hand(trace, 0, 0, 0, 0),
    "readout": lambda trace: steps.readout_by_hand(trace),
    "sequence": lambda trace: sequence.patch_matrix(trace) is None or sequence.sequence(trace),
    "filters": lambda trace: sequence.filters(trace.model),
    "sweeps": lambda trace: vitviz.sweep_heads(trace.model, trace, 0),
    "curves": lambda trace: vitviz.faithfulness.curves(trace.model, trace, np.zeros(trace.grid), None),
}


@pytest.mark.parametrize("what", NEEDS_THE_MODEL)
def test_what_needs_the_model_says_so_and_how(what, small, photo, path):
    trace = opened(small.trace(photo), path)
    with pytest.raises(ModelError, match=r"open_trace\(path, model=model\)") as caught:
        NEEDS_THE_MODEL[what](trace)
    assert_one_sentence(str(caught.value))
    NEEDS_THE_MODEL[what](opened(small.trace(photo), path, model=small))


NEED_THE_SAME_MODEL = {
    "explain": lambda model, trace: vitviz.explain(model, trace, method="occlusion").map,
    "curves": lambda model, trace: vitviz.faithfulness.curves(model, trace, np.ones(trace.grid), 0).deletion,
    "sweep": lambda model, trace: vitviz.sweep_layers(model, trace, vitviz.ClassTarget(0)),
}


@pytest.mark.parametrize("ask", NEED_THE_SAME_MODEL.values(), ids=NEED_THE_SAME_MODEL)
def test_the_advice_on_a_trace_without_its_model_or_of_a_copy_works(ask, small, photo, path):
    trace = small.trace(photo)
    trace.save(path)
    with pytest.raises(VitvizError, match=r"open_trace\(path, model=model\)"):
        ask(small, vitviz.open_trace(path))
    expected = ask(small, vitviz.open_trace(path, model=small))
    copied = copy.deepcopy(small)
    with pytest.raises(VitvizError, match=mentions(f"{small.name!r}", "trace.model")):
        ask(copied, trace)
    assert np.array_equal(ask(trace.model, trace), expected)


def test_another_model_is_refused(small, photo, path):
    trace = small.trace(photo)
    trace.save(path)
    other = vitviz.VisionTransformer(small.config, small.name, small.preprocessing)
    other.load_state_dict(small.state_dict())
    assert vitviz.open_trace(path, model=other).model is other
    others = []
    others.append(vitviz.VisionTransformer(small.config, small.name, small.preprocessing))
    with torch.no_grad():
        others[0].load_state_dict(small.state_dict())
        others[0].blocks[1].mlp.fc1.bias[0] += 1e-6
    others.append(vitviz.VisionTransformer(small.config, "grey", vitviz.Preprocessing((0.5,), (0.5,))))
    others[1].load_state_dict(small.state_dict())
    others.append(trace_of("mean").model)
    for model in others:
        with pytest.raises(TraceError, match=mentions(path.name, f"{small.name!r}", f"{model.name!r}")) as caught:
            vitviz.open_trace(path, model=model)
        assert_one_sentence(str(caught.value))


# --- Files that are no trace, or not a whole one ---------------------------------------------------------------------


def forged(path, *, about=None, tensors=None, version=None):
    """Change the content of a file and write the matching checksum."""
    found = {**load_file(path)}
    with trace_file.safe_open(path, "numpy") as file:
        metadata = dict(file.metadata())
    said = json.loads(metadata["trace"])
    if tensors:
        tensors(found)
    if about:
        said = about(said) or said
    text = said if isinstance(said, str) else json.dumps(said)
    metadata |= {"trace": text, "sha256": trace_file.checksum(found, text)}
    if version:
        metadata["version"] = version
    save_file(found, path, metadata)


def change(key, value):
    def about(said):
        *outer, last = key.split(".")
        inner = said
        for part in outer:
            inner = inner[part]
        inner[last] = value

    return about


FORGED = {
    "another version": {"version": "1"},
    "no JSON": {"about": lambda said: "{"},
    "nested JSON": {"about": lambda said: "[" * 10**5},
    "a list": {"about": lambda said: "[]"},
    "nothing said": {"about": lambda said: "{}"},
    "an endless depth": {"about": change("config.depth", 10**12)},
    "no depth": {"about": change("config.depth", 0)},
    "other heads": {"about": change("config.num_heads", 1)},
    "a text for a number": {"about": change("config.num_heads", "3")},
    "an unknown field": {"about": change("config.colour", 1)},
    "an unknown pooling": {"about": change("config.pooling", "x")},
    "a stem": {"about": change("config.stem", [1])},
    "another grid": {"about": change("grid", [6, 4])},
    "a grid of one side": {"about": change("grid", [4])},
    "a huge grid": {"about": change("grid", [10**9, 10**9])},
    "a grid below zero": {"about": change("grid", [-4, -6])},
    "labels that are no texts": {"about": change("labels", [1, 2, 3, 4, 5])},
    "labels too few": {"about": change("labels", ["a"])},
    "a name that is none": {"about": change("name", {})},
    "no meaning": {"about": change("output_kind", "x")},
    "an edit of nothing": {"about": change("edits", [{"kind": "HeadAblation", "layer": 9, "head": 0, "how": "zero"}])},
    "an edit that is none": {"about": change("edits", [{"kind": "Trace"}])},
    "an edit without values": {
        "about": change("edits", [{"kind": "ActivationPatch", "layer": 0, "head": 0, "sublayer": "mlp"}])
    },
    "an image that is not there": {"about": change("image", {"geometry": {}, "notes": []})},
    "a preprocessing that is none": {"about": change("preprocessing.std", [0, 0, 0])},
    "a tensor too few": {"tensors": lambda found: found.pop("keys.1")},
    "a tensor too many": {"tensors": lambda found: found.update(more=np.zeros(3))},
    "another shape": {"tensors": lambda found: found.update({"keys.1": np.zeros((3, 5, 8), np.float32)})},
    "another type": {"tensors": lambda found: found.update(output=np.zeros(5))},
    "a wrong record": {"tensors": lambda found: found.update({"recorded.norm": np.zeros((1, 24), np.float32)})},
}


@pytest.mark.parametrize("kind", ["mean", "relative", "pooled"])
@pytest.mark.parametrize("what", FORGED)
def test_a_forged_file_is_refused(what, kind, path):
    trace_of(kind).save(path)
    forged(path)
    vitviz.open_trace(path)
    forged(path, **FORGED[what])
    with pytest.raises(TraceError) as caught:
        vitviz.open_trace(path)
    assert_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patch", 3),
        ("model", [16, 16]),
        ("content", [0, 0, 0, 0]),
        ("source", ["a", 0, 1, 1]),
        ("original", [5]),
        ("original", [10**400, 5]),
        ("content", None),
    ],
)
def test_a_geometry_that_makes_no_sense_is_refused(key, value, small, photo, path):
    small.trace(photo).save(path)
    forged(path, about=change(f"image.geometry.{key}", value))
    with pytest.raises(TraceError):
        vitviz.open_trace(path)


def test_a_damaged_file_is_refused(path):
    trace_of("pooled").save(path)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    header = int.from_bytes(whole[:8], "little")
    places = [*random.integers(8, 8 + header, 60), *random.integers(8 + header, len(whole), 20), 3, len(whole) - 1]
    damaged = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in map(int, places)]
    damaged += [b"", b"x", whole[:7], whole[:500], whole[:-1], whole + b"x", b"\xff" * 8 + whole[8:], b"PK\3\4" + whole]
    damaged += [pickle.dumps({"a": 1}), (10**7).to_bytes(8, "little") + b"{" * 10**5]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(TraceError) as caught:
            vitviz.open_trace(path)
        assert_one_sentence(str(caught.value))


def test_other_files_and_paths_are_refused(small, tmp_path, photo):
    checkpoint = tmp_path / "model.safetensors"
    save_file({"a": np.zeros(3)}, checkpoint)
    for path in (checkpoint, photo, tmp_path, tmp_path / "nothing", "a\0b", "x" * 5000):
        with pytest.raises(TraceError) as caught:
            vitviz.open_trace(path)
        assert_one_sentence(str(caught.value))
    trace = small.trace(photo)
    for path in (tmp_path, tmp_path / "no" / "folder", "a\0b", tmp_path / ("x" * 5000)):
        with pytest.raises(TraceError) as caught:
            trace.save(path)
        assert_one_sentence(str(caught.value))
    assert sorted(tmp_path.iterdir()) == [checkpoint], "nothing is left behind"


def test_the_usual_size_of_a_model_is_no_other_model(small, photo, path):
    small.trace(photo).save(path)
    other = vitviz.VisionTransformer(small.config, small.name, replace(small.preprocessing, size=48))
    other.load_state_dict(small.state_dict())
    assert vitviz.open_trace(path, model=other).model is other


def test_whoever_can_read_other_files_can_read_a_trace(small, photo, path, tmp_path):
    small.trace(photo).save(path)
    (tmp_path / "other").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_an_existing_file_is_replaced_as_a_whole(small, photo, path):
    path.write_text("before")
    small.trace(photo).save(path)
    assert vitviz.open_trace(str(path)).grid == small.trace(photo).grid
