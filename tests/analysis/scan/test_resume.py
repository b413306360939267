"""A scan that is interrupted, or whose files or sources fail, goes on where it stopped."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

import vitviz
from tests.support.scans import COUNT, SIZE, rows_of, scanned, write_images
from tests.support.taught_images import image
from vitviz.analysis.scan import loading, worker
from vitviz.errors import ScanError


class StoppedError(Exception):
    pass


def stop_after(images: int):
    def progress(done: int, count: int) -> None:
        if done >= images:
            raise StoppedError

    return progress


def test_a_scan_continues_where_it_stopped(photos, digits, tmp_path):
    whole = scanned(photos, digits, tmp_path / "whole", patch_tokens=[0])
    done = []
    for images in (0, 1, 7, 16):
        with pytest.raises(StoppedError):
            scanned(photos, digits, tmp_path / "run", patch_tokens=[0], resume=True, progress=stop_after(images))
        partial = vitviz.open_scan(tmp_path / "run")
        assert not partial.is_complete
        assert len(partial.errors) == 0, "written at the end"
        done.append(len(partial))
        expected = whole.images.to_table().slice(0, len(partial))
        assert partial.images.to_table().equals(expected), "only complete shards"
    assert done == sorted(done)
    assert done[0] == 0 < done[-1] < len(whole)
    (tmp_path / "run" / "images-00001.parquet").unlink()
    (tmp_path / "run" / ".images-00001.parquet.1-2.part").write_bytes(b"of a process that was killed")
    reported = []
    resumed = scanned(
        photos, digits, tmp_path / "run", patch_tokens=[0], resume=True, progress=lambda *now: reported.append(now)
    )
    assert [a.equals(b) for a, b in zip(rows_of(resumed), rows_of(whole), strict=True)] == [True] * 3
    assert reported[0][0] > 0, "what was done before counts"
    assert reported[-1] == (COUNT, COUNT)
    assert reported == sorted(reported)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {path.name for path in (tmp_path / "whole").iterdir()}
    kept = (tmp_path / "run" / "images-00000.parquet").stat().st_mtime_ns
    again = scanned(photos, digits, tmp_path / "run", patch_tokens=[0], resume=True)
    assert (again.is_complete, again.about["rate"]) == (True, resumed.about["rate"])
    assert (tmp_path / "run" / "images-00000.parquet").stat().st_mtime_ns == kept


def test_errors_of_an_earlier_run_are_kept(photos, digits, tmp_path):
    with pytest.raises(StoppedError):
        scanned(photos, digits, tmp_path / "run", batch_size=1, progress=stop_after(6))
    (photos / "4" / "4.png").write_bytes(image(0, 4))  # of a shard that is complete
    assert len(scanned(photos, digits, tmp_path / "run", batch_size=1, resume=True).errors) == 2


@pytest.mark.parametrize("moment", ["images", "tokens", "run.json", "errors"])
def test_a_file_that_cannot_be_written_leaves_no_half_of_it(moment, photos, digits, tmp_path, monkeypatch):
    whole = scanned(photos, digits, tmp_path / "whole", patch_tokens=[0])
    replace, left = Path.replace, itertools.count()

    def failing(self, target):
        if Path(target).name.startswith(moment) and next(left) == (1 if moment != "errors" else 0):
            raise OSError(28, "No space left on device", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="No space") as failed:
        scanned(photos, digits, tmp_path / "run", patch_tokens=[0])
    assert Path(failed.value.filename).name.startswith(moment)
    assert not list((tmp_path / "run").glob(".*"))
    monkeypatch.undo()
    resumed = scanned(photos, digits, tmp_path / "run", patch_tokens=[0], resume=True)
    assert [a.equals(b) for a, b in zip(rows_of(resumed), rows_of(whole), strict=True)] == [True] * 3


def test_another_scan_is_not_continued(photos, digits, small, tmp_path):
    with pytest.raises(StoppedError):
        scanned(photos, digits, tmp_path / "run", progress=stop_after(6))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    own = vitviz.load("digits")
    own.load_state_dict({name: value + 1e-3 for name, value in own.state_dict().items()})
    write_images(tmp_path / "others", COUNT)
    changed = [
        {"model": small, "size": 32},
        {"model": own},
        {"source": tmp_path / "others"},
        {"labels": None},
        {"size": 64},
        {"fit": "squash"},
        {"patch_tokens": [0]},
        {"shard_size": 6},
    ]
    for change in changed:
        arguments = {"source": photos, "model": digits, "labels": "folders", "shard_size": SIZE} | change
        with pytest.raises(ScanError) as refused:
            vitviz.scan(out=tmp_path / "run", resume=True, **arguments)
        assert "\n" not in str(refused.value)
    with pytest.raises(ScanError):
        scanned(photos, digits, tmp_path / "run")
    (photos / "7" / "99.png").write_bytes(image(0, 99))
    with pytest.raises(ScanError):
        scanned(photos, digits, tmp_path / "run", resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_source_that_fails_stops_the_scan(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "RETRIES", (0, 0))
    (tmp_path / "list.csv").write_text("path\n" + "\n".join(f"{i}.png" for i in range(12)))
    write_images(tmp_path, 6)
    with pytest.raises(ScanError):
        vitviz.scan(tmp_path / "list.csv", digits, tmp_path / "run", shard_size=3)
    assert len(vitviz.open_scan(tmp_path / "run")) == 6
    write_images(tmp_path, 12)
    assert len(vitviz.scan(tmp_path / "list.csv", digits, tmp_path / "run", shard_size=3, resume=True)) == 12


def test_a_source_that_fails_for_a_moment_is_asked_again(photos, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "RETRIES", (0, 0))
    calls = itertools.count()

    load = loading.load

    def flaky(item, wanted):
        failing = iter([ConnectionError()] if next(calls) % 3 == 0 else [])

        def reader():
            for error in failing:
                raise error
            return item.read()

        return load(replace(item, read=reader), wanted)

    monkeypatch.setattr(loading, "load", flaky)
    assert len(scanned(photos, digits, tmp_path / "run")) == COUNT - 2


def test_an_image_that_the_model_cannot_measure_is_an_error(photos, digits, tmp_path, monkeypatch):
    measure = worker.measure

    def failing(model, images, **options):
        if any(image.pixels.mean() == bad.pixels.mean() for image in images):
            raise vitviz.ModelError("not finite")
        return measure(model, images, **options)

    bad = digits.trace(photos / "7" / "5.png").image
    monkeypatch.setattr(worker, "measure", failing)
    scan = scanned(photos, digits, tmp_path / "run")
    assert [row["path"] for row in scan.errors.to_pylist()] == ["4/4.png", "4/18.png", "7/5.png"]
    assert len(scan) == COUNT - 3


# --- Opening ---------------------------------------------------------------------------------------------------------
