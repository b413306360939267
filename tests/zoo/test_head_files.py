"""Linear heads: their files and fields, and the refusal of damaged and hostile ones."""

import io
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import vitviz
from tests.support.facts import assert_mentions
from tests.support.head_refusals import refusal
from tests.support.heads import file_of, head_for, jpeg, parts_of
from tests.support.hostile.checkpoints import BITS, LIES, gadgets, of_type, pth, safetensors
from tests.support.hostile.images import AFTER
from tests.support.image_files import noise
from vitviz.images import prepare, read_image
from vitviz.zoo.heads import attached, head_bytes, name_of_file, read_head, thumbnail
from vitviz.zoo.heads.head_file import FORMAT
from vitviz.zoo.heads.thumbnails import MOST_BYTES, MOST_THUMBNAILS

FIELDS = ("name", "labels", "pooling", "output_kind", "model", "fingerprint", "preprocessing", "counts", "correct")
THUMBNAILS = ((jpeg(), jpeg(20)), (), (jpeg(12, "red"),))


@pytest.fixture(scope="module")
def head(small):
    return head_for(small)


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_thumbnails", [True, False])
def test_a_file_gives_the_same_head(head, tmp_path, with_thumbnails):
    saved = replace(head, thumbnails=THUMBNAILS, output_kind="independent", correct=None)
    saved.save(tmp_path / "cups.safetensors", with_thumbnails=with_thumbnails)
    opened = vitviz.open_head(tmp_path / "cups.safetensors")
    assert [getattr(opened, name) for name in FIELDS] == [getattr(saved, name) for name in FIELDS]
    assert np.array_equal(opened.weight, saved.weight)
    assert np.array_equal(opened.bias, saved.bias)
    assert opened.thumbnails == (THUMBNAILS if with_thumbnails else ())
    assert opened.digest == saved.digest
    assert not opened.weight.flags.writeable
    assert list(tmp_path.iterdir()) == [tmp_path / "cups.safetensors"]


def test_thumbnails_are_not_in_a_file_unless_asked_for(head, tmp_path):
    replace(head, thumbnails=THUMBNAILS).save(tmp_path / "cups.safetensors")
    assert b"\xff\xd8\xff" not in (tmp_path / "cups.safetensors").read_bytes()


def test_the_digest_is_that_of_what_is_computed(head, small):
    assert replace(head, name="another", correct=None, thumbnails=THUMBNAILS).digest == head.digest
    for changed in ({"bias": head.bias + 1}, {"labels": ("mug", "glass", "jar")}, {"output_kind": "independent"}):
        assert replace(head, **changed).digest != head.digest


def test_the_name_is_that_of_the_file(head):
    assert read_head(head_bytes(head), "My cups 2.SafeTensors").name == "My cups 2"
    assert name_of_file("a.b") == "a.b"
    for hostile in (
        "<b>x</b>",
        "[a](javascript:b)",
        ":material/x:",
        "a\x1b[31m\n\u202eb",
        "x" * 9999,
        "",
        ".safetensors",
    ):
        name = read_head(head_bytes(head), hostile).name
        assert 0 < len(name) <= 100
        assert not set(name) & set("<[]:\x1b\n\u202e")


def test_files_of_other_kinds_are_no_heads(head, tmp_path):
    path = tmp_path / "hostile.safetensors"
    marker = tmp_path / "code was run"
    pickles = {**gadgets(str(marker)), "a pickle of a head": pickle.dumps(parts_of(head)), "a model": pth()}
    others = {"nothing": b"", "text": b"mug glass", "weights": safetensors()} | pickles | LIES
    for data in others.values():
        path.write_bytes(data)
        assert_mentions(refusal(lambda: vitviz.open_head(path)), "hostile.safetensors")
    assert not marker.exists()


@pytest.mark.parametrize("dtype", BITS)
def test_numbers_of_any_other_type_are_refused(dtype):
    refusal(lambda: read_head(of_type(dtype), "a.safetensors"))


def test_a_file_cut_anywhere_or_with_something_added_is_refused(head):
    data = head_bytes(replace(head, thumbnails=THUMBNAILS))
    for length in range(0, len(data), 97):
        refusal(lambda length=length: read_head(data[:length], "a.safetensors"))
    for more in AFTER.values():
        refusal(lambda more=more: read_head(data + more, "a.safetensors"))
        refusal(lambda more=more: read_head(more + data, "a.safetensors"))


def test_a_changed_byte_is_noticed(head):
    data = bytearray(head_bytes(head))
    for at in range(9, len(data), 41):
        changed = bytes(data[:at]) + bytes([data[at] ^ 4]) + bytes(data[at + 1 :])
        refusal(lambda changed=changed: read_head(changed, "a.safetensors"))


def test_another_version_is_named(head):
    arrays, about = parts_of(head)
    newer = file_of(arrays, about, version="27")
    assert_mentions(refusal(lambda: read_head(newer, "cups.safetensors")), "cups.safetensors", "27", "1")
    refusal(lambda: read_head(file_of(arrays, about, format="vitviz trace"), "a"))
    assert read_head(file_of(arrays, about, format=FORMAT), "a").digest == head.digest


ABOUT = {  # changes of the description of a head
    "labels that are numbers": {"labels": [1, 2, 3]},
    "labels that are one text": {"labels": "abc"},
    "labels with indices": {"labels": {"a": 0, "b": 1, "c": 2}},
    "labels of nothing": {"labels": [None, "b", "c"]},
    "labels with HTML": {"labels": ["<img src=x onerror=alert(1)>", "b", "c"]},
    "labels with a closing tag": {"labels": ["</script>", "b", "c"]},
    "labels with a link": {"labels": ["[a](javascript:alert(1))", "b", "c"]},
    "labels with a directive": {"labels": [":red[a]", "b", "c"]},
    "labels with an icon": {"labels": [":material/home:", "b", "c"]},
    "labels with a terminal's codes": {"labels": ["\x1b[31mred", "b", "c"]},
    "labels that turn the text round": {"labels": ["a\u202eb", "b", "c"]},
    "labels of nothing but space": {"labels": [" ", "b", "c"]},
    "equal labels": {"labels": ["a", "a", "b"]},
    "too few labels": {"labels": ["a", "b"]},
    "too many labels": {"labels": ["a", "b", "c", "d"]},
    "an endless label": {"labels": ["a" * 10**5, "b", "c"]},
    "an unknown pooling": {"pooling": "max"},
    "a pooling of another width": {"pooling": "token+mean"},
    "an unknown kind": {"output_kind": "values"},
    "a model that is a number": {"model": 3},
    "no fingerprint": {"fingerprint": None},
    "counts that are texts": {"counts": ["3", "4", "5"]},
    "counts that are fractions": {"counts": [2.5, 4, 5]},
    "counts below 0": {"counts": [-3, 40, 5]},
    "counts beyond all": {"counts": [10**30, 4, 5]},
    "counts that are a text": {"counts": "345"},
    "more right than there are": {"correct": 13},
    "a part of an image right": {"correct": 2.5},
    "a preprocessing that is a list": {"preprocessing": []},
    "a preprocessing with more": {"preprocessing": {"mean": [0.5], "std": [0.5], "colour": 1}},
    "a field more": {"code": "import os"},
    "an endless size": {"size": 10**9},
    "a size that is a fraction": {"size": 24.5},
    "an unknown fit": {"fit": "stretch"},
    "a mean that is not a number": {"mean": [float("nan")] * 3},
    "a standard deviation of 0": {"std": [0, 0, 0]},
    "a mean of another number of channels": {"mean": [0.5], "std": [0.5]},
    "another mean": {"mean": [0.5, 0.5, 0.5]},
    "another crop": {"crop_fraction": 0.5},
    "a size of no whole patches": {"size": 36},
    "a size of very many patches": {"size": [7992, 7992]},
}


@pytest.mark.parametrize("change", ABOUT)
def test_changed_descriptions_are_refused(head, small, change):
    arrays, about = parts_of(head)
    changes = ABOUT[change]
    is_inner = not changes.keys() - about["preprocessing"].keys()
    changed = about | ({"preprocessing": about["preprocessing"] | changes} if is_inner else changes)
    data = file_of(arrays, changed)
    said = refusal(lambda: attached(small, read_head(data, "cups.safetensors")))
    assert "cups" in said


@pytest.mark.parametrize("field", ["labels", "pooling", "preprocessing", "counts", "correct"])
def test_a_description_that_lacks_something_is_refused(head, field):
    arrays, about = parts_of(head)
    del about[field]
    refusal(lambda: read_head(file_of(arrays, about), "a"))
    for other in ([], "abc", 3, None):
        refusal(lambda other=other: read_head(file_of(arrays, other), "a"))


def picture(data=None):
    return np.frombuffer(jpeg() if data is None else data, np.uint8)


ARRAYS = {  # changes of the arrays of a head
    "not a number": lambda weight, bias: {"weight": weight * np.float32("nan")},
    "infinite": lambda weight, bias: {"bias": bias * np.float32("inf")},
    "other types": lambda weight, bias: {"weight": weight.astype(np.float64)},
    "half precision": lambda weight, bias: {"bias": bias.astype(np.float16)},
    "whole numbers": lambda weight, bias: {"bias": bias.astype(np.int32)},
    "a row too few": lambda weight, bias: {"weight": weight[:2]},
    "turned": lambda weight, bias: {"weight": np.ascontiguousarray(weight.T)},
    "one axis": lambda weight, bias: {"weight": weight.ravel()},
    "empty": lambda weight, bias: {"weight": weight[:, :0]},
    "a bias too many": lambda weight, bias: {"bias": np.append(bias, bias[:1])},
    "another array": lambda *_: {"code": picture()},
    "a negative class": lambda *_: {"thumbnails.-1.0": picture()},
    "a class that is not there": lambda *_: {"thumbnails.3.0": picture()},
    "a class with other digits": lambda *_: {"thumbnails.\u0661.0": picture()},
    "a class beyond all": lambda *_: {f"thumbnails.{10**30}.0": picture()},
    "a gap": lambda *_: {"thumbnails.0.0": picture(), "thumbnails.0.2": picture()},
    "three numbers": lambda *_: {"thumbnails.0.0.0": picture()},
    "a leading 0": lambda *_: {"thumbnails.0.00": picture()},
    "floats": lambda *_: {"thumbnails.0.0": picture().astype(np.float32)},
    "two axes": lambda *_: {"thumbnails.0.0": picture()[None]},
    "PNG": lambda *_: {"thumbnails.0.0": picture(jpeg(kind="PNG"))},
    "nothing": lambda *_: {"thumbnails.0.0": picture()[:0]},
    "half a picture": lambda *_: {"thumbnails.0.0": picture(jpeg()[: len(jpeg()) // 2])},
    "a web page": lambda *_: {"thumbnails.0.0": picture(b"\xff\xd8\xff<script>")},
    "a large file": lambda *_: {"thumbnails.0.0": picture(jpeg() + bytes(MOST_BYTES))},
    "many pixels": lambda *_: {"thumbnails.0.0": picture(jpeg(2000))},
    "very many": lambda *_: {f"thumbnails.0.{i}": picture() for i in range(MOST_THUMBNAILS + 1)},
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_wrong_arrays_are_refused(head, kind):
    arrays, about = parts_of(head)
    assert read_head(file_of(arrays, about), "a").digest == head.digest
    data = file_of(arrays | ARRAYS[kind](arrays["weight"], arrays["bias"]), about)
    refusal(lambda: read_head(data, "a"))


def test_what_is_no_file_is_not_read(head, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("none.safetensors", "pipe.safetensors", "folder.safetensors", "", "a\0b", "x" * 5000, "/dev/zero"):
        refusal(lambda name=name: vitviz.open_head(name))
    for place in ("no/such/folder/a.safetensors", "folder.safetensors", "a\0b"):
        refusal(lambda place=place: head.save(place))


def test_a_head_too_large_to_be_read_again_is_not_written(small, tmp_path, monkeypatch):
    monkeypatch.setattr("vitviz.zoo.heads.head_file.MOST_BYTES", 3000)
    pictures = replace(head_for(small), thumbnails=[[jpeg()] * 9, [], []])
    assert_mentions(refusal(lambda: head_bytes(pictures)), "cups")


# --- Fields ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "<b>cups</b>"},
        {"name": "x" * 101},
        {"name": None},
        {"labels": ["a", "b"]},
        {"labels": "abc"},
        {"labels": None},
        {"labels": [["a"], "b", "c"]},
        {"weight": np.full((3, 24), 1e300)},
        {"weight": None},
        {"weight": torch.zeros(3, 24, requires_grad=True)},
        {"bias": [np.nan, 0, 0]},
        {"preprocessing": {"mean": 0.5}},
        {"counts": [True, 4, 5]},
        {"counts": {3, 4, 5}},
        {"correct": "3"},
        {"thumbnails": None},
        {"thumbnails": b"abc"},
        {"thumbnails": [[jpeg()]]},
        {"thumbnails": [b"a", b"b", b"c"]},
        {"thumbnails": [[1], [], []]},
    ],
    ids=lambda changes: next(f"{name}={value!r}"[:40] for name, value in changes.items()),
)
def test_wrong_fields_are_refused(head, changes):
    refusal(lambda: replace(head, **changes))


def test_numbers_of_any_kind_become_float32(head, tmp_path):
    sized = replace(head, preprocessing=replace(head.preprocessing, size=np.int64(16)), correct=np.int32(3))
    sized.save(tmp_path / "a.safetensors")
    opened = vitviz.open_head(tmp_path / "a.safetensors")
    assert (opened.preprocessing.size, opened.correct) == (16, 3)
    assert replace(head, bias=[1, 2, 3]).bias.dtype == np.float32
    assert replace(head, weight=torch.ones(3, 24, dtype=torch.float64)).weight.dtype == np.float32
    given = np.ones((3, 24), np.float32)
    kept = replace(head, weight=given)
    given[:] = 7
    assert (kept.weight == 1).all(), "a copy"


def test_plain_names_are_allowed(head):
    labels = ("a < b", "C++ *new*", "$5 (ü, 杯) <3")
    assert replace(head, labels=labels).labels == labels


@pytest.mark.parametrize("size", [(400, 300), (48, 800), (16, 24)])
def test_a_thumbnail_is_a_small_picture_without_metadata(size):
    prepared = prepare(read_image(noise(*size)), 8, 8, "native")
    stretched = prepare(read_image(noise(*size)), size[::-1], 1, "squash")
    for image in (prepared, stretched):
        picture = Image.open(io.BytesIO(thumbnail(image)))
        assert max(picture.size) <= 96
        assert not picture.getexif()
    small = Image.open(io.BytesIO(thumbnail(prepare(read_image(Image.new("RGB", (64, 64), "red")), 64, 8))))
    assert small.size == (64, 64)
    assert np.abs(np.asarray(small).mean(axis=(0, 1)) - (255, 0, 0)).max() < 5
