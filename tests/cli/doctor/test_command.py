"""`vitviz doctor`: what it prints, and its exit code."""

import json

import pytest
from typer.testing import CliRunner

from vitviz.cli import doctor
from vitviz.cli.app import app
from vitviz.cli.doctor.check import Check

FINE = Check("memory", "ok", {"available_mb": 5000}, "5000 MB are available.")
WARNED = Check("disk", "warning", {}, "Little is free.", "Free more.")
FAILED = Check("hub\x1b[31m", "failure", {}, "Broken\nlines.", "Mend it.")


def topics(monkeypatch, *checks):
    monkeypatch.setattr(doctor, "TOPICS", {"a topic": lambda: iter(checks)})


def run(*options):
    return CliRunner().invoke(app, ["doctor", *options])


def test_this_installation_is_in_order(monkeypatch):
    monkeypatch.setitem(doctor.TOPICS, "memory", lambda: iter([FINE]))  # whatever else this machine is doing
    result = run("--json")
    assert result.exit_code == 0, result.stdout
    found = json.loads(result.stdout)
    assert found["ok"] is True
    names = [check["name"] for check in found["checks"]]
    assert len(set(names)) == len(names) >= 15
    for check in found["checks"]:
        assert check["status"] in ("ok", "warning")
        assert bool(check["advice"]) == (check["status"] == "warning")


@pytest.mark.parametrize("others", [(), (WARNED,)])
def test_a_warning_is_no_failure(others, monkeypatch):
    topics(monkeypatch, FINE, *others)
    assert run().exit_code == 0
    assert json.loads(run("--json").stdout)["ok"] is True


def test_a_failure_is_told_with_its_advice(monkeypatch):
    topics(monkeypatch, FINE, FAILED)
    result = run()
    assert result.exit_code == 1
    assert FAILED.advice in result.stdout
    assert "\x1b" not in result.stdout, "nothing that comes from outside controls the terminal"
    result = run("--json")
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    found = json.loads(result.stdout)
    assert (found["ok"], [check["status"] for check in found["checks"]]) == (False, ["ok", "failure"])


def test_a_check_that_breaks_does_not_end_the_others(monkeypatch):
    def broken():
        yield FINE
        raise ImportError("libtorch.so is missing")

    monkeypatch.setattr(doctor, "TOPICS", {"broken": broken, "other": lambda: iter([WARNED])})
    result = run("--json")
    assert result.exit_code == 1
    checks = json.loads(result.stdout)["checks"]
    assert [(check["name"], check["status"]) for check in checks] == [
        ("memory", "ok"),
        ("broken", "failure"),
        ("disk", "warning"),
    ]
    assert "libtorch.so" in checks[1]["summary"]
