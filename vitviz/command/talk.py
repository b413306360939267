"""What a command says: lines for people or for machines, and a progress bar for somebody who watches."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # importing it takes time, which a complaint does not have
    from .found import Found


@dataclass
class Talk:
    """What is said while images are worked on. A progress bar on a terminal is not torn apart by lines."""

    as_json: bool
    count: int
    held: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bar = self.count > 1 and sys.stderr.isatty()

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_) -> None:
        for line, err in self.held:
            typer.echo(line, err=err)

    def follow(self, images: Iterable[Path], answer: Callable[[Path], bool]) -> Iterator[bool]:
        """The answers, with a bar if somebody watches."""
        if not self.bar:
            yield from map(answer, images)
            return
        with typer.progressbar(images, label="vitviz", file=sys.stderr, item_show_func=_name_of) as moving:
            yield from map(answer, moving)

    def answer(self, path: Path, found: Found, files: Sequence[Path]) -> None:
        """An image that went well."""
        if self.as_json:
            self._say({"image": str(path), "ok": True, "files": [str(file) for file in files], **_named(found.facts)})
        else:
            for file in files:
                if file.suffix != ".html":
                    self._line(str(file) if str(file).isprintable() else printable(str(file)))

    def problem(self, path: Path, problem: str) -> None:
        """An image that could not be used."""
        self._line(f"vitviz: {printable(f'{path}: {problem}')}", err=True)
        if self.as_json:
            self._say({"image": str(path), "ok": False, "error": problem})

    def _say(self, line: dict) -> None:
        self._line(json_line(line))

    def _line(self, line: str, err: bool = False) -> None:
        if self.bar and (err or sys.stdout.isatty()):
            self.held.append((line, err))
        else:
            typer.echo(line, err=err)


def refuse(problem: str, as_json: bool) -> None:
    """Why there is no answer for any image: one plain line for people, where errors go, and an object for machines."""
    problem = printable(problem)
    typer.echo(f"vitviz: {problem}", err=True)
    if as_json:
        typer.echo(json_line({"error": problem}))


def printable(text: str) -> str:
    """Other people's words on one line of a terminal, which obeys some signs: what cannot be seen is written out."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in " ".join(text.split()))


def json_line(value: dict) -> str:
    """A line for machines, in which nothing commands a terminal."""
    line = json.dumps(value, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(value)


def _named(facts: dict) -> dict:
    """Facts beside the image's path, which says more than its name."""
    return {name: value for name, value in facts.items() if name != "image"}


def _name_of(path: Path | None) -> str:
    return printable(path.name) if path else ""
