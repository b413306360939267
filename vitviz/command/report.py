"""A report: one HTML file that holds all its pictures and asks nobody for anything."""

from __future__ import annotations

import json
from errno import EISDIR
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Self

from ..inline import data_url
from .found import Found

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
section {{ margin: 2.5rem 0; break-inside: avoid; }}
img {{ display: block; width: 100%; max-width: 40rem; border-radius: 6px; }}
h2 {{ overflow-wrap: anywhere; }}
pre {{ overflow-x: auto; font-size: 0.8rem; }}
.problem {{ border-left: 3px solid #e5484d; padding-left: 0.8rem; }}
</style></head><body><h1>{title}</h1><p>{about}</p>
"""
_TAIL = "</body></html>\n"


class Report:
    """A report that grows image by image, so that many do not have to be kept in memory.

    It is written beside its place and moved there when all is done: nobody finds half a report.

    Args:
        path: where it goes.
        title: its title.
        about: a sentence below that.
    """

    def __init__(self, path: Path, title: str, about: str):
        self.path = path
        self._growing = path.with_name(f".{path.name}.part")
        self._head = _HEAD.format(title=escape(title), about=escape(about))

    def __enter__(self) -> Self:
        """Begin the file."""
        if self.path.is_dir():
            raise IsADirectoryError(EISDIR, "Is a folder; give the report another name", str(self.path))
        try:
            self._file = self._growing.open(
                "w", encoding="utf-8", errors="backslashreplace"
            )  # not all file names are text
        except OSError as error:
            error.filename = str(self.path)  # the only name that people know
            raise
        self._file.write(self._head)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        """Finish it; or leave nothing behind if something went wrong."""
        with self._file:
            self._file.write(_TAIL)
        if kind is None:
            self._growing.replace(self.path)
        else:
            self._growing.unlink()

    def add(self, name: str, found: Found) -> None:
        """One image: its picture, in words, and all facts to fold out."""
        facts = escape(json.dumps(found.facts, indent=1, ensure_ascii=False))
        self._file.write(
            f"<section><h2>{escape(name)}</h2>"
            f'<img alt="{escape(found.caption)}" src="{data_url(found.png())}"><p>{escape(found.caption)}</p>'
            f"<details><summary>All settings</summary><pre>{facts}</pre></details></section>\n"
        )

    def add_problem(self, name: str, problem: str) -> None:
        """An image that could not be used, and why."""
        self._file.write(f'<section class="problem"><h2>{escape(name)}</h2><p>{escape(problem)}</p></section>\n')
