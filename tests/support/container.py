"""Container without a container engine: the last stage of the Dockerfile, run in a sandbox of bubblewrap.

As compose.yaml asks, the whole file system is read-only, apart from its temporary folders and volumes; the process has
the Dockerfile's user and environment, and no capabilities.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from scripts.app_server import ROOT
from tests.support.programs import program

PLACE = "/opt/vitviz"  # of the app in the image
HOME = "/home/vitviz"
STEPS = "scripts/container_steps.sh"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICE = COMPOSE["services"]["vitviz"]
_DOCKERFILE = DockerfileParser(fileobj=io.BytesIO((ROOT / "Dockerfile").read_bytes()))
STAGES: list[list[tuple[str, str]]] = []  # instructions with their values
for _step in _DOCKERFILE.structure:
    if _step["instruction"] == "FROM":
        STAGES.append([])
    if _step["instruction"] != "COMMENT":
        STAGES[-1].append((_step["instruction"], _step["value"]))
ENVIRONMENT: dict[str, str] = _DOCKERFILE.envs


def value_of(instruction: str) -> str:
    """Return the value of the last such instruction of the image."""
    return [value for name, value in STAGES[-1] if name == instruction][-1]


def command_of(instruction: str) -> list[str]:
    """Return the program and arguments of CMD or HEALTHCHECK, which are written as JSON."""
    return json.loads(value_of(instruction).rpartition("CMD ")[2])


@dataclass(frozen=True)
class Sandbox:
    """Sandbox with an app at its place in the image.

    Attributes:
        target: folder that contains the app and its environment, as made by scripts/container_steps.sh.
        scratch: folder for what is written, with one subfolder for each temporary folder and volume.
        port: port on which the app listens.
    """

    target: Path
    scratch: Path
    port: int

    @property
    def writable(self) -> dict[str, Path]:
        """Folders that may be written to, by their place in the sandbox."""
        places = [entry.partition(":")[0] for entry in SERVICE["tmpfs"]]
        places += [entry.split(":")[1] for entry in SERVICE["volumes"]]
        return {place: self.scratch / place.strip("/").replace("/", "-") for place in places}

    def command(self, program: Sequence[str]) -> list[str]:
        """Return the command that runs a program of the image as its user."""
        environment = {
            **ENVIRONMENT,
            "PATH": f"{ENVIRONMENT['PATH']}/usr/local/bin:/usr/bin:/bin",
            "HOME": HOME,
            "STREAMLIT_SERVER_PORT": str(self.port),
            "OMP_NUM_THREADS": "1",
        }
        options = [*_system(), "--ro-bind", self.target, PLACE, "--remount-ro", "/opt"]
        for place, folder in self.writable.items():
            folder.mkdir(parents=True, exist_ok=True)
            options += ["--bind", folder, place]
        options += [*_interpreters(), "--remount-ro", "/home", "--chdir", value_of("WORKDIR"), "--clearenv"]
        for name, value in environment.items():
            options += ["--setenv", name, value]
        user = value_of("USER")
        return [_bubblewrap(), *map(str, options), "--uid", user, "--gid", user, "--", *program]

    def run(self, program: Sequence[str]) -> subprocess.CompletedProcess:
        """Run a program of the image to its end."""
        return subprocess.run(self.command(program), capture_output=True, text=True, check=False)


def build(step: str, target: Path, scratch: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a step of scripts/container_steps.sh that writes to the target, at its place in the image."""
    scratch.mkdir(parents=True, exist_ok=True)
    options = [*_system(), "--bind", target, PLACE, "--bind", scratch, "/tmp"]
    options += [*_interpreters(), "--ro-bind", ROOT, ROOT, "--chdir", ROOT]
    command = [_bubblewrap(), *map(str, options), "--", f"./{STEPS}", step, PLACE]
    variables = {**os.environ, "HOME": "/tmp", "TMPDIR": "/tmp", "PYTHON": _base_interpreter(), **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)


def _system() -> list[str | Path]:
    """Options for a read-only copy of this machine, with empty folders where the image has its own."""
    options = ["--die-with-parent", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/"]
    return [*options, "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/opt", "--tmpfs", "/home", "--tmpfs", "/tmp"]


def _interpreters() -> list[str | Path]:
    """Options that show Python also where it lies in one of the empty folders."""
    folders = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    return [part for folder in sorted(folders) for part in ("--ro-bind", folder, folder)]


def _base_interpreter() -> str:
    return os.path.realpath(sys.executable)


def _bubblewrap() -> str:
    """Return the path of bubblewrap; skip the test where there is none, or where the system allows no sandbox."""
    path = program("bwrap", "bubblewrap")
    tried = subprocess.run([path, "--unshare-user", "--ro-bind", "/", "/", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"This system allows no sandbox: {tried.stderr.decode().strip()}")
    return path
