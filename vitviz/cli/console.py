"""Console output of a command: plain or JSON lines, and a progress bar on terminals."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:  # these imports would delay error messages
    from .inputs import Item
    from .result import Result


@dataclass
class Console:
    """Console output while images are processed. Lines that would break the progress bar are printed after it.

    Attributes:
        as_json: True to print JSON lines.
        count: number of images.
        about: model facts in every JSON line, see `vitviz.viz.provenance.of_model`.
        processed: number of images processed by the model, without skipped ones.
        done: number of images processed or skipped.
        pending: lines to print after the progress bar, each with True for standard error.
    """

    as_json: bool
    count: int
    about: Mapping[str, Any]
    processed: int = 0
    done: int = 0
    pending: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bar = self.count > 1 and sys.stderr.isatty()
        self._began = time.monotonic()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_) -> None:
        for line, err in self.pending:
            typer.echo(line, err=err)

    def track(self, items: Sequence[Item], process: Callable[[Item], bool]) -> Iterator[bool]:
        """Process the items one by one and yield the results, with a progress bar on a terminal."""

        def counted(tracked: Iterable[Item]) -> Iterator[bool]:
            for item in tracked:
                yield process(item)
                self.done += 1

        if not self.bar:
            yield from counted(items)
            return
        self._began = time.monotonic()
        with typer.progressbar(
            items, label="vitviz", file=sys.stderr, show_eta=False, show_pos=True, item_show_func=self._status
        ) as tracked:
            yield from counted(tracked)

    def success(self, path: Path, result: Result, files: Sequence[Path], written: Sequence[Path]) -> None:
        """Report an image that was processed.

        Args:
            path: path of the image.
            result: result for the image.
            files: all files with the result, for JSON.
            written: files listed in plain output.
        """
        self.processed += 1
        if self.as_json:
            self._json(
                {"image": str(path), "ok": True, "files": [str(file) for file in files], **_without_name(result.facts)}
            )
        else:
            for file in written:
                self._line(str(file) if str(file).isprintable() else printable(str(file)))

    def skipped(self, path: Path, files: Sequence[Path]) -> None:
        """Report an image that was skipped because its files exist."""
        if self.as_json:
            self._json(
                {"image": str(path), "ok": True, "skipped": True, "files": [str(file) for file in files], **self.about}
            )

    def renamed(self, subject: str, taken: Path, name: str) -> None:
        """Report a file name that is in use by another subject, and the name used instead."""
        message = f"{taken} is not about {subject} and was kept; writing to {name} instead."
        self._line(f"vitviz: {printable(message)}", err=True)

    def problem(self, path: Path, problem: str) -> None:
        """Report an image that could not be processed."""
        self.processed += 1
        self._line(f"vitviz: {printable(f'{path}: {problem}')}", err=True)
        if self.as_json:
            self._json({"image": str(path), "ok": False, "error": problem, **self.about})

    def _status(self, item: Item | None) -> str:
        """Return speed, remaining time and current image for the progress bar."""
        seconds = time.monotonic() - self._began
        if item is None:
            return ""
        name = printable(item.path.name)
        if not self.processed or not seconds:
            return name
        rate = self.processed / seconds
        return f"{rate:.3g} images/s, {duration((self.count - self.done) / rate)} left, {name}"

    def _json(self, line: dict) -> None:
        self._line(json_line(line))

    def _line(self, line: str, err: bool = False) -> None:
        if self.bar and (err or sys.stdout.isatty()):
            self.pending.append((line, err))
        else:
            typer.echo(line, err=err)


def duration(seconds: float) -> str:
    """Format a duration: `"8 s"`, `"5 min 12 s"` or `"2 h 5 min"`."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def refuse(problem: str, as_json: bool) -> None:
    """Print a fatal error: a line on standard error and, with `--json`, an object on standard output."""
    problem = printable(problem)
    typer.echo(f"vitviz: {problem}", err=True)
    if as_json:
        typer.echo(json_line({"error": problem}))


def printable(text: str) -> str:
    """Return untrusted text as one line that is safe for a terminal; unprintable characters are escaped."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in " ".join(text.split()))


def json_line(value: dict) -> str:
    """Return a JSON line without terminal control characters."""
    line = json.dumps(value, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(value)


def _without_name(facts: dict) -> dict:
    """Return the facts without the image's name, because the line has its path."""
    return {name: value for name, value in facts.items() if name != "image"}
