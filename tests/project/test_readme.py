"""README: every snippet runs, and its statements on files and packages are correct."""

import itertools
import os
import re
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
import timm
import torch

import vitviz
from vitviz.analysis.attribution import METHODS
from vitviz.ui.app.registry import PAGES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Folders that a snippet may read; they are linked into a temporary folder, so that the repository stays unchanged.
BESIDE = ("assets", "examples", "vitviz")


def snippets(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in BESIDE:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names_paths(code):
    return re.findall(r"[\"' ]((?:assets|examples)/[\w./*-]+)", code)


def test_paths_in_snippets_exist():
    paths = [path for language in ("python", "sh") for code in snippets(language) for path in names_paths(code)]
    assert paths
    for path in paths:
        assert list(ROOT.glob(path)), path


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(snippets("python"))))
def test_each_python_snippet_runs_alone(number, folder):
    session = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(snippets("python")[number], "README.md", "exec"), session)
    if "attribution" in session:
        assert session["attribution"].map.shape == session["four"].grid
    if "mine" in session:
        assert session["mine"].labels == ("cat", "dog", "fox")


def test_the_options_beside_a_checkpoint_are_read_as_they_stand(folder):
    (options,) = snippets("toml")
    said = tomllib.loads(options)
    model = timm.create_model(said["arch"], num_classes=2)
    torch.save(model.state_dict(), folder / "best.pth")
    (folder / "best.toml").write_text(options)
    (folder / said["classes"]).write_text("ant\nbee\n")
    loaded = vitviz.load(folder / "best.pth")
    assert loaded.labels == ("ant", "bee")
    assert list(loaded.preprocessing.mean) == said["mean"]
    assert list(loaded.preprocessing.std) == said["std"]
    assert not [note for note in loaded.notes if "mean" in note], "the file gives the mean"


def test_tables_are_not_torn():
    """Tables have no interrupting lines, which would leave the rest as raw text."""
    lines = README.splitlines()
    for above, line in itertools.pairwise(lines):
        if line.startswith("|"):
            assert above.startswith("|") or lines[lines.index(line) + 1].startswith("| ---"), line
        if above.startswith("|") and not line.startswith("|"):
            assert not line, line
    pages = [page.title for page in PAGES]
    first_cells = [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("|")]
    assert [cell for cell in first_cells if cell in pages] == pages


def commands():
    """Return the lines of shell snippets that call the command, without comments."""
    lines = [line.split("  # ")[0].strip() for code in snippets("sh") for line in code.splitlines()]
    return [line for line in lines if line.startswith("vitviz ")]


@pytest.mark.slow
@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme_runs(line, folder):
    run = f"{sys.executable} -m vitviz.cli {line.removeprefix('vitviz ')}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_shell_snippets_call_nothing_that_is_not_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for code in snippets("sh"):
        for line in filter(None, code.splitlines()):
            program, argument = line.split()[:2]
            assert program in ("make", "vitviz", "pip"), line
            assert program != "make" or argument in targets, line


def test_the_table_of_the_methods_has_all_of_them():
    assert set(re.findall(r"^\| `(\w+)` \| \d+ of \d+ \|", README, re.MULTILINE)) == set(METHODS)


# --- Installing it ---------------------------------------------------------------------------------------------------


def lines_of(*files):
    return {line for file in files for line in (ROOT / file).read_text().splitlines() if line and line[0] not in "-#"}


def test_the_library_does_not_need_streamlit_and_the_app_does():
    dynamic = PROJECT["tool"]["setuptools"]["dynamic"]
    library = lines_of(*dynamic["dependencies"]["file"])
    app = lines_of(*dynamic["optional-dependencies"]["app"]["file"])
    development = lines_of(*dynamic["optional-dependencies"]["dev"]["file"])
    assert not [line for line in library if line.startswith("streamlit")]
    assert [line for line in app if line.startswith("streamlit")]
    assert app <= development
    assert [line for line in development if line.startswith("pytest")]
    for extra in re.findall(r"pip install (?:-e )?'\.\[(\w+)\]'", README):
        assert extra in dynamic["optional-dependencies"]


def test_what_make_installs_is_what_pip_installs():
    def reached(file):
        found = set()
        for line in (ROOT / file).read_text().splitlines():
            found |= reached(line.removeprefix("-r ")) if line.startswith("-r ") else {line} - {""}
        return found

    assert reached("requirements.txt") == lines_of("requirements/library.txt", "requirements/app.txt")
    assert reached("requirements-dev.txt") == lines_of(
        *(f"requirements/{name}.txt" for name in ("library", "app", "dev"))
    )


def test_the_library_and_its_command_work_without_streamlit(folder):
    code = """
import sys
sys.modules["streamlit"] = None  # as if it were not installed
import vitviz, vitviz.cli.app
from vitviz import *
print(vitviz.load("digits").trace(vitviz.zoo.assets() / "images" / "digits" / "digit-3.png"))
print([name for name in sys.modules if name.startswith("vitviz.ui")])
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_is_shipped_is_listed_for_a_wheel():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["vitviz.assets"]
    carried = {path for pattern in patterns for path in (ROOT / "assets").glob(pattern)}
    for folder in ("models", "images"):
        for path in (ROOT / "assets" / folder).rglob("*"):
            assert path.is_dir() or path in carried, path
