"""Layers of the package: imports go downwards only, in no circle, not even for types or inside of functions."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import permutations
from pathlib import Path

import pytest

import vitviz

ROOT = Path(vitviz.__file__).parents[1]
LAYERS = (
    ("errors",),
    ("images",),
    ("model",),
    ("trace",),
    ("notation",),
    ("zoo",),
    ("analysis",),
    ("walkthrough",),
    ("viz",),
    ("cli", "ui"),
)
HEIGHT = {folder: height for height, folders in enumerate(LAYERS) for folder in folders}
MOST_LINES = 400


def is_below(upper: str, lower: str) -> bool:
    """Return True if the first may import the second."""
    return HEIGHT[lower] < HEIGHT[upper]


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "vitviz").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name: str, path: Path) -> set[str]:
    """Modules of vitviz that a module imports, wherever in it."""
    found, package = set(), name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in MODULES}
        if isinstance(node, ast.ImportFrom):
            parts = package[: len(package) + 1 - node.level] if node.level else []
            home = ".".join([*parts, *([node.module] if node.module else [])])
            for alias in node.names:
                found |= {whole for whole in (f"{home}.{alias.name}", home) if whole in MODULES and whole != name}
    return found


@cache
def imports() -> dict[str, set[str]]:
    return {name: imported(name, path) for name, path in MODULES.items()}


def folder_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize(("lower", "upper"), [pair for pair in permutations(HEIGHT, 2) if not is_below(*pair)])
def test_nothing_imports_from_above_or_beside(lower, upper):
    wrong = {
        name: names
        for name, others in imports().items()
        if folder_of(name) == lower and (names := {other for other in others if folder_of(other) == upper})
    }
    assert not wrong


def test_imports_go_in_no_circle():
    below = {name: others - {"vitviz"} for name, others in imports().items() if name != "vitviz"}
    # A package is imported with each of its modules, which says nothing about who needs whom.
    below = {name: {other for other in others if not name.startswith(f"{other}.")} for name, others in below.items()}
    try:
        tuple(TopologicalSorter(below).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_package_is_found_its_way_around_by_its_folders():
    entries = {path.name for path in (ROOT / "vitviz").iterdir() if path.name != "__pycache__"}
    assert len(entries) <= 12
    assert entries == {"__init__.py", *HEIGHT}


@pytest.mark.parametrize("path", [*MODULES.values()], ids=str)
def test_no_module_is_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES


def test_streamlit_is_for_the_app_alone():
    wrong = [
        name
        for name, path in MODULES.items()
        if folder_of(name) != "ui" and "import streamlit" in path.read_text("utf-8")
    ]
    assert not wrong
