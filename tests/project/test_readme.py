"""README: its statements on pages and packages are correct; `test_documents` tests its snippets."""

import itertools
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from vitviz.ui.app.registry import PAGES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


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

    assert reached("requirements.txt") == lines_of(*(f"requirements/{name}.txt" for name in ("library", "app", "data")))
    assert reached("requirements-dev.txt") == lines_of(
        *(f"requirements/{name}.txt" for name in ("library", "app", "data", "notebook", "ray", "dev"))
    )


def test_the_library_and_its_command_work_without_streamlit(tmp_path):
    code = """
import sys
sys.modules["streamlit"] = None  # as if it were not installed
import vitviz, vitviz.cli.app
from vitviz import *
print(vitviz.load("digits").trace(vitviz.zoo.assets() / "images" / "digits" / "digit-3.png"))
print([name for name in sys.modules if name.startswith("vitviz.ui")])
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "[]"
