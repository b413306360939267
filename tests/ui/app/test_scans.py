"""Images of scans in links: through the server's list, inside of the source, and unchanged since the scan."""

import json
import tarfile

import pytest

from benchmarks.synthetic_scan import write_scan
from tests.support.app_pages import choice_of, explore, opened, query, texts
from vitviz.errors import ScanError
from vitviz.ui.app import scans, state

FILES = ("cat.jpg", "inner/rocket.jpg")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of scans, with the scan "two" of two sample images."""
    source = tmp_path / "source"
    images = dict(zip(FILES, (state.samples()[name] for name in ("cat", "rocket")), strict=True))
    for name, data in images.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    folder = tmp_path / "runs"
    write_scan(folder / "two", 4, layers=2, heads=2, dimension=4, classes=(), images=images, source=source)
    monkeypatch.setenv("VITVIZ_RUNS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def described(runs, **changes):
    """Change the source in the description of the scan."""
    file = runs / "two" / "run.json"
    about = json.loads(file.read_text())
    about["source"] |= changes
    file.write_text(json.dumps(about))


def test_the_list_has_the_scans_of_the_folder_alone(runs, tmp_path):
    (runs / "no scan").mkdir()
    (runs / "link").symlink_to(runs / "two")
    assert scans.names() == ["two"]
    for name in ("..", "../runs/two", "link", "none", ""):
        with pytest.raises(ScanError):
            scans.opened(name)


def test_an_image_of_a_scan_in_a_link_opens_again(runs):
    app = explore(image=scans.mark_of("two", 1))
    assert not app.exception
    assert not app.warning
    picked = choice_of(app).picked
    assert (picked.name, picked.data) == ("rocket.jpg", state.samples()["rocket"])
    assert query(app)["image"] == "scan-1-two"
    assert "rocket.jpg, image 1 of the scan two" in texts(app)
    app.switch_page("pages/lens.py").run()
    assert query(app)["image"] == "scan-1-two"


@pytest.mark.parametrize(
    "image", ["scan-99-two", "scan-0-other", "scan-0-..", "scan-x-two", "scan-", "scan-0-" + "a" * 999, "scan--1-two"]
)
def test_a_link_to_no_image_is_said(image, runs):
    app = explore(image=image)
    assert not app.exception
    assert len(app.warning) == 1
    assert choice_of(app).picked.sample


def test_files_that_are_gone_changed_or_outside_are_refused(runs, tmp_path):
    source = tmp_path / "source"
    assert scans.image("two", 0).data == state.samples()["cat"]
    (source / "cat.jpg").write_bytes(state.samples()["rocket"])
    with pytest.raises(ScanError, match="changed"):
        scans.image("two", 0)
    (source / "cat.jpg").unlink()
    with pytest.raises(ScanError, match="no longer"):
        scans.image("two", 0)
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(state.samples()["cat"])
    (source / "cat.jpg").symlink_to(outside)
    with pytest.raises(ScanError, match="no longer"):
        scans.image("two", 0)
    app = explore(image="scan-0-two")
    assert "no longer" in app.warning[0].value


@pytest.mark.parametrize("uri", ["", "images", "s3://bucket/images", "http://127.0.0.1:1/images", "/nowhere", "\0"])
@pytest.mark.parametrize("kind", ["folder", "glob", "list", "shards", "parquet", "", "<b>"])
def test_a_description_may_lie_about_the_source(kind, uri, runs):
    described(runs, kind=kind, uri=uri)
    with pytest.raises(ScanError):
        scans.image("two", 0)


@pytest.mark.parametrize("path", ["../source/cat.jpg", "/etc/hostname", "inner/../cat.jpg", "", ".", "\0"])
def test_paths_lead_nowhere_else(path, tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    (source / "cat.jpg").write_bytes(state.samples()["cat"])
    images = {path: state.samples()["cat"]}
    write_scan(tmp_path / "runs" / "one", 1, layers=1, heads=1, dimension=4, classes=(), images=images, source=source)
    monkeypatch.setenv("VITVIZ_RUNS", str(tmp_path / "runs"))
    with pytest.raises(ScanError):
        scans.image("one", 0)


def test_images_of_patterns_lists_and_archives(runs, tmp_path):
    source = tmp_path / "source"
    described(runs, kind="glob", uri=str(source / "**" / "*.jpg"))
    assert scans.image("two", 1).data == state.samples()["rocket"]
    described(runs, kind="list", uri=str(source / "list.csv"))
    assert scans.image("two", 1).data == state.samples()["rocket"]
    with tarfile.open(source / "all.tar", "w") as archive:
        for name in FILES:
            archive.add(source / name, name)
    images = {f"all.tar/{name}": (source / name).read_bytes() for name in FILES}
    write_scan(runs / "packed", 2, layers=1, heads=1, dimension=4, classes=(), images=images)
    file = runs / "packed" / "run.json"
    about = json.loads(file.read_text())
    about["source"] |= {"kind": "shards", "uri": str(source / "all.tar")}
    file.write_text(json.dumps(about))
    assert scans.image("packed", 1).data == state.samples()["rocket"]


def test_without_the_setting_there_are_no_scans(monkeypatch):
    monkeypatch.delenv("VITVIZ_RUNS", raising=False)
    assert scans.names() == []
    assert not [link for link in opened("start").main if getattr(link, "label", "") == "Collection"]
