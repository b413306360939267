"""`vitviz scan`: the result is the library's; exit codes, lines and messages."""

import json
import signal
import subprocess

import pytest
from typer.testing import CliRunner

import vitviz
from scripts.app_server import ROOT
from tests.support.command_line import PROCESS, objects, only_line
from tests.support.facts import assert_mentions
from tests.support.scans import NOT_AN_IMAGE, rows_of, write_images
from vitviz.cli.app import app
from vitviz.cli.scan import MOST_PROBLEMS

COUNT = 9


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Folder with images of two classes, in the working directory of the test."""
    for name in ("cat", "dog"):
        write_images(tmp_path / "photos" / name, COUNT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for processes of their own
    return tmp_path / "photos"


@pytest.fixture
def scan(photos):
    def run(*arguments: str, source: str = "photos"):
        result = CliRunner().invoke(app, ["scan", source, "-o", "run", "-m", "digits", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def test_the_rows_are_the_librarys(scan, photos, tmp_path):
    options = ("--labels", "folders", "--patch-tokens", "1,6", "--size", "48", "--fit", "pad", "--shard-size", "4")
    result = scan(*options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == "run"
    assert_mentions(result.stdout.splitlines()[1], 2 * COUNT)
    own = vitviz.scan(
        photos,
        vitviz.load("digits"),
        tmp_path / "own",
        labels="folders",
        patch_tokens=[0, 5],
        size=48,
        fit="pad",
        shard_size=4,
    )
    ours = vitviz.open_scan("run")
    assert [a.equals(b) for a, b in zip(rows_of(ours), rows_of(own), strict=True)] == [True] * 3
    assert ours.about["settings"] == own.about["settings"]


def test_lines_of_json(scan, photos):
    (photos / "cat" / "3.png").write_bytes(NOT_AN_IMAGE)
    result = scan("--shard-size", "10", "--json")
    assert result.exit_code == 1
    error, first, second, end = objects(result)
    assert (error["image"], error["ok"]) == ("cat/3.png", False)
    assert error["error"] == vitviz.open_scan("run").errors["error"].to_pylist()[0]
    assert [(one["shard"], one["images"], one["errors"], one["done"]) for one in (first, second)] == [
        (0, 9, 1, 10),
        (1, 8, 0, 18),
    ]
    assert (end["run"], end["images"], end["errors"], end["count"]) == ("run", 2 * COUNT - 1, 1, 2 * COUNT)
    assert end["rate"] > 0
    assert_mentions(result.stderr, "cat/3.png")


def test_images_that_cannot_be_read(scan, photos):
    for path in (photos / "cat").iterdir():
        path.write_bytes(NOT_AN_IMAGE)
    result = scan()
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == COUNT
    assert_mentions(result.stdout, COUNT, "errors.parquet")
    assert scan("--resume").exit_code == 1, "those of an earlier run count"


def test_no_image_that_can_be_read(scan, photos):
    for path in photos.rglob("*.png"):
        path.write_bytes(NOT_AN_IMAGE)
    assert scan().exit_code == 2
    assert len(vitviz.open_scan("run").errors) == 2 * COUNT


def test_a_few_of_many_errors_are_printed(scan, photos):
    for i in range(3 * MOST_PROBLEMS):
        (photos / f"{i}.jpg").write_bytes(NOT_AN_IMAGE)
    lines = scan().stderr.splitlines()
    assert len(lines) == MOST_PROBLEMS + 1
    assert_mentions(lines[-1], 2 * MOST_PROBLEMS, "errors.parquet")


def test_a_scan_is_not_overwritten(scan):
    assert scan().exit_code == 0
    assert_mentions(only_line(scan()), "run", "resume")
    assert_mentions(only_line(scan("--resume", "--size", "48")), "size")
    again = scan("--resume", "--json")
    assert again.exit_code == 0
    (end,) = objects(again)
    assert end["images"] == 2 * COUNT


@pytest.mark.parametrize(
    ("arguments", "mentioned"),
    [
        (("--patch-tokens", "7"), "7"),
        (("--patch-tokens", "1,pool"), "6"),
        (("--patch-tokens", "1;2"), "1;2"),
        (("--labels", "csv"), "CSV"),
        (("--size", "33"), "33"),
        (("-m", "nosuch"), "nosuch"),
    ],
)
def test_options_that_do_not_fit(arguments, mentioned, scan):
    assert_mentions(only_line(scan(*arguments)), mentioned)


def test_a_source_that_is_not_there(scan):
    assert_mentions(only_line(scan(source="nowhere")), "nowhere")
    line = scan("--json", source="nowhere").stdout
    assert_mentions(json.loads(line)["error"], "nowhere")


@pytest.mark.slow
def test_an_interruption_can_be_continued(photos):
    command = (*PROCESS, "scan", "photos", "-o", "run", "-m", "digits", "--shard-size", "1", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        lines, problem = process.communicate()
    assert process.returncode == 130, problem
    assert_mentions(json.loads(lines.splitlines()[-1])["error"], "--resume")
    done = subprocess.run((*command, "--resume"), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert len(vitviz.open_scan("run")) == 2 * COUNT
