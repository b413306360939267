"""Output limits: results of other folders are kept, full disks are handled, and memory is bounded."""

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from errno import EACCES, ENOSPC
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vitviz
from tests.support.command_line import CAT, COMMANDS, EIGHT, FOUR, ROCKET, objects, only_line
from tests.support.exhaustive import exhaustive
from tests.support.facts import assert_mentions
from vitviz.cli import origin
from vitviz.cli.report import Report
from vitviz.trace.vision_transformer import VisionTransformer

pytestmark = pytest.mark.slow
KINDS = ("png", "jpeg", "webp", "npz")
EVERY = [part for kind in (*KINDS, "html") for part in ("--format", kind)]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders with different images of one name, in the working directory of the test."""
    for folder, image in (("a", FOUR), ("b", EIGHT)):
        (tmp_path / folder).mkdir()
        shutil.copy(image, tmp_path / folder / "x.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def digits(vit):
    """Run a command with the model `digits` and the output folder `out`, and check that it succeeds."""

    def run(*arguments: str):
        result = vit(*arguments, "-m", "digits", "-o", "out")
        assert result.exit_code == 0, result.stderr
        return result

    return run


def all_files(folder: str = "out") -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


# --- Other folders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("formats", [EVERY, ["--format", "html"], *(exhaustive(["--format", kind]) for kind in KINDS)])
def test_another_folders_results_stay(command, formats, folders, digits):
    digits(command, "a/x.png", *formats)
    first = all_files()
    result = digits(command, "b/x.png", *formats, "--json")
    both = all_files()
    assert first.items() <= both.items()
    assert len(both) == 2 * len(first)
    (said,) = objects(result)
    assert not set(said["files"]) & first.keys()
    assert set(said["files"]) == both.keys() - first.keys()
    lines = result.stderr.splitlines()
    report, picture = "html" in formats, formats != ["--format", "html"]
    assert len(lines) == report + picture, "the report's images have their own folder"
    if picture:
        assert re.search(r"^vitviz: out/x-\S+ is not about b/x.png .* b-x-", lines[-1])
    if report:
        name = f"vitviz-{command}-digits"
        assert f"out/{name}.html is not about" in lines[0]
        assert f"{name}-b.html " in lines[0]


@pytest.mark.parametrize("formats", [EVERY, ["--format", "html"]])
def test_both_folders_one_after_the_other_are_replaced_and_skipped_each_for_itself(
    formats, folders, digits, monkeypatch
):
    for _ in range(3):
        for folder in "ab":
            digits("attention", folder, *formats)
    first = all_files()
    assert len(first) == 2 * (len(formats) // 2 + (formats != EVERY))
    shutil.rmtree("out")
    for folder in "ab":
        digits("attention", folder, *formats, "--skip-existing")
    assert all_files().keys() == first.keys()
    monkeypatch.setattr(VisionTransformer, "forward", None)
    for folder in "ab":
        (said,) = objects(digits("attention", folder, *formats, "--skip-existing", "--json"))
        assert said["skipped"]
        assert set(said["files"]) <= first.keys()
    assert all_files().keys() == first.keys()


def test_an_image_of_another_folder_is_not_skipped(folders, digits):
    digits("attention", "a/x.png")
    os.utime("b/x.png", (0, 0))
    (said,) = objects(digits("attention", "b/x.png", "--skip-existing", "--json"))
    assert "skipped" not in said
    assert said["prediction"] == "8"


def test_answers_about_an_image_that_has_changed_are_replaced(folders, digits):
    digits("attention", "a/x.png")
    shutil.copy(EIGHT, "a/x.png")
    os.utime("a/x.png", (0, 0))
    (said,) = objects(digits("attention", "a/x.png", "--skip-existing", "--json"))
    assert said["prediction"] == "8", "whatever its time says"
    assert len(all_files()) == 1


def test_the_same_image_in_another_folder_is_another_one(folders, digits):
    """Otherwise its results would replace those of the first as soon as one of them is edited."""
    shutil.copy("a/x.png", "b/x.png")
    for folder in "ab":
        digits("attention", f"{folder}/x.png")
    first = all_files()
    assert len(first) == 2
    shutil.copy(CAT, "b/x.png")
    digits("attention", "b/x.png")
    assert {name for name, data in all_files().items() if data != first[name]} == {
        name for name in first if "/b-" in name
    }


def test_a_picture_that_cannot_be_drawn_is_the_problem_of_one_image(folders, vit):
    Image.new("RGB", (20, 1400), "red").save("a/tall.png")
    asked = ["attention", FOUR, "a/tall.png", EIGHT, "-m", "dinov2-small", "--fit", "native", "--size", "28"]
    result = vit(*asked, "--width", "4096", "-o", "out")
    assert result.exit_code == 1
    assert "tall.png" in result.stderr
    assert len(all_files()) == 2


def test_all_may_be_moved_together(folders, digits, monkeypatch):
    digits("attention", "a", *EVERY)
    first = all_files()
    (folders / "new").mkdir()
    for name in ("a", "out"):
        (folders / name).rename(folders / "new" / name)
    monkeypatch.chdir(folders / "new")
    shutil.copy(ROCKET, "a/x.png")
    result = digits("attention", "a", *EVERY)
    assert (result.stderr, all_files().keys()) == ("", first.keys())


def test_there_is_always_a_further_name(folders, digits):
    for place, image in (("a", CAT), ("b", FOUR), ("c/b", EIGHT), ("d/b", ROCKET)):
        Path(place).mkdir(parents=True, exist_ok=True)
        shutil.copy(image, f"{place}/x.png")
    for _ in range(2):
        said = [objects(digits("attention", f"{place}/x.png", "--json"))[0] for place in ("a", "b", "c/b", "d/b")]
        names = [Path(one["files"][0]).name.partition("-L6")[0] for one in said]
        assert names == ["x", "b-x", "b-x-2", "b-x-3"]
    assert len(all_files()) == 4


@pytest.mark.parametrize("command", COMMANDS)
def test_there_is_a_further_name_for_a_long_one(command, folders, digits):
    name = "y" * 38  # with its folder 40, the most that a part of a name has
    for place, image in (("p", CAT), ("q", FOUR), ("q/q", EIGHT), ("q/q/q", ROCKET)):
        Path(place).mkdir(parents=True, exist_ok=True)
        shutil.copy(image, f"{place}/{name}.png")
        digits(command, f"{place}/{name}.png")
    assert len(all_files()) == 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", ["no file of ours", "a photo", "an older version's"])
def test_what_does_not_say_what_it_is_about_stays(data, kind, folders, digits, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(origin, "of_image", lambda *_: {})
        digits("attention", "a/x.png", "--format", kind)
    (name,) = map(Path, all_files())
    if data == "no file of ours":
        name.write_bytes(b"\0" * 100)
    elif data == "a photo":
        shutil.copy(CAT, name)
    before = name.read_bytes()
    result = digits("attention", "a/x.png", "--format", kind, "--skip-existing")
    assert name.read_bytes() == before
    assert re.search(rf"{re.escape(str(name))} is not about a/x.png .* a-x-", result.stderr)
    assert len(all_files()) == 2


def test_a_name_is_that_of_one_image_in_all_formats(folders, digits):
    digits("attention", "a/x.png", "--format", "png")
    digits("attention", "b/x.png", "--format", "npz")
    assert [name.partition("-L6")[0] for name in all_files()] == ["out/b-x", "out/x"]


def test_files_tell_the_image_and_no_path(folders, digits):
    (said,) = objects(digits("explain", "a/x.png", *EVERY, "--json"))
    assert said["image_sha256"] == hashlib.sha256(Path(FOUR).read_bytes()).hexdigest()
    assert re.fullmatch("[0-9a-f]{8}", said["image_place"])
    files = all_files()
    about = json.loads(
        str(np.load(io.BytesIO(files[next(name for name in files if name.endswith("npz"))]))["metadata"])
    )
    with Image.open(next(name for name in files if name.endswith("png"))) as image:
        assert json.loads(image.text["vitviz"]) == about
    assert about["image_sha256"] == said["image_sha256"]


def test_a_report_is_replaced_by_one_with_all_its_folders(folders, digits):
    (folders / "a" / "deep").mkdir()
    shutil.copy(CAT, "a/deep/cat.jpg")
    reports = lambda: sorted(path.name for path in Path("out").glob("*.html"))  # noqa: E731
    for images in (["a/deep"], ["a"], ["a/x.png"], ["a/*.png"], ["a", "b"], ["b", "a"]):
        assert digits("attention", *images, "--format", "html").stderr == ""
    shutil.rmtree("a/deep")
    assert digits("attention", "a", "b", "--format", "html").stderr == "", "the same command as before"
    assert reports() == ["vitviz-attention-digits.html"]
    digits("attention", "a", "--format", "html")
    assert reports() == ["vitviz-attention-digits-a.html", "vitviz-attention-digits.html"]
    Path("out/vitviz-attention-digits.html").write_text("<h1>Mine</h1>")
    digits("attention", "a", "b", "--format", "html")
    assert Path("out/vitviz-attention-digits-a-b.html").is_file()
    assert Path("out/vitviz-attention-digits.html").read_text() == "<h1>Mine</h1>"


@pytest.mark.parametrize("skip", [[], ["--skip-existing"]])
def test_a_report_whose_name_was_typed_is_not_called_otherwise(skip, folders, vit):
    asked = ["-m", "digits", "-o", "mine.html", *skip]
    for _ in range(2):
        assert vit("attention", "a", *asked).exit_code == 0
    before = Path("mine.html").read_bytes()
    said = only_line(vit("attention", "b", *asked))
    assert said.startswith("'mine.html' ")
    assert Path("mine.html").read_bytes() == before
    assert vit("attention", "a", "b", *asked).exit_code == 0


def test_a_link_in_the_way_stays(folders, digits):
    digits("attention", "a/x.png")
    (name,) = map(Path, all_files())
    name.unlink()
    name.symlink_to("nowhere")
    digits("attention", "a/x.png")
    assert name.is_symlink()


# --- Errors of the output --------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(monkeypatch):
    """Make writing fail after a number of files."""
    write, left = Path.write_bytes, []

    def full(path, data):
        if not left:
            write(path, data[:100])
            raise OSError(ENOSPC, "No space left on device")
        left.pop()
        return write(path, data)

    def after(files: int) -> None:
        left[:] = range(files)
        monkeypatch.setattr(Path, "write_bytes", full)

    return after


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_first_error_of_writing_stops_the_run_and_the_output_is_blamed(form, folders, vit, full_disk, monkeypatch):
    forward, passes = VisionTransformer.forward, []
    monkeypatch.setattr(VisionTransformer, "forward", lambda *given: (passes.append(1), forward(*given))[1])
    full_disk(1)
    result = vit("attention", FOUR, EIGHT, CAT, ROCKET, "-m", "digits", "-o", "out", "--format", "png", *form)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert re.fullmatch(r"vitviz: out/digit-8-\S+.png: No space left on device", line)
    assert len(passes) == 2, "not one error for each further image"
    assert [Path(name).suffix for name in all_files()] == [".png"], "the first is whole, and no half one is there"
    if form:
        assert f"vitviz: {objects(result)[-1]['error']}" == line


def test_a_locked_folder_is_blamed_by_the_file_that_was_meant(folders, vit, monkeypatch):
    def locked(path, data):
        raise PermissionError(EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_bytes", locked)
    said = only_line(vit("attention", FOUR, EIGHT, "-m", "digits", "-o", "out"))
    assert re.fullmatch(r"out/digit-4-\S+\.png: Permission denied", said)


def test_a_report_keeps_what_it_has_when_the_disk_is_full(folders, vit, full_disk, monkeypatch):
    asked = ["attention", FOUR, EIGHT, "-m", "digits", "-o", "mine.html"]
    with monkeypatch.context():
        full_disk(1)
        assert vit(*asked).exit_code == 2
    said = Path("mine.html").read_text()
    assert said.count('class="image"') == 1
    assert re.search(r'class="interrupted">[^<]*\b1\b[^<]*\b2\b[^<]*<', said)
    monkeypatch.undo()
    monkeypatch.chdir(folders)
    assert vit(*asked).exit_code == 0
    before, write = Path("mine.html").read_bytes(), Report._write

    def full(report, text):
        if report._count:
            raise OSError(ENOSPC, "No space left on device")
        write(report, text)

    monkeypatch.setattr(Report, "_write", full)
    result = vit(*asked)
    assert (result.exit_code, result.stderr) == (2, "vitviz: mine.html: No space left on device\n")
    assert Path("mine.html").read_bytes() == before, "better the whole one than a part of the new one"
    assert sorted(path.name for path in folders.iterdir()) == ["a", "b", "mine.html", "mine_files"]


def test_an_earlier_report_stays_if_a_new_one_cannot_even_begin(folders, vit, monkeypatch):
    asked = ["attention", FOUR, "-m", "digits", "-o", "mine.html"]
    assert vit(*asked).exit_code == 0
    before = Path("mine.html").read_bytes()

    def full(_report, _text):
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(Report, "_write", full)
    assert vit(*asked).exit_code == 2
    assert Path("mine.html").read_bytes() == before
    assert sorted(path.name for path in folders.iterdir()) == ["a", "b", "mine.html", "mine_files"]


def test_an_interrupted_report_keeps_the_rest_of_the_earlier_one(folders, vit, stopped_after):
    asked = ["attention", FOUR, EIGHT, CAT, "-m", "digits", "-o", "mine.html"]
    assert vit(*asked).exit_code == 0
    stopped_after(1)
    assert vit(*asked).exit_code == 130
    assert Path("mine.html").read_text().count('class="image"') == 3


# --- Signals and sizes -----------------------------------------------------------------------------------------------

STOPPED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which is ignored in what a shell runs in the background
from vitviz.cli.app import app
from vitviz.trace.vision_transformer import VisionTransformer
forward, passes = VisionTransformer.forward, []
def stopped(*given):
    passes.append(1)
    if len(passes) == 3:
        os.kill(os.getpid(), int(sys.argv.pop()))
    return forward(*given)
VisionTransformer.forward = stopped
app(sys.argv[1:-1])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_what_there_is(number, folders):
    asked = ["attention", FOUR, EIGHT, CAT, ROCKET, "-m", "digits", *EVERY, "-o", str(folders / "out")]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, *asked, str(int(number))],
        cwd=Path(vitviz.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr.startswith("vitviz: ")
    assert_mentions(done.stderr, 2, 4)
    assert done.stderr.count("\n") == 1
    files = all_files()
    assert len(files) == 2 * len(KINDS) + 1
    report = files["out/vitviz-attention-digits.html"].decode()
    assert report.count('class="image"') == 2
    assert re.search(r'class="interrupted">[^<]*\b2\b[^<]*\b4\b[^<]*</footer></body></html>\n\Z', report)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("size", "words"), [("32000", "64 megapixels"), ("1024", "16,384")])
def test_memory_for_large_inputs_is_bounded(command, size, words, vit, monkeypatch):
    monkeypatch.setattr(VisionTransformer, "forward", None)
    assert words in only_line(vit(command, FOUR, "-m", "digits", "--size", size))


@pytest.mark.parametrize("method", ["rollout", "gradient_attention", "legrad"])
def test_memory_for_weights_between_all_tokens_is_bounded(method, vit, monkeypatch):
    monkeypatch.setattr(VisionTransformer, "forward", None)
    said = only_line(vit("explain", FOUR, "-m", "dinov2-small", "--method", method, "--size", "1792"))
    assert said.startswith(f"{method} ")
    assert_mentions(said, "1792 x 1792", "6,688", 14)
