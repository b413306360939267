"""Images in a folder that a server offers to all users: their names, and the contents of one of them."""

import os
from pathlib import Path

from ..errors import ImageError
from ..errors.arguments import shown, shown_path
from .reading import SUFFIXES

MOST_BYTES = 20_000_000  # of a file, as of users' images
LONGEST_NAME = 200  # characters


def image_names(folder: Path) -> list[str]:
    """Return the names of the images in a folder, without its subfolders, in no order.

    Hidden files, files without the suffix of an image format, names that cannot be shown on a page, files of more than
    20 MB, and links to files outside of the folder are left out. No file is opened.

    Raises:
        ImageError: if it is not a folder, or cannot be read.
    """
    if not os.path.isdir(folder):  # unlike pathlib, this never raises
        raise ImageError(f"{shown_path(folder)} is not a folder; give the path of an existing folder.")
    try:
        root = folder.resolve()
        return [name for name in os.listdir(root) if _is_offered(root, name)]
    except OSError as error:
        raise ImageError(f"The folder {shown_path(folder)} cannot be read; check its permissions.") from error


def read_file(folder: Path, name: str) -> bytes:
    """Return the content of one of `image_names(folder)`.

    Raises:
        ImageError: if it is not one of them, or cannot be read.
    """
    root = folder.resolve()
    if not _is_offered(root, name):
        raise ImageError(f"There is no image {shown(name)} on this server; choose one from the gallery.")
    try:
        with open(root / name, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ImageError(f"The image {shown(name)} cannot be read; choose another one from the gallery.") from error
    if len(data) > MOST_BYTES:  # it has grown
        raise ImageError(f"The image {shown(name)} is too large; choose another one from the gallery.")
    return data


def _is_offered(root: Path, name: str) -> bool:
    if len(name) > LONGEST_NAME or name.startswith(".") or not name.isprintable() or Path(name).name != name:
        return False
    path = root / name
    try:
        inside = path.suffix.lower() in SUFFIXES and path.is_file() and path.resolve().is_relative_to(root)
        return inside and path.stat().st_size <= MOST_BYTES
    except (OSError, ValueError):  # such as a link that leads to itself
        return False
