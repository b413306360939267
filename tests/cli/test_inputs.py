"""Image arguments (files, folders and patterns) and the names of output files."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.command_line import CAT, COMMANDS, EIGHT, FOUR, objects, only_line
from tests.support.facts import assert_mentions
from vitviz.cli import checkpoint, inputs, names
from vitviz.errors import VitvizError
from vitviz.images import FORMATS


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Folder of images, in the working directory of the test."""
    for place in ("10.png", "2.PNG", "b/1.png", "a/1.png", "a/deep/x.jpeg", ".hidden.png", ".git/1.png", "notes.txt"):
        file = tmp_path / "photos" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FOUR, file)
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "photos", target_is_directory=True)
    os.mkfifo(tmp_path / "photos" / "pipe.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def found(*typed: str) -> list[str]:
    return [str(item.path) for item in inputs.find(typed) if not item.problem]


def test_a_folder_stands_for_the_images_below_it_in_natural_order(photos):
    assert found("photos") == [
        *("photos/2.PNG", "photos/10.png", "photos/a/1.png", "photos/a/deep/x.jpeg", "photos/b/1.png")
    ]
    assert found("photos/b", "photos/a") == ["photos/b/1.png", "photos/a/1.png", "photos/a/deep/x.jpeg"]


def test_patterns_are_understood(photos):
    assert found("photos/*.png") == ["photos/10.png"]
    assert found("photos/**/1.*") == ["photos/a/1.png", "photos/b/1.png"]
    assert found("photos/**") == found("photos")
    assert found(f"{photos}/[ab]/?.png") == [f"{photos}/a/1.png", f"{photos}/b/1.png"]
    assert found("*/10.png") == ["photos/10.png"]
    with pytest.raises(VitvizError, match="alone"):
        inputs.find(["photos/**1.png"])
    (photos / "[a].png").write_bytes(Path(FOUR).read_bytes())
    assert found("photos/[a].png") == ["photos/[a].png"], "a file with exactly this name"


def test_each_image_once(photos):
    assert found("photos/10.png", "photos/*.png", "./photos/10.png", "photos/b/../10.png") == ["photos/10.png"]


def test_every_format_has_its_names():
    for name in FORMATS:
        assert f".{name.lower()}" in inputs.SUFFIXES


@pytest.mark.parametrize(
    "typed", [["empty"], ["photos/*.gif"], ["empty", "nothing/*"], [""], ["photos/notes.*"], ["empty/**"]]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_found_is_an_error_in_one_sentence(command, typed, photos, vit):
    said = only_line(vit(command, *typed, "-m", "no model"))
    assert said.count(". ") == 0
    assert said.endswith(".")
    assert all(repr(one) in said for one in typed if one)


def test_a_broken_link_and_a_locked_folder_are_reported(photos, monkeypatch):
    (photos / "lost.png").symlink_to("nowhere.png")
    assert "photos/lost.png" in found("photos")
    walk = os.walk

    def locked(folder, onerror):
        onerror(PermissionError(13, "Permission denied", "photos/locked"))
        yield from walk(folder)

    monkeypatch.setattr(os, "walk", locked)
    (problem,) = [item for item in inputs.find(["photos"]) if item.problem]
    assert (str(problem.path), problem.problem) == ("photos/locked", "Permission denied.")


@pytest.mark.slow
def test_the_answers_of_one_run_are_no_questions_of_the_next(photos, vit, tmp_path):
    formats = [part for kind in ("png", "jpeg", "webp", "html") for part in ("--format", kind)]
    for command in COMMANDS:
        for _ in range(2):
            result = vit(command, "photos/b", "-m", "digits", "-o", "photos/b", "--json", *formats)
            assert [one["image"] for one in objects(result)] == ["photos/b/1.png"]
    assert found("photos/b") == ["photos/b/1.png"]
    answer = next(path for path in (photos / "b").glob("*.jpg"))
    assert found(str(answer)) == [str(answer)], "an explicit file is always used"
    with pytest.raises(VitvizError):
        inputs.find(["photos/b/*.webp"])


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_images_of_one_name_do_not_overwrite_each_other(command, photos, vit, written):
    shutil.copy(EIGHT, photos / "b" / "1.png")
    assert vit(command, "photos", "-m", "digits").exit_code == 0
    files = written()
    assert len(files) == 5
    assert sorted(name.partition("-")[0] for name in files) == ["10", "2", "a", "b", "x"]
    one, other = (data for name, data in files.items() if name[0] in "ab")
    assert one != other


def test_names_of_images_do_not_depend_on_their_order():
    paths = [Path(p) for p in ("1.png", "1.jpg", "a/2.png", "b/2.png", "c/3.png", "A B.png", "A-B.png", "a-2.png")]
    found = names.of_images(paths)
    assert len({name.casefold() for name in found}) == len(paths)
    assert found[3:5] == ["b-2", "3"]
    assert dict(zip(paths, found, strict=True)) == dict(zip(reversed(paths), names.of_images(paths[::-1]), strict=True))
    assert len(set(names.of_images([Path("x", "y" * 80), Path("x", "y" * 81)]))) == 2
    assert names.of_images([Path("Cat.jpg"), Path("cat.jpg")])[0].casefold() != "cat"


def test_names_hold_nothing_of_the_machine(tmp_path):
    for text in (str(tmp_path / "best.pth"), "~/runs/best.pth", "../elsewhere/best.pth"):
        found = names.mark(text)
        assert found.startswith("best-pth-")
        assert len(found) == len("best-pth-") + 8
    assert names.mark("/a/best.pth") != names.mark("/b/best.pth")
    assert names.mark("run7/best.pth") == "run7-best-pth", "below the current folder"
    assert names.mark("facebook/dinov2-small") == "facebook-dinov2-small"


def test_class_names_of_a_file_are_no_path_in_names(tmp_path):
    (said,) = checkpoint.marks_of({"classes": str(tmp_path / "labels.txt"), "num_heads": None})
    assert said.startswith("classes labels-txt-")
    assert len(said) == len("classes labels-txt-") + 8
    assert checkpoint.marks_of({"classes": "10"}) == ["classes 10"]


def test_a_report_calls_images_by_what_tells_them_apart(photos):
    assert names.labels([photos / "a/1.png", photos / "b/1.png"]) == ["a/1.png", "b/1.png"]
    assert names.labels([photos / "a/1.png"]) == ["1.png"]
    assert names.labels([Path("photos/10.png"), photos / "a/1.png"]) == ["10.png", "a/1.png"]
    assert names.labels([Path("/etc/here/1.png"), Path("/usr/there/1.png")]) == ["here/1.png", "there/1.png"]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_written_holds_a_path_of_the_machine(command, photos, vit, monkeypatch):
    """Only JSON lines, which repeat the typed path, contain it."""
    monkeypatch.chdir("photos")
    kinds = ("html", "jpeg", "npz", "png", "webp")
    formats = [part for kind in kinds for part in ("--format", kind)]
    here = "home-of-somebody"
    place = photos / here
    place.mkdir()
    shutil.copy(FOUR, place / "4.png")
    other = photos / here / "more" / "8.png"
    other.parent.mkdir()
    shutil.copy(EIGHT, other)
    like = ["--like", str(other.parent)] if command == "explain" else []
    result = vit(command, str(place / "*.png"), "-m", "digits", "-o", "out", "--json", *formats, *like)
    assert result.exit_code == 0, result.stderr
    files = [path for path in Path("out").rglob("*") if path.is_file()]
    assert len(files) == len(kinds)
    for file in files:
        assert here not in file.name
        assert here.encode() not in file.read_bytes()
    (said,) = objects(result)
    assert here not in json.dumps({name: value for name, value in said.items() if name != "image"})


@pytest.mark.slow
def test_likeness_to_the_images_of_a_folder(photos, vit):
    shutil.copy(CAT, photos / "b" / "cat.jpg")
    result = vit("explain", FOUR, "-m", "digits", "--like", "photos/b", "--method", "legrad", "--json")
    assert_mentions(objects(result)[0]["target"], "1.png", "cat.jpg")
    result = vit("explain", FOUR, "-m", "digits", "--like", "photos", "--method", "legrad", "--json")
    assert_mentions(objects(result)[0]["target"], 6)
    assert "'empty'" in only_line(vit("explain", FOUR, "-m", "digits", "--like", "empty"))
