"""Many images, one after the other: a bad one is reported and the rest finish."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import typer

from ..errors import VitvizError, VitvizWarning
from ..images import Size, check_size
from ..inputs import default_size
from ..marks import size_mark
from ..model import VisionTransformer
from ..provenance import about_model
from ..zoo import load
from . import DEFAULT_MODEL
from .checkpoint import Typed, marks_of, options_of
from .found import Found, Seen, see, short
from .report import Report
from .talk import Talk, printable, refuse

Format = Literal["png", "npz", "html"]
FINE, SOME_FAILED, BAD_INPUT = 0, 1, 2  # exit codes


class Question(Protocol):
    """What a command asks of every image."""

    @property
    def marks(self) -> list[str]:
        """What differs from the default, for the name of a report; empty ones do not count."""

    def check(self, model: VisionTransformer) -> None:
        """Raise a `VitvizError` if this model cannot be asked."""

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """The hook points that the answer reads, so that one pass is enough."""

    def of(self, seen: Seen) -> Found:
        """The answer for one image. Raises a `VitvizError` if there is none."""


@dataclass(frozen=True)
class Options:
    """Options of a checkpoint that its file does not tell; see `vitviz.load`.

    Attributes:
        arch: timm's name of its architecture.
        classes: the file with its class names, or how many there are, as text.
        heads: how many attention heads a block has.
        prefix: what the keys of the model begin with.
        more: further options by name, as typed; None where one is not.
    """

    arch: str | None = None
    classes: str | None = None
    heads: int | None = None
    prefix: str | None = None
    more: Mapping[str, Typed] = field(default_factory=dict)

    def load(self, name: str) -> VisionTransformer:
        """Load a model, and say on standard error what was assumed. Raises a `VitvizError` if there is none."""
        classes = int(self.classes) if self.classes and self.classes.isdecimal() else self.classes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VitvizWarning)  # the notes are shown without a line of code
            model = load(
                name, arch=self.arch, classes=classes, heads=self.heads, prefix=self.prefix, **options_of(self.more)
            )
        for note in model.notes:
            typer.echo(f"vitviz: {printable(note)}", err=True)
        return model

    @property
    def marks(self) -> list[str]:
        """Parts of file names for the options that are given."""
        return [
            short(self.arch) if self.arch else "",
            "features" if self.classes == "0" else "",
            f"{self.heads}heads" if self.heads else "",
            short(self.prefix.strip(".")) if self.prefix else "",
            *map(short, marks_of(self.more)),
        ]


@dataclass(frozen=True)
class Task:
    """What all commands have in common.

    Attributes:
        command: its name.
        images: the files to read.
        model: what `vitviz.load` calls it.
        options: what is said of a checkpoint.
        out: the folder to write to; or for a report alone its file, which ends in .html.
        formats: what to write.
        size: see `vitviz.trace.trace`.
        fit: see `vitviz.trace.trace`.
        as_json: whether to print JSON for machines.
    """

    command: str
    images: Sequence[Path]
    model: str
    options: Options
    out: Path
    formats: Sequence[Format]
    size: Size | None
    fit: str | None
    as_json: bool

    def marks(self, model: VisionTransformer) -> list[str]:
        """What differs from the default whatever is asked, for names of files: another question writes another file."""
        return [
            short(self.model) if self.model != DEFAULT_MODEL else "",
            *self.options.marks,
            f"{size_mark(self.size)}px"
            if self.size not in (None, default_size(model.config, model.preprocessing))
            else "",
            self.fit if self.fit and self.fit != model.preprocessing.fit else "",
        ]

    def report(self, marks: Iterable[str]) -> Path:
        """Where the report goes."""
        return self.out if self._is_file else self.out / f"{_joined('vitviz', self.command, *marks)}.html"

    @property
    def folder(self) -> Path:
        """Where everything else goes."""
        return self.out.parent if self._is_file else self.out

    @property
    def _is_file(self) -> bool:
        return self.out.suffix == ".html" and list(self.formats) == ["html"]


def run(task: Task, question: Question) -> int:
    """Ask every image, write the answers, and say what was written.

    Returns:
        The exit code: 0 if all went well, 1 if some images could not be used, 2 if there is no answer at all.
    """
    try:
        _check_out(task)
        model = task.options.load(task.model)
        if task.size is not None:
            check_size(task.size, model.config.patch)
        question.check(model)
        task.folder.mkdir(parents=True, exist_ok=True)
        with _maybe_report(task, model, question) as report, Talk(task.as_json, len(task.images)) as talk:
            failed = sum(not ok for ok in talk.follow(task.images, _answers(task, model, question, report, talk)))
    except BrokenPipeError:  # the reader is gone, so Typer ends without a word
        raise
    except VitvizError as error:
        refuse(str(error), task.as_json)
        return BAD_INPUT
    except OSError as error:
        refuse(f"{error.filename or task.out}: {error.strerror or error}", task.as_json)
        return BAD_INPUT
    if report and not task.as_json:
        typer.echo(report.path)
    return FINE if not failed else BAD_INPUT if failed == len(task.images) else SOME_FAILED


def _check_out(task: Task) -> None:
    """Refuse the name of a report where more than a report is asked for."""
    if task.out.suffix == ".html" and list(task.formats) != ["html"] and not task.out.is_dir():
        raise VitvizError(
            f"{str(task.out)!r} is the name of a report; add --format html and no other format, or give a folder."
        )


def _answers(
    task: Task, model: VisionTransformer, question: Question, report: Report | None, talk: Talk
) -> Callable[[Path], bool]:
    taken: set[str] = set()
    marks = task.marks(model)

    def answer(path: Path) -> bool:
        try:
            found = question.of(see(model, path, task.size, task.fit, question.records(model)))
            files = list(_written(task, found, _joined(found.stem, *marks), taken))
        except (VitvizError, OSError) as error:
            problem = str(error) if isinstance(error, VitvizError) else f"{error.strerror or error}."
            talk.problem(path, problem)
            if report:
                report.add_problem(str(path), problem)
            return False
        if report:
            report.add(str(path), found)
            files.append(report.path)
        talk.answer(path, found, files)
        return True

    return answer


def _written(task: Task, found: Found, name: str, taken: set[str]) -> Iterator[Path]:
    """Write what is asked for, under a name that no other image of this run has."""
    stem, count = name, 1
    while stem in taken:
        count += 1
        stem = f"{name}-{count}"
    taken.add(stem)
    for kind in task.formats:
        if kind != "html":
            path = task.folder / f"{stem}.{kind}"
            path.write_bytes(getattr(found, kind)())
            yield path


@contextmanager
def _maybe_report(task: Task, model: VisionTransformer, question: Question) -> Iterator[Report | None]:
    if "html" not in task.formats:
        yield None
        return
    count = f"{len(task.images)} image{'s' * (len(task.images) != 1)}"
    path = task.report([*map(short, filter(None, question.marks)), *task.marks(model)])
    with Report(path, f"vitviz {task.command}", about_model(model, f"{model.name}, {count}")) as report:
        yield report


def _joined(*parts: str) -> str:
    return "-".join(filter(None, parts))
