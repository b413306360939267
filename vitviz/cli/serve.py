"""Start of the app's server."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import VitvizError
from ..errors.arguments import shown_path
from ..images.folder import image_names
from ..notation.installation import app_folder
from ..notation.variables import IMAGES, MODEL
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


def serve(
    address: str, port: int | None, options: Sequence[str], model: str | None = None, images: Path | None = None
) -> None:
    """Run the app until the process is stopped.

    Streamlit is run in this process, so that signals reach it. It reads `.streamlit/config.toml` beside the script.

    Args:
        address: address to listen on.
        port: port; by default 8501, or the next free one.
        options: further options of Streamlit, which override the others.
        model: model with which new sessions open; by default VITVIZ_MODEL.
        images: folder of images for all users; by default VITVIZ_IMAGES.

    Raises:
        VitvizError: if the app or Streamlit is not installed, the model cannot be loaded without a download, or the
            folder has no images.
    """
    script = app_folder() / "app.py"
    if find_spec("streamlit") is None:
        command = install_command(unmet("app") or required("app"))
        raise VitvizError(f"The app needs Streamlit, which is not installed; run {command}")
    for variable, value in ((MODEL, model), (IMAGES, images)):
        if value is not None:
            os.environ[variable.name] = os.path.abspath(value) if variable is IMAGES else value
    check_offered()
    sys.argv = arguments(script, address, port, options)
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


def check_offered() -> None:
    """Check the model and the images of the settings, before users meet them.

    The model is loaded here, and stays in memory for the app.

    Raises:
        VitvizError: if the model cannot be loaded without a download, or the folder has no images.
    """
    if IMAGES.text and not image_names(Path(IMAGES.text)):
        raise VitvizError(f"The folder {shown_path(IMAGES.text)} has no images; choose another one for {IMAGES.name}.")
    if MODEL.text:
        from .. import zoo

        zoo.check_opening(MODEL.text)
        zoo.shared(MODEL.text)
