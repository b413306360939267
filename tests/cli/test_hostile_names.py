"""File names with terminal control characters or invalid text: the command escapes them and continues."""

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitviz.cli.app import app
from vitviz.cli.console import json_line, printable
from vitviz.zoo import assets

FOUR = assets() / "images" / "digits" / "digit-4.png"
NAMES = {
    "colours": b"\x1b[31mred\x1b[0m",
    "a title": b"\x1b]0;title\x07",
    "line ends": b"a\r\nb",
    "eight bits": "\x9b31m".encode(),
    "right to left": "a\u202egnp".encode(),
    "no text": b"\xff\xfe",
    "markup": b"<img src=x onerror=alert(1)>",
    "an option": b"-o",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Output of the command for valid and invalid images with such names: text, JSON and report."""
    folder = tmp_path_factory.mktemp("names")
    asked = ["attention", "-m", "digits", "--format", "png", "--format", "html", "-o", str(folder / "out")]
    for name in map(os.fsdecode, NAMES.values()):
        shutil.copy(FOUR, folder / f"{name}.png")
        (folder / f"{name}.txt").write_bytes(b"no image")
        asked += [str(folder / f"{name}.png"), str(folder / f"{name}.txt"), str(folder / f"no-{name}")]
    words, machine = CliRunner().invoke(app, asked), CliRunner().invoke(app, [*asked, "--json"])
    (report,) = (folder / "out").glob("*.html")
    return words, machine, report.read_text(encoding="utf-8")


def test_nothing_commands_the_terminal(said):
    words, *_ = said
    assert words.exit_code == 1
    lines = words.stderr.splitlines()
    assert len(lines) == 2 * len(NAMES)
    assert all(line.isprintable() for line in [*lines, *words.stdout.splitlines()])


def test_machines_are_told_of_every_image(said):
    _, machine, _ = said
    lines = machine.stdout.splitlines()
    assert all(line.isprintable() for line in lines)
    found = [json.loads(line) for line in lines]
    assert len(found) == 3 * len(NAMES)
    good = {os.fsencode(Path(one["image"]).name) for one in found if one["ok"]}
    assert good == {name + b".png" for name in NAMES.values()}


def test_the_report_shows_names_as_they_are(said):
    *_, report = said
    assert "<img src=x" not in report
    assert "&lt;img src=x" in report


@pytest.mark.parametrize("name", [os.fsdecode(name) for name in NAMES.values()], ids=NAMES)
def test_wrong_input_is_one_line(name):
    said = CliRunner().invoke(app, ["attention", "-m", f"./{name}.pth", str(FOUR)])
    (line,) = said.stderr.splitlines()
    assert said.exit_code == 2
    assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\x1b[31m", "a\\x1b[31m"), ("a\r\n b", "a b"), ("é“ü”", "é“ü”"), ("\udcff", "\\udcff"), ("a\u202e", "a\\u202e")],
)
def test_what_cannot_be_seen_is_written_out(text, line):
    assert printable(text) == line
    assert json.loads(json_line({"a": text})) == {"a": text}
