"""Start of the app's server."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import VitvizError
from ..notation.installation import app_folder
from .requirements import install_command, required, unmet


def arguments(script: Path, address: str, port: int | None, options: Sequence[str] = ()) -> list[str]:
    """Return the command line of Streamlit.

    Args:
        script: script to run.
        address: address to listen on.
        port: port; by default 8501, or the next free one.
        options: further options, which override the others.
    """
    chosen = [f"--server.address={address}", *([] if port is None else [f"--server.port={port}"])]
    return ["streamlit", "run", str(script), *chosen, *options]


def serve(address: str, port: int | None, options: Sequence[str]) -> None:
    """Run the app until the process is stopped; arguments as in `arguments`.

    Streamlit is run in this process, so that signals reach it. It reads `.streamlit/config.toml` beside the script.

    Raises:
        VitvizError: if the app or Streamlit is not installed.
    """
    script = app_folder() / "app.py"
    if find_spec("streamlit") is None:
        command = install_command(unmet("app") or required("app"))
        raise VitvizError(f"The app needs Streamlit, which is not installed; run {command}")
    sys.argv = arguments(script, address, port, options)
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
