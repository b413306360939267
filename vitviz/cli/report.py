"""A report: one HTML file with a small picture of each image, an index, a filter; and the full pictures as files.

It grows image by image, so it needs no more memory for more images, and what there is of it can be read at any time.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from errno import EISDIR
from html import escape
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote

from PIL import Image

from ..viz.inline import data_url
from .result import Found

HEAVIEST = 20_000  # bytes of a small picture
_SIDES = (320, 240, 160, 96)  # pixels of its longer side: as many as are possible with that
_QUALITIES = (80, 60, 40)
_HERE = Path(__file__).parent

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
script-src 'sha256-{hash}'">
<meta name="vitviz-folders" content="{folders}">
<title>{title}</title>
<style>
{css}</style>
<script>{js}</script></head><body>
<header><h1>{title}</h1><p>{about}</p></header>
<form id="controls" role="search" aria-label="Images" hidden>
<label>Name <input id="filter" type="search" autocomplete="off"></label>
<label id="predictions">Prediction <select id="prediction"></select></label>
<fieldset id="range"><select id="measure" aria-label="A number to filter by"></select>
<span><label>from <input id="low" type="number" step="any"></label>
<label>to <input id="high" type="number" step="any"></label></span>
</fieldset>
<label>Sort by <select id="sort"></select></label>
<button id="down" type="button" aria-pressed="false" title="The last or the largest one first">descending</button>
<label><input id="problems" type="checkbox"> problems only</label>
<output id="count"></output></form>
<main><nav id="index" aria-label="Index" hidden><ol></ol></nav>
<ol id="images">
"""
_TAIL = """</ol></main>
<footer{kind}>{footer}</footer></body></html>
"""
_FOLDERS = re.compile(rb'^<meta name="vitviz-folders" content="([0-9a-f ]*)">$', re.MULTILINE)
_ENTRY = b'<li id="'  # how the line of an image begins; each image is one line


class Report:
    """A report that grows image by image.

    Args:
        path: where it goes.
        title: its title.
        about: a line below that.
        images: how many there will be.
        resume: whether to take over images of an earlier report in this place, see `has`.
        folders: the places of the folders that the images are from, for `folders_of`.
    """

    def __init__(
        self, path: Path, title: str, about: str, images: int, resume: bool = False, folders: Iterable[str] = ()
    ):
        self.path = path
        self._planned = images
        self._growing = path
        self._resume = resume
        self._at: dict[str, int] = {}  # where in the earlier report the line of each image begins
        self._old: BinaryIO | None = None
        self._count = 0
        js = "\n" + (_HERE / "report.js").read_text("utf-8")
        self._head = _HEAD.format(
            title=escape(title),
            about=escape(about),
            folders=" ".join(folders),
            css=(_HERE / "report.css").read_text("utf-8"),
            js=js,
            hash=base64.b64encode(hashlib.sha256(js.encode()).digest()).decode(),
        )

    @property
    def folder(self) -> Path:
        """Folder of its full pictures, if they go nowhere else."""
        return self.path.with_name(f"{self.path.stem}_files")

    def __enter__(self) -> Self:
        """Begin the file."""
        if self.path.is_dir():
            raise IsADirectoryError(EISDIR, "Is a folder; give the report another name", str(self.path))
        if self.path.is_file():
            self._old = self.path.open("rb")
            self._at = _entries(self._old)
            self._growing = self.path.with_name(f".{self.path.name}.part")  # until it is whole
        self._file = self._growing.open("wb")
        try:
            self._write(self._head)
        except OSError:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        """Put it in its place: whole, or as far as it came and then what the earlier one has of the rest."""
        full: OSError | None = None
        reached, had_one = self._count, self._old is not None
        try:
            self._finish(kind is not None)
            self._file.close()
        except OSError as problem:  # a disk that was full before, or is now: then an earlier report is worth more
            full = problem
        keep = (kind is None or reached) if full is None else reached and not had_one
        self._end(keep)
        if full is not None and kind is None:
            raise full

    def _end(self, keep: bool = False) -> None:
        """Close both files, and keep the new one or not."""
        for file in (self._old, self._file):
            if file is not None:
                with suppress(OSError):  # of what could not be written, which was told before
                    file.close()
        if keep:
            if self._growing != self.path:
                self._growing.replace(self.path)
            return
        self._growing.unlink(missing_ok=True)
        if not self.path.exists() and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _finish(self, interrupted: bool) -> None:
        """Write the end of the file, and before it what an interrupted run has not come to."""
        images = f"{self._planned:,} image{'s' * (self._planned != 1)}"
        if not interrupted:
            self._write(_TAIL.format(kind="", footer=f"{images}."))
            return
        for name in list(self._at):
            self.keep(name)
        said = f"Interrupted: {self._count:,} of {images}."
        self._write(_TAIL.format(kind=' class="interrupted"', footer=said))

    def has(self, name: str) -> bool:
        """Return True if the earlier report has an image whose files have this name."""
        return self._resume and name in self._at

    def keep(self, name: str) -> None:
        """Take an image over from the earlier report."""
        self._old.seek(self._at.pop(name))
        self._file.write(self._old.readline())
        self._file.flush()
        self._count += 1

    def add(self, label: str, name: str, found: Found, picture: Path) -> None:
        """One image.

        Args:
            label: what it is called in the report.
            name: of its files, without an ending.
            found: what was found in it.
            picture: the file with the full picture, in the report's folder or below it.
        """
        small = found.picture.copy()
        data = thumbnail(small)
        values = {key: _rounded(value) for key, value in found.values.items()}
        rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(_shown(value))}</dd>" for key, value in values.items())
        facts = escape(json.dumps(found.facts, indent=1, ensure_ascii=False)).replace("\n", "&#10;")
        width, height = small.size
        self._entry(
            name,
            label,
            values,
            f'<a href="{escape(quote(picture.relative_to(self.path.parent).as_posix()))}">'
            f'<img loading="lazy" decoding="async" width="{width}" height="{height}" alt="{escape(found.caption)}" '
            f'src="{data_url(data)}"></a>',
            f"<dl>{rows}</dl><p>{escape(found.caption)}</p>"
            f"<details><summary>All settings</summary><pre>{facts}</pre></details>",
        )

    def add_problem(self, label: str, name: str, problem: str) -> None:
        """An image that could not be used, and why."""
        self._entry(name, label, {"Problem": problem}, "", f"<p>{escape(problem)}</p>", "problem")

    def _entry(self, name: str, label: str, values: dict, picture: str, rest: str, kind: str = "image") -> None:
        self._at.pop(name, None)  # of an earlier report, whatever becomes of this image now
        data = escape(json.dumps(values))
        start = f'{_ENTRY.decode()}{escape(name)}" class="{kind}" data-values="{data}">'
        line = " ".join(f"{start}{picture}<h2>{escape(label)}</h2>{rest}</li>".splitlines())
        self._write(f"{line}\n")  # at once, so that no interruption leaves half a line
        self._count += 1

    def _write(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "backslashreplace"))  # not all names of files are text
        self._file.flush()


def folders_of(path: Path) -> set[str]:
    """The places of the folders whose images are in a report; none of what is no report, or an older one."""
    try:
        with path.open("rb") as file:
            found = _FOLDERS.search(file.read(1_000_000))
    except OSError:  # nobody may read it
        return set()
    return set(found[1].decode().split()) if found else set()


def thumbnail(image: Image.Image) -> bytes:
    """A small picture as WebP, of at most 20,000 bytes; the image itself becomes as small."""
    for side in _SIDES:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=quality, method=2)
            if buffer.tell() <= HEAVIEST:
                return buffer.getvalue()
    return buffer.getvalue()


def _entries(file: BinaryIO) -> dict[str, int]:
    """Offset at which the line of each image begins, by the name of its files; without those that could not be used."""
    found, at = {}, 0
    for line in file:
        if line.startswith(_ENTRY) and b'" class="image"' in line[:1000] and line.endswith(b"</li>\n"):
            found[line[len(_ENTRY) : line.index(b'"', len(_ENTRY))].decode("utf-8")] = at
        at += len(line)
    return found


def _rounded(value: str | float) -> str | float:
    return value if isinstance(value, str) else float(f"{value:.6g}")


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:#.3g}".rstrip(".")
