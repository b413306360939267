"""Optional packages: what needs them, and how to install them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from ..errors import VitvizError
from .marks import join_words

Extra = Literal["data", "notebook", "ray"]
PACKAGES: dict[Extra, tuple[str, ...]] = {
    "data": ("pyarrow", "duckdb", "fsspec"),
    "notebook": ("anywidget",),
    "ray": ("ray",),
}


def missing(extra: Extra) -> list[str]:
    """Return the packages of an extra that are not installed."""
    return [package for package in PACKAGES[extra] if not _is_installed(package)]


def require(extra: Extra, what: str) -> None:
    """Check that the packages of an extra are installed.

    Args:
        extra: name of the extra.
        what: subject of the error message, such as `"A scan"`.

    Raises:
        VitvizError: if one is missing; the message says how to install it.
    """
    packages = missing(extra)
    if packages:
        verb = "is" if len(packages) == 1 else "are"
        raise VitvizError(
            f"{what} needs {join_words(packages)} of the extra vitviz[{extra}], which {verb} not installed; run "
            f"pip install {' '.join(packages)}"
        )


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # `sys.modules[package]` is None, which blocks its import
        return False
