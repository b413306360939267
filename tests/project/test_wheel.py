"""A wheel contains the app, which starts without the checkout."""

import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

from benchmarks.session import Session
from scripts.app_server import ROOT, running_app
from tests.support.event_loops import run_to_its_end
from vitviz.ui.app.registry import PAGES

pytestmark = pytest.mark.slow

BUILT_FROM = ("app.py", "eslint.config.js", "pyproject.toml", "README.md", "LICENSE")
FOLDERS = (".streamlit", "assets", "docs", "pages", "requirements", "vitviz")
PACKAGE_DATA = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
WEIGHTS = "*.safetensors"  # large, so they are linked instead
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the contents of a wheel."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns(WEIGHTS, "__pycache__", "screenshots")
        )
    command = [sys.executable, "-c", BUILD, str(built)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    for weights in (ROOT / "assets" / "models").rglob(WEIGHTS):
        (folder / "vitviz" / weights.relative_to(ROOT)).symlink_to(weights)
    return folder


def test_it_contains_the_app_and_nothing_of_the_projects_own(installed):
    entry = installed / "vitviz" / "entry"
    found = {path.relative_to(entry).as_posix() for path in entry.rglob("*") if path.is_file()}
    assert found == {"app.py", ".streamlit/config.toml", "docs/teaching.md", *(page.file for page in PAGES)}
    assert (installed / "vitviz" / "assets" / "icon.svg").is_file()
    assert {path.name for path in installed.iterdir()} == {
        "vitviz",
        *(path.name for path in installed.glob("*.dist-info")),
    }


def test_it_contains_all_modules_scripts_weights_and_images(installed):
    files = [path for path in (ROOT / "vitviz").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    missing = [path for path in files if not (installed / path.relative_to(ROOT)).is_file()]
    assets = ROOT / "assets"
    carried = {path for pattern in PACKAGE_DATA["vitviz.assets"] for path in assets.glob(pattern) if path.is_file()}
    used = [path for folder in ("models", "images") for path in (assets / folder).rglob("*") if path.is_file()]
    missing += [path for path in used if path not in carried]
    missing += [path for path in carried if not (installed / "vitviz" / path.relative_to(ROOT)).is_file()]
    assert not missing


def test_the_app_starts_from_it_in_any_folder(installed, tmp_path):
    async def visit(url):
        session = Session(url)
        await session.connect()
        await session.open("")
        assert "start_teaching" in session.elements, "the teacher's guide is there"
        await session.open("explore", "model=digits&image=digit-4")
        assert "explorer" in session.elements
        zone = session.elements["sidebar_upload_0"][1].file_uploader
        assert zone.max_upload_size_mb == 20, "as in .streamlit/config.toml"
        await session.leave()

    command = (sys.executable, "-m", "vitviz.cli", "app", "--")
    environment = {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    with running_app(command=command, folder=tmp_path, environment=environment) as url:
        run_to_its_end(visit(url))
