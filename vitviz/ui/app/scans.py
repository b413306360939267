"""Scans that the server offers in the folder VITVIZ_RUNS, and their images.

Users choose scans and images from these lists only: a link names a scan and a position in it, never a path. The file of
an image is found through the scan, see `vitviz.analysis.scan.queries.original`.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ScanError, VitvizError
from ...errors.arguments import shown
from ...notation.extras import require
from ...notation.variables import RUNS

if TYPE_CHECKING:  # it needs pyarrow
    from ...analysis.scan.queries.scan_run import ScanRun

MARK = "scan-"  # start of an image in links, before its position and the name of its scan
MOST_SCANS = 500  # in the list
LONGEST_NAME = 200  # characters of the name of a scan in a link


@dataclass(frozen=True)
class ScanImage:
    """Image of a scan.

    Attributes:
        scan: name of the scan.
        position: position in the source, from 0.
        name: name of the file.
        digest: SHA-256 of the file.
        data: the file.
        sample: False, because it is none of the samples.
    """

    scan: str
    position: int
    name: str
    digest: str
    data: bytes = field(repr=False)
    sample: bool = False

    @property
    def mark(self) -> str:
        """The image in links."""
        return mark_of(self.scan, self.position)


def is_offered() -> bool:
    """Return True if the server has a folder of scans."""
    return bool(RUNS.text)


def names() -> list[str]:
    """Return the names of the scans, which are subfolders of the folder of scans, sorted."""
    if not is_offered():
        return []
    try:
        found = sorted(path.name for path in Path(RUNS.text).iterdir() if _is_scan(path))
    except OSError:
        return []
    return [name for name in found if name.isprintable() and len(name) <= LONGEST_NAME][:MOST_SCANS]


def opened(name: str) -> ScanRun:
    """Open a scan of the list.

    Raises:
        ScanError: if it is not in the list, or is invalid.
        VitvizError: if the packages for scans are not installed.
    """
    require("data", "The page Collection")
    from ...analysis.scan.queries.scan_run import open_run

    if name not in names():
        raise ScanError(f"There is no scan {shown(name)} on this server; choose one from the list.")
    return open_run(Path(RUNS.text).resolve() / name)


def stamp(name: str) -> tuple[int, ...]:
    """Return numbers that change with the description of a scan or its list of files; (0,) if it is gone."""
    folder = Path(RUNS.text) / name
    try:
        return folder.stat().st_mtime_ns, (folder / "run.json").stat().st_mtime_ns
    except OSError:
        return (0,)


def image(name: str, position: int) -> ScanImage:
    """Return an image of a scan.

    Raises:
        ScanError: if there is no such image, or its file is gone or has changed.
    """
    run = opened(name)
    from ...analysis.scan.queries.original import original
    from ...analysis.scan.queries.scan_run import short

    path, data = original(run, position)
    title = short(path.rpartition("/")[2]) or "image"
    return ScanImage(name, position, title, sha256(data).hexdigest(), data)


def mark_of(name: str, position: int) -> str:
    """Return an image as it is written in links."""
    return f"{MARK}{position}-{name}"


def named(mark: str) -> tuple[ScanImage | None, str]:
    """Return the image that a link names, or None and the reason in one sentence."""
    match = re.fullmatch(rf"{MARK}([0-9]{{1,15}})-(.{{1,{LONGEST_NAME}}})", mark)
    try:
        if match is None:
            raise ScanError("The link does not name an image of a scan; choose one on the page Collection.")
        return image(match[2], int(match[1])), ""
    except VitvizError as error:
        return None, f"{error} A sample is shown instead."


def _is_scan(folder: Path) -> bool:
    """Return True for a folder with a description of a scan; links could lead anywhere."""
    try:
        return not folder.is_symlink() and (folder / "run.json").is_file()
    except OSError:
        return False


@cache
def index_folder() -> Path:
    """Return the folder of the indexes of scans: in the user's cache, or else a temporary one of this process."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitviz" / "scans"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="vitviz-scans-"))
