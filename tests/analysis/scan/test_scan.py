"""A scan: its rows equal what the library says of each image; wrong arguments are refused."""

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import fsspec
import numpy as np
import pytest
from PIL import Image

import vitviz
from tests.support.facts import assert_mentions
from tests.support.scans import COUNT, NOT_AN_IMAGE, SIZE, rows_of, scanned, tar_of, write_images
from tests.support.taught_images import image
from vitviz.analysis.attention import head_statistics
from vitviz.analysis.predictions import predictions
from vitviz.analysis.scan import schema
from vitviz.errors import ArgumentError, ImageError, ScanError, VitvizError
from vitviz.notation import extras
from vitviz.trace.saved_weights import fingerprint


def test_rows_are_what_the_library_says(photos, digits, tmp_path):
    """Also with more than one image in a pass, and across shards."""
    scan = scanned(photos, digits, tmp_path / "run", patch_tokens=[0, -1], batch_size=3)
    images, tokens, errors = rows_of(scan)
    assert images.schema.remove_metadata() == schema.IMAGES
    assert (len(scan), len(errors), scan.is_complete) == (COUNT - 2, 2, True)
    rows = images.to_pylist()
    names = [f"4/{i}.png" for i in range(0, COUNT, 2)] + [f"7/{i}.png" for i in range(1, COUNT, 2)]
    assert [(row["position"], row["path"]) for row in rows] == [
        (i, name) for i, name in enumerate(names) if name not in ("4/4.png", "4/18.png")
    ]
    assert [(row["position"], row["path"]) for row in errors.to_pylist()] == [(2, "4/4.png"), (9, "4/18.png")]
    for row in rows[::4]:
        data = (photos / row["path"]).read_bytes()
        trace = digits.trace(data)
        likely, statistics = predictions(trace), head_statistics(trace)
        assert (row["sha256"], row["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
        assert (row["width"], row["height"], row["grid"]) == (40, 40, list(trace.grid))
        assert row["output"] == pytest.approx(trace.output.tolist(), abs=1e-4)
        assert row["top5"] == [one.index for one in likely]
        assert row["top5_probability"] == pytest.approx([one.probability for one in likely], abs=1e-4)
        assert row["label"] == row["path"][0]
        assert (row["prediction"], row["correct"]) == (likely[0].label, likely[0].label == row["label"])
        assert row["distance"] == pytest.approx(statistics.distance.ravel().tolist(), rel=1e-3)
        assert row["entropy"] == pytest.approx(statistics.entropy.ravel().tolist(), rel=1e-3)
        assert row["to_registers"] is None
        last = trace.attention(trace.layers - 1)[:, 0, trace.prefix :].mean(axis=0)
        stored = np.frombuffer(row["class_map"], np.uint8) * row["class_map_max"] / 255
        assert stored == pytest.approx(last, abs=row["class_map_max"] / 500)
        with Image.open(io.BytesIO(row["thumbnail"])) as small:
            assert (small.format, small.size) == ("WEBP", (40, 40))
        for layer in (1, digits.config.depth):
            (one,) = (t for t in tokens.to_pylist() if (t["position"], t["layer"]) == (row["position"], layer))
            values = np.frombuffer(one["tokens"], "<f2").reshape(-1, digits.config.embed_dim)
            assert values == pytest.approx(trace.tokens(layer - 1)[trace.prefix :], rel=2e-3, abs=2e-3)
    assert len(tokens) == 2 * len(rows)


def test_the_description_of_a_run(photos, digits, tmp_path):
    about = scanned(photos, digits, tmp_path / "run", patch_tokens=[1], fit="pad", size=64).about
    assert about == json.loads((tmp_path / "run" / "run.json").read_text())
    assert (about["format"], about["version"], about["state"]) == ("vitviz-scan", 1, "complete")
    assert about["created"] <= about["finished"]
    source = about["source"]
    assert (source["kind"], source["uri"], source["labels"], source["count"]) == (
        "folder",
        str(photos),
        "folders",
        COUNT,
    )
    assert about["label_names"] == ["4", "7"]
    assert about["model"]["weights"] == fingerprint(digits)
    assert about["model"]["classes"] == list(digits.labels)
    assert about["settings"] == {
        "size": [64, 64],
        "fit": "pad",
        "shard_size": SIZE,
        "patch_tokens": [2],
        "device": "cpu",
        "dtype": "float32",
    }
    assert about["rate"] > 0


def test_images_of_several_grids_stay_in_order(tmp_path, small):
    for i, size in enumerate([(64, 32), (32, 64), (64, 32), (48, 48), (32, 64)] * 3):
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (*size, 3), np.uint8)).save(tmp_path / f"{i}.png")
    scan = vitviz.scan(tmp_path, small, tmp_path / "run", fit="native", batch_size=2, patch_tokens=[0])
    images, tokens, _ = rows_of(scan)
    for table in (scan.images.to_table(), scan.tokens.to_table()):
        assert table["position"].to_pylist() == list(range(15))
    for row, of_tokens in zip(images.to_pylist(), tokens.to_pylist(), strict=True):
        trace = small.trace(tmp_path / row["path"], fit="native")
        assert row["grid"] == of_tokens["grid"] == list(trace.grid)
        assert len(row["feature"]) == small.config.feature_dim
        assert row["output"] == pytest.approx(trace.output.tolist(), rel=1e-3, abs=1e-3)
        assert len(row["class_map"]) == trace.grid[0] * trace.grid[1]
        assert len(row["to_registers"]) == small.config.depth * small.config.num_heads


def test_a_model_without_classes(photos, tmp_path, model):
    scan = vitviz.scan(f"{photos}/7/*.png", model, tmp_path / "run", size=56)
    row = scan.images.to_table().to_pylist()[0]
    assert len(row["feature"]) == model.config.embed_dim
    assert [row[name] for name in ("output", "top5", "top5_probability", "prediction", "correct")] == [None] * 5


def test_correct_needs_a_label_that_is_a_class(tmp_path, digits):
    for name in ("cat", "3"):
        write_images(tmp_path / "photos" / name, 1)
    table = vitviz.scan(tmp_path / "photos", digits, tmp_path / "run", labels="folders").images.to_table()
    assert table["label"].to_pylist() == ["3", "cat"]
    assert [value is None for value in table["correct"].to_pylist()] == [False, True]


def test_source_and_result_in_an_object_store(digits, tmp_path):
    fs, root = fsspec.filesystem("memory"), "/of-a-scan"
    fs.pipe_file(f"{root}/train-0.tar", tar_of({f"{i}.png": image(0, i) for i in range(7)} | {"7.png": NOT_AN_IMAGE}))
    try:
        away = vitviz.scan(f"memory:/{root}/train-*.tar", digits, f"memory:/{root}/run", shard_size=3)
        write_images(tmp_path / "photos", 0)
        (tmp_path / "train-0.tar").write_bytes(fs.cat_file(f"{root}/train-0.tar"))
        here = vitviz.scan(tmp_path / "train-0.tar", digits, tmp_path / "run", shard_size=3)
        assert len(away) == 7
        assert [a.equals(b) for a, b in zip(rows_of(away), rows_of(here), strict=True)] == [True] * 3
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(
            Path(path).name for path in fs.ls(f"{root}/run", detail=False)
        )
    finally:
        fs.rm(root, recursive=True)


# --- Interruption and continuation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [None, b"", b"[]", b"{", b'{"format": "other", "version": 1}', b'{"format": "vitviz-scan", "version": 2}']
)
def test_a_folder_without_a_scan(text, tmp_path):
    if text is not None:
        (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(ScanError) as refused:
        vitviz.open_scan(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_newer_version_is_named(photos, digits, tmp_path):
    scanned(photos, digits, tmp_path / "run")
    file = tmp_path / "run" / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 7}))
    with pytest.raises(ScanError) as refused:
        vitviz.open_scan(tmp_path / "run")
    assert_mentions(str(refused.value), 7)


def test_duckdb_opens_the_files_as_they_are(photos, digits, tmp_path):
    scan = scanned(photos, digits, tmp_path / "run", patch_tokens=[0])
    files = f"{tmp_path}/run/images-*.parquet"
    count, length, right = duckdb.sql(
        f"SELECT count(*), max(len(feature)), count(*) FILTER (correct) FROM '{files}'"
    ).fetchall()[0]
    assert (count, length) == (COUNT - 2, digits.config.feature_dim)
    assert right == sum(scan.images.to_table()["correct"].to_pylist())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"patch_tokens": [6]}, IndexError),
        ({"patch_tokens": ["1"]}, ArgumentError),
        ({"patch_tokens": "1"}, ArgumentError),
        ({"size": 33}, ImageError),
        ({"fit": "stretch"}, VitvizError),
        ({"shard_size": 0}, ArgumentError),
        ({"batch_size": 0}, ArgumentError),
        ({"workers": 0}, ArgumentError),
        ({"actors": 0}, ArgumentError),
        ({"engine": "other"}, ArgumentError),
        ({"labels": "names"}, ArgumentError),
        ({"model": "digits"}, ArgumentError),
        ({"out": "nosuch://a"}, ScanError),
    ],
)
def test_arguments_are_checked_before_anything_is_written(change, error, photos, digits, tmp_path):
    with pytest.raises(error):
        vitviz.scan(**{"source": photos, "model": digits, "out": tmp_path / "run"} | change)
    assert not (tmp_path / "run").exists()


# --- Missing packages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("extra", "package"), [("data", "pyarrow"), ("data", "duckdb"), ("ray", "ray")])
def test_the_extra_of_a_missing_package_is_named(extra, package, monkeypatch):
    assert extras.missing(extra) == []
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(VitvizError) as refused:
        extras.require(extra, "This")
    assert_mentions(str(refused.value), package, f"vitviz[{extra}]", f"pip install {package}")


def test_the_library_and_its_command_work_without_the_extras(photos):
    code = f"""
import sys
for package in ("pyarrow", "duckdb", "ray"):
    sys.modules[package] = None  # as if it were not installed
import vitviz, vitviz.cli.app
from vitviz import *
model = vitviz.load("digits")
for call in (lambda: vitviz.scan({str(photos)!r}, model, "run"), lambda: vitviz.open_scan("run")):
    try:
        call()
    except VitvizError as error:
        print(error)
sys.argv = ["vitviz", "scan", {str(photos)!r}, "-o", "run", "-m", "digits"]
vitviz.cli.app.app()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    assert (done.returncode, len(lines)) == (2, 3), done.stderr
    for line in lines:
        assert_mentions(line, "pyarrow", "vitviz[data]")
