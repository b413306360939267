"""File names that command a terminal, or are no text at all: the command writes them out, and goes on."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vitviz.command.talk import json_line, printable
from vitviz.zoo import assets

ROOT = Path(__file__).resolve().parents[1]
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


def spoken(folder, *arguments):
    """What the command says, as bytes."""
    return subprocess.run(
        [sys.executable, "-m", "vitviz", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the command says of good and bad images with such names, as text, as JSON, and its report."""
    folder = tmp_path_factory.mktemp("names")
    names = []
    for name in NAMES.values():
        good, bad = name.replace(b"/", b"") + b".png", name + b".txt"
        shutil.copy(FOUR, os.path.join(os.fsencode(folder), good))
        Path(os.fsdecode(os.path.join(os.fsencode(folder), bad))).write_bytes(b"no image")
        names += [b"./" + good, b"./" + bad, b"./no-" + bad]
    task = ["attention", "-m", "digits", "--format", "png", "--format", "html", *names]
    return folder, spoken(folder, *task), spoken(folder, *task, "--json"), len(NAMES)


def test_nothing_commands_the_terminal(said):
    _, words, _, count = said
    assert words.returncode == 1
    lines = words.stderr.decode("utf-8").splitlines()
    assert len(lines) == 2 * count
    assert all(line.isprintable() for line in lines)
    assert words.stdout.decode("utf-8").replace("\n", "").isprintable()


def test_machines_are_told_of_every_image(said):
    _, _, machine, count = said
    lines = machine.stdout.decode("utf-8").splitlines()
    assert len(lines) == 3 * count
    assert all(line.isprintable() for line in lines)
    found = [json.loads(line) for line in lines]
    assert sum(one["ok"] for one in found) == count
    assert {os.fsencode(one["image"]) for one in found if one["ok"]} == {name + b".png" for name in NAMES.values()}


def test_the_report_is_text_and_shows_names_as_they_are(said):
    folder, *_ = said
    (report,) = folder.glob("*.html")
    text = report.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_wrong_input_is_one_line(name, tmp_path):
    said = spoken(tmp_path, "attention", "-m", b"./" + name + b".pth", os.fsencode(FOUR))
    (line,) = said.stderr.decode("utf-8").splitlines()
    assert said.returncode == 2
    assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\x1b[31m", "a\\x1b[31m"), ("a\r\n b", "a b"), ("é“ü”", "é“ü”"), ("\udcff", "\\udcff"), ("a\u202e", "a\\u202e")],
)
def test_what_cannot_be_seen_is_written_out(text, line):
    assert printable(text) == line
    assert json.loads(json_line({"a": text})) == {"a": text}
