"""Dockerfile, compose.yaml and the header of the README: rules of hadolint, limits and consistency."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.app_server import ROOT
from tests.support.container import COMPOSE, ENVIRONMENT, HOME, PLACE, SERVICE, STAGES, command_of, value_of
from vitviz.notation.variables import VARIABLES

STEPS = (ROOT / "scripts/container_steps.sh").read_text()
README = (ROOT / "README.md").read_text("utf-8")
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}  # those of Hugging Face Spaces


def linted(dockerfile: Path) -> subprocess.CompletedProcess:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed; its package has no file for this system.")
    return subprocess.run([hadolint, dockerfile], capture_output=True, text=True, check=False)


def test_hadolint_has_no_complaint():
    done = linted(ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_hadolint_complains_where_it_should(tmp_path):
    text = (ROOT / "Dockerfile").read_text()
    (tmp_path / "Dockerfile").write_text(re.sub(r"^FROM python:\S+", "FROM python:latest", text, flags=re.MULTILINE))
    assert linted(tmp_path / "Dockerfile").returncode != 0


def test_the_image_is_built_in_two_stages_on_one_base():
    bases = [stage[0][1].split()[0] for stage in STAGES]
    assert len(bases) == 2
    assert len(set(bases)) == 1, "compiled packages need the Python that they were installed for"
    assert not any("uv" in value for name, value in STAGES[-1] if name == "RUN"), "installers stay in the first stage"


def test_the_image_has_a_user_without_rights_and_reachable_paths():
    assert int(value_of("USER")) > 0
    assert value_of("WORKDIR") == f"{PLACE}/app"
    assert command_of("CMD")[0] == f"{PLACE}/venv/bin/streamlit"
    assert command_of("HEALTHCHECK") == [f"{PLACE}/app/scripts/container_steps.sh", "health"]
    assert "curl" not in value_of("HEALTHCHECK")
    assert ENVIRONMENT["STREAMLIT_SERVER_ADDRESS"] == "0.0.0.0", "a published port leads to another address"
    assert value_of("EXPOSE") == ENVIRONMENT["STREAMLIT_SERVER_PORT"]
    assert ENVIRONMENT["HF_HOME"].startswith(HOME)


def test_compose_limits_what_the_container_can_do():
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert SERVICE["mem_limit"] == SERVICE["memswap_limit"], "otherwise the same amount may be swapped"
    assert SERVICE["pids_limit"] > 0
    (port,) = SERVICE["ports"]
    assert port == f"${{VITVIZ_ADDRESS:-127.0.0.1}}:${{VITVIZ_PORT:-8501}}:{ENVIRONMENT['STREAMLIT_SERVER_PORT']}"
    (volume,) = SERVICE["volumes"]
    assert volume == f"models:{ENVIRONMENT['HF_HOME']}"
    assert list(COMPOSE["volumes"]) == ["models"]
    assert SERVICE["build"]["args"]["TORCH_BACKEND"] == "${TORCH_BACKEND:-cpu}"


def test_compose_passes_on_the_settings_of_the_app():
    """All but the folders of checkpoints and of scans, which would have to be mounted."""
    used = {variable.name for variable in VARIABLES}
    passed = {name for name in SERVICE["environment"] if name.startswith("VITVIZ_")}
    assert passed == used - {"VITVIZ_CHECKPOINT_DIR", "VITVIZ_RUNS"}


def test_the_build_gets_what_its_steps_read_and_nothing_else():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    given = [line[1:] for line in lines if line[0] == "!"]
    for name in given:
        assert (ROOT / name).exists(), name
    (listed,) = re.findall(r'^files="([^"]*)"', STEPS, re.MULTILINE)
    for name in listed.split():
        assert [path for path in given if f"{path}/".startswith(f"{name}/")], f"{name} is copied but not given"
    copied = [value.split()[:-1] for kind, value in STAGES[0] if kind == "COPY"]
    for name in {name for names in copied for name in names} - {"."}:
        assert name in given, name


def test_the_readme_begins_with_the_header_of_a_space():
    _, header, text = README.split("---\n", 2)
    space = yaml.safe_load(header)
    assert README.startswith("---\n")
    assert text.lstrip().startswith("# vitviz")
    assert space["sdk"] == "docker"
    assert str(space["app_port"]) == ENVIRONMENT["STREAMLIT_SERVER_PORT"]
    assert {space["colorFrom"], space["colorTo"]} <= COLOURS
    assert 0 < len(space["short_description"]) <= 60
    assert space["license"] == "mit"
    assert value_of("USER") == "1000", "the user of Spaces"
