"""HTML report: one file with a thumbnail of each image, an index and a filter; full-size images are separate files.

The report is written image by image, so its memory use is constant and it can be read at any time.
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
from .result import Result

MAX_BYTES = 20_000  # per thumbnail
_SIDES = (320, 240, 160, 96)  # pixels of its longer side, in order of preference
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
<fieldset id="range"><select id="measure" aria-label="Number to filter by"></select>
<span><label>from <input id="low" type="number" step="any"></label>
<label>to <input id="high" type="number" step="any"></label></span>
</fieldset>
<label>Sort by <select id="sort"></select></label>
<button id="down" type="button" aria-pressed="false" title="Largest or last first">descending</button>
<label><input id="problems" type="checkbox"> problems only</label>
<output id="count"></output></form>
<main><nav id="index" aria-label="Index" hidden><ol></ol></nav>
<ol id="images">
"""
_TAIL = """</ol></main>
<footer{kind}>{footer}</footer></body></html>
"""
_FOLDERS = re.compile(rb'^<meta name="vitviz-folders" content="([0-9a-f ]*)">$', re.MULTILINE)
_ENTRY = b'<li id="'  # start of an image's line; each image is one line


class Report:
    """Report that is written image by image, as a context manager.

    Args:
        path: path of the HTML file.
        title: title.
        about: text below the title.
        images: planned number of images.
        resume: True to keep images of an existing report at the same path, see `has`.
        folders: locations of the images' folders, for `folders_of`.
    """

    def __init__(
        self, path: Path, title: str, about: str, images: int, resume: bool = False, folders: Iterable[str] = ()
    ):
        self.path = path
        self._planned = images
        self._temporary = path
        self._resume = resume
        self._at: dict[str, int] = {}  # offset of each image's line in the existing report
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
        """Folder of the full-size images, unless they are written elsewhere."""
        return self.path.with_name(f"{self.path.stem}_files")

    def __enter__(self) -> Self:
        """Open the file and write its head."""
        if self.path.is_dir():
            raise IsADirectoryError(EISDIR, "Is a folder; choose another name for the report", str(self.path))
        if self.path.is_file():
            self._old = self.path.open("rb")
            self._at = _entries(self._old)
            self._temporary = self.path.with_name(f".{self.path.name}.part")  # until it is complete
        self._file = self._temporary.open("wb")
        try:
            self._write(self._head)
        except OSError:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        """Complete the report. After an interruption, append the remaining images of the existing report."""
        full: OSError | None = None
        reached, had_one = self._count, self._old is not None
        try:
            self._finish(kind is not None)
            self._file.close()
        except OSError as problem:  # the disk is full: keep the existing report
            full = problem
        keep = (kind is None or reached) if full is None else reached and not had_one
        self._end(keep)
        if full is not None and kind is None:
            raise full

    def _end(self, keep: bool = False) -> None:
        """Close both files; keep or delete the new one."""
        for file in (self._old, self._file):
            if file is not None:
                with suppress(OSError):  # write errors were reported before
                    file.close()
        if keep:
            if self._temporary != self.path:
                self._temporary.replace(self.path)
            return
        self._temporary.unlink(missing_ok=True)
        if not self.path.exists() and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _finish(self, interrupted: bool) -> None:
        """Write the footer; after an interruption, first append the remaining images of the existing report."""
        images = f"{self._planned:,} image{'s' * (self._planned != 1)}"
        if not interrupted:
            self._write(_TAIL.format(kind="", footer=f"{images}."))
            return
        for name in list(self._at):
            self.keep(name)
        footer = f"Interrupted: {self._count:,} of {images}."
        self._write(_TAIL.format(kind=' class="interrupted"', footer=footer))

    def has(self, name: str) -> bool:
        """Return True if the existing report has an image with this file name."""
        return self._resume and name in self._at

    def keep(self, name: str) -> None:
        """Copy an image from the existing report."""
        self._old.seek(self._at.pop(name))
        self._file.write(self._old.readline())
        self._file.flush()
        self._count += 1

    def add(self, label: str, name: str, result: Result, picture: Path) -> None:
        """Add an image.

        Args:
            label: title of the image in the report.
            name: name of its files, without extension.
            result: result for the image.
            picture: file of the full-size image, in the report's folder or below it.
        """
        small = result.picture.copy()
        data = thumbnail(small)
        values = {key: _rounded(value) for key, value in result.values.items()}
        rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(_shown(value))}</dd>" for key, value in values.items())
        facts = escape(json.dumps(result.facts, indent=1, ensure_ascii=False)).replace("\n", "&#10;")
        width, height = small.size
        self._entry(
            name,
            label,
            values,
            f'<a href="{escape(quote(picture.relative_to(self.path.parent).as_posix()))}">'
            f'<img loading="lazy" decoding="async" width="{width}" height="{height}" alt="{escape(result.caption)}" '
            f'src="{data_url(data)}"></a>',
            f"<dl>{rows}</dl><p>{escape(result.caption)}</p>"
            f"<details><summary>All settings</summary><pre>{facts}</pre></details>",
        )

    def add_problem(self, label: str, name: str, problem: str) -> None:
        """Add an image that could not be processed, with the error message."""
        self._entry(name, label, {"Problem": problem}, "", f"<p>{escape(problem)}</p>", "problem")

    def _entry(self, name: str, label: str, values: dict, picture: str, rest: str, kind: str = "image") -> None:
        self._at.pop(name, None)  # replaces the line of the existing report
        data = escape(json.dumps(values))
        start = f'{_ENTRY.decode()}{escape(name)}" class="{kind}" data-values="{data}">'
        line = " ".join(f"{start}{picture}<h2>{escape(label)}</h2>{rest}</li>".splitlines())
        self._write(f"{line}\n")  # in one call, so that an interruption leaves no partial line
        self._count += 1

    def _write(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "backslashreplace"))  # file names may contain surrogates
        self._file.flush()


def folders_of(path: Path) -> set[str]:
    """Return the locations of a report's folders; empty for other files and for reports of older versions."""
    try:
        with path.open("rb") as file:
            match = _FOLDERS.search(file.read(1_000_000))
    except OSError:  # no read permission
        return set()
    return set(match[1].decode().split()) if match else set()


def thumbnail(image: Image.Image) -> bytes:
    """Encode a WebP thumbnail of at most 20,000 bytes; the image is resized in place."""
    for side in _SIDES:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=quality, method=2)
            if buffer.tell() <= MAX_BYTES:
                return buffer.getvalue()
    return buffer.getvalue()


def _entries(file: BinaryIO) -> dict[str, int]:
    """Return the offset of each image's line by file name, without images that could not be processed."""
    offsets, at = {}, 0
    for line in file:
        if line.startswith(_ENTRY) and b'" class="image"' in line[:1000] and line.endswith(b"</li>\n"):
            offsets[line[len(_ENTRY) : line.index(b'"', len(_ENTRY))].decode("utf-8")] = at
        at += len(line)
    return offsets


def _rounded(value: str | float) -> str | float:
    return value if isinstance(value, str) else float(f"{value:.6g}")


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:#.3g}".rstrip(".")
