"""What a command says: lines for people or for machines, and a progress bar for somebody who watches."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:  # importing it takes time, which a complaint does not have
    from .inputs import Item
    from .result import Found


@dataclass
class Console:
    """Progress messages while images are processed. A progress bar on a terminal is not torn apart by lines.

    Attributes:
        as_json: whether machines listen.
        count: how many images there are.
        about: what every JSON line says of the model, see `vitviz.viz.provenance.of_model`.
        worked: how many of them the model has seen; others were skipped.
        passed: how many are done in one way or another.
        held: lines that wait for the bar.
    """

    as_json: bool
    count: int
    about: Mapping[str, Any]
    worked: int = 0
    passed: int = 0
    held: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bar = self.count > 1 and sys.stderr.isatty()
        self._began = time.monotonic()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_) -> None:
        for line, err in self.held:
            typer.echo(line, err=err)

    def follow(self, items: Sequence[Item], answer: Callable[[Item], bool]) -> Iterator[bool]:
        """The answers, with a bar if somebody watches."""

        def counted(moving: Iterable[Item]) -> Iterator[bool]:
            for item in moving:
                yield answer(item)
                self.passed += 1

        if not self.bar:
            yield from counted(items)
            return
        self._began = time.monotonic()
        with typer.progressbar(
            items, label="vitviz", file=sys.stderr, show_eta=False, show_pos=True, item_show_func=self._shown
        ) as moving:
            yield from counted(moving)

    def answer(self, path: Path, found: Found, files: Sequence[Path], written: Sequence[Path]) -> None:
        """An image that went well.

        Args:
            path: which.
            found: what was found in it.
            files: all files in which that is.
            written: those that are said one by one.
        """
        self.worked += 1
        if self.as_json:
            self._say({"image": str(path), "ok": True, "files": [str(file) for file in files], **_named(found.facts)})
        else:
            for file in written:
                self._line(str(file) if str(file).isprintable() else printable(str(file)))

    def skipped(self, path: Path, files: Sequence[Path]) -> None:
        """An image whose files are all there."""
        if self.as_json:
            self._say(
                {"image": str(path), "ok": True, "skipped": True, "files": [str(file) for file in files], **self.about}
            )

    def renamed(self, what: str, taken: Path, name: str) -> None:
        """A name that is taken by something else, which is kept, and the one that is used instead."""
        words = f"{taken} is not about {what} and was kept; this is written as {name}."
        self._line(f"vitviz: {printable(words)}", err=True)

    def problem(self, path: Path, problem: str) -> None:
        """An image that could not be used."""
        self.worked += 1
        self._line(f"vitviz: {printable(f'{path}: {problem}')}", err=True)
        if self.as_json:
            self._say({"image": str(path), "ok": False, "error": problem, **self.about})

    def _shown(self, item: Item | None) -> str:
        """Speed, remaining time and the image at hand."""
        seconds = time.monotonic() - self._began
        if item is None:
            return ""
        name = printable(item.path.name)
        if not self.worked or not seconds:
            return name
        rate = self.worked / seconds
        return f"{rate:.3g} images/s, {duration((self.count - self.passed) / rate)} left, {name}"

    def _say(self, line: dict) -> None:
        self._line(json_line(line))

    def _line(self, line: str, err: bool = False) -> None:
        if self.bar and (err or sys.stdout.isatty()):
            self.held.append((line, err))
        else:
            typer.echo(line, err=err)


def duration(seconds: float) -> str:
    """Such as `"8 s"`, `"5 min 12 s"` or `"2 h 5 min"`."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


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
