"""Fixtures and helpers that run the command `vitviz`."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitviz.cli.app import app
from vitviz.zoo import assets

IMAGES = assets() / "images"
CAT, ROCKET = str(IMAGES / "cat.jpg"), str(IMAGES / "rocket.jpg")
FOUR, EIGHT = str(IMAGES / "digits" / "digit-4.png"), str(IMAGES / "digits" / "digit-8.png")
PROCESS = (sys.executable, "-m", "vitviz.cli")  # the command in a process of its own
COMMANDS = ("attention", "tokens", "explain")


@pytest.fixture
def vit(tmp_path):
    """Function that runs the command with a temporary output folder."""

    def run(*arguments: str):
        result = CliRunner().invoke(app, [*arguments, *([] if "-o" in arguments else ["-o", str(tmp_path / "out")])])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def written(tmp_path):
    """Function that returns the contents of the output files by name, without those in a report's folder."""
    return lambda: {path.name: path.read_bytes() for path in sorted((tmp_path / "out").iterdir()) if path.is_file()}


def only_line(result) -> str:
    """Return the error message, which must be one plain line."""
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("vitviz: ")
    return line.removeprefix("vitviz: ")


def objects(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def report(vit, written, command, *arguments) -> str:
    result = vit(command, *arguments, "--format", "html")
    assert result.exit_code == 0, result.stderr
    return written()[Path(result.stdout.strip()).name].decode()
