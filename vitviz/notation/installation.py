"""Files that are installed with the code: beside it in an installed package, or else in the checkout."""

from __future__ import annotations

from pathlib import Path

from ..errors import VitvizError

PACKAGE = Path(__file__).parents[1]


def assets() -> Path:
    """Return the folder with the shipped weights and sample images."""
    inside = PACKAGE / "assets"
    return inside if inside.is_dir() else PACKAGE.parent / "assets"


def app_folder() -> Path:
    """Return the folder of the script that Streamlit runs, with its pages and the guide for teachers.

    Raises:
        VitvizError: if there is none.
    """
    for folder in (PACKAGE / "entry", PACKAGE.parent):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir():
            return folder
    raise VitvizError("The files of the app are missing from this installation; install vitviz again.")
