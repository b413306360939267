"""Programs that some tests need, beside Python and Chromium."""

import os
import subprocess
from importlib.util import find_spec

import pytest

from scripts.app_server import ROOT


def program(name: str, package: str) -> str:
    """Return the path of a program, and install its Debian package for that if possible; see `unavailable`."""
    found = subprocess.run(
        [ROOT / "scripts/find_program.sh", name, package], capture_output=True, text=True, check=False
    )
    if found.returncode:
        unavailable(found.stderr.splitlines()[-1])
    return found.stdout.strip()


def module(name: str) -> None:
    """Go on only if a Python module is installed; see `unavailable`."""
    if not find_spec(name):
        unavailable(f"No {name} found; install it (pip install -r requirements/exhaustive.txt).")


def unavailable(reason: str) -> None:
    """Skip the test, except where all must be installed."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
