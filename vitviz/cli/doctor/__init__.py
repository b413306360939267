"""Checks of an installation: `vitviz doctor` says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import typer

from ..console import json_line, printable
from .check import Check
from .components import check_app, check_files
from .hub import check_hub
from .machine import check_memory
from .settings import check_checkpoints, check_offered, check_settings
from .versions import check_extras, check_versions
from .weights import check_models

# Memory comes before the topics that import PyTorch, which takes memory itself.
TOPICS: dict[str, Callable[[], Iterator[Check]]] = {
    "versions": check_versions,
    "extras": check_extras,
    "memory": check_memory,
    "settings": check_settings,
    "app": check_app,
    "components": check_files,
    "hub": check_hub,
    "checkpoints": check_checkpoints,
    "offered": check_offered,
    "models": check_models,
}


def diagnose() -> Iterator[Check]:
    """Run all checks, and yield each result when it is known."""
    for name, check in TOPICS.items():
        try:
            yield from check()
        except Exception as error:  # imports of a damaged installation can raise anything
            summary = f"The check ended early: {type(error).__name__}: {error}"
            yield Check(name, "failure", {"error": type(error).__name__}, summary, "Install vitviz again.")


def run(as_json: bool) -> int:
    """Print the results of all checks, one after the other, or as one JSON object.

    Returns:
        Exit code: 0 if no check failed, 1 otherwise.
    """
    checks = []
    for check in diagnose():
        checks.append(check)
        if not as_json:
            typer.echo(f"{check.status:8} {printable(f'{check.name}: {check.summary}')}")
            if check.advice:
                typer.echo(f"{'':8} {printable(check.advice)}")
    failed = [check.name for check in checks if check.status == "failure"]
    if as_json:
        typer.echo(json_line({"ok": not failed, "checks": [check.as_dict() for check in checks]}))
    return 1 if failed else 0
