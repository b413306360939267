"""Many images, one after the other: a bad one is reported and the rest finish."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

import typer

from ..errors import ModelError, VitvizError, VitvizWarning
from ..images import Size, check_size
from ..model.config import ViTConfig
from ..notation.marks import format_size
from ..trace.atomic_write import write_atomically
from ..trace.inputs import default_size
from ..trace.vision_transformer import VisionTransformer
from ..viz.export import LEAST, PICTURES
from ..viz.provenance import about_model, of_model
from ..zoo import files_of, load, takes_options
from . import DEFAULT_MODEL, origin
from .checkpoint import Typed, as_typed, marks_of, options_of
from .console import Console, printable, refuse
from .inputs import Item, find
from .names import further, joined, labels, mark, of_images, short, with_folder
from .report import Report, folders_of
from .result import Found, Seen, see

Format = Literal["png", "jpeg", "webp", "npz", "html"]
FINE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130  # exit codes
MOST_PATCHES = 16_384  # of an image
HEAVIEST = 2**31  # bytes of their queries and keys


class Question(Protocol):
    """What a command asks of every image."""

    @property
    def marks(self) -> list[str]:
        """What differs from the default, for the name of a report; empty ones do not count."""

    def check(self, model: VisionTransformer) -> None:
        """Raise a `VitvizError` if this model cannot be asked."""

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """The hook points that the answer reads, so that one pass is enough."""

    def stem(self, name: str, config: ViTConfig) -> str:
        """The name, without an ending, of the files about an image; known before the model has seen the image."""

    def of(self, seen: Seen) -> Found:
        """The answer for one image. Raises a `VitvizError` if there is none."""


@dataclass(frozen=True)
class Options:
    """Options of a checkpoint that its file does not tell; see `vitviz.load`.

    Attributes:
        arch: timm's name of its architecture.
        classes: the file with its class names, or how many there are, as text.
        num_heads: number of attention heads per block.
        prefix: what the keys of the model begin with.
        more: further options by name, as typed; None where one is not.
    """

    arch: str | None = None
    classes: str | None = None
    num_heads: int | None = None
    prefix: str | None = None
    more: Mapping[str, Typed] = field(default_factory=dict)

    def load(self, name: str, fit: str | None = None) -> VisionTransformer:
        """Load a model, and say on standard error what was assumed. Raises a `VitvizError` if there is none.

        Args:
            name: what `vitviz.load` calls it.
            fit: how images are made to fit, if that was typed; of a checkpoint it is one more option.
        """
        classes = int(self.classes) if self.classes and self.classes.isdecimal() else self.classes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VitvizWarning)  # the notes are shown without a line of code
            more = options_of(self.more)
            try:
                if fit and takes_options(name):
                    more["fit"] = fit
                model = load(
                    name, arch=self.arch, classes=classes, num_heads=self.num_heads, prefix=self.prefix, **more
                )
            except ModelError as error:
                raise ModelError(as_typed(str(error))) from error
        for note in model.notes:
            typer.echo(f"vitviz: {printable(as_typed(note))}", err=True)
        return model

    @property
    def marks(self) -> list[str]:
        """Parts of file names for the options that are given."""
        return [
            short(self.arch) if self.arch else "",
            "features" if self.classes == "0" else "",
            f"{self.num_heads}heads" if self.num_heads else "",
            short(self.prefix.strip(".")) if self.prefix else "",
            *map(short, marks_of({"classes": None if self.classes == "0" else self.classes, **self.more})),
        ]


@dataclass(frozen=True)
class Task:
    """What all commands have in common.

    Attributes:
        command: its name.
        images: the files, folders and patterns to read.
        model: what `vitviz.load` calls it.
        options: what is said of a checkpoint.
        out: the folder to write to; or for a report alone its file, which ends in .html.
        formats: what to write.
        size: see `vitviz.trace.passes.trace`.
        fit: see `vitviz.trace.passes.trace`.
        as_json: whether to print JSON for machines.
        width: of pictures, in pixels; None for the usual size.
        skip: whether to leave out images whose files are all there and newer than the image and the model.
    """

    command: str
    images: Sequence[str]
    model: str
    options: Options
    out: Path
    formats: Sequence[Format]
    size: Size | None
    fit: str | None
    as_json: bool
    width: int | None = None
    skip: bool = False

    def marks(self, model: VisionTransformer) -> list[str]:
        """What differs from the default whatever is asked, for names of files: another question writes another file."""
        return [
            mark(self.model) if self.model != DEFAULT_MODEL else "",
            *self.options.marks,
            f"{format_size(self.size)}px"
            if self.size not in (None, default_size(model.config, model.preprocessing))
            else "",
            self.fit if self.fit and (self.fit != model.preprocessing.fit or takes_options(self.model)) else "",
            f"w{self.width}" if self.width else "",
        ]

    def written(self) -> float:
        """Time at which the last of the model's files was written, as `os.stat` has it; 0 if it has none."""
        files = files_of(self.model)
        if self.options.classes and os.path.isfile(self.options.classes):
            files.append(Path(self.options.classes))
        return max((file.stat().st_mtime for file in files), default=0)

    def reports(self, marks: Iterable[str]) -> Iterator[Path]:
        """Places for the report, the best one first."""
        if self._is_file:
            yield self.out
            return
        name = joined("vitviz", self.command, *marks)
        folders = origin.names(self.folders)
        for one in further(name, joined(name, short(folders) if folders else "")):
            yield self.out / f"{one}.html"

    @property
    def folders(self) -> list[Path]:
        """Folders that the images are from, as far as they were typed."""
        return list(dict.fromkeys(map(origin.folder, self.images)))

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
        The exit code: 0 if all went well, 1 if some images could not be used, 2 if there is no answer at all, 130 if
        somebody stopped it; what was written until then stays.
    """
    with _ended_like_ctrl_c():
        return _run(task, question)


def _run(task: Task, question: Question) -> int:
    report = console = None
    try:
        _check_out(task)
        items = find(task.images)
        model = task.options.load(task.model, task.fit)
        if task.size is not None:
            _check_patches(*check_size(task.size, model.config.patch_size), model.config)
        question.check(model)
        task.folder.mkdir(parents=True, exist_ok=True)
        console = Console(task.as_json, len(items), of_model(model))
        with _maybe_report(task, model, question, items, console) as report, console:
            answer = _Answers(task, model, question, items, report, console)
            failed = sum(not ok for ok in console.follow(items, answer))
    except BrokenPipeError:  # the reader is gone, so Typer ends without a word
        raise
    except KeyboardInterrupt:
        done = f" after {console.passed} of {console.count} images; what was written stays" if console else ""
        refuse(f"Interrupted{done}.", task.as_json)
        return INTERRUPTED
    except VitvizError as error:
        refuse(str(error), task.as_json)
        return BAD_INPUT
    except OSError as error:
        refuse(f"{error.filename or task.out}: {error.strerror or error}", task.as_json)
        return BAD_INPUT
    finally:
        if report and report.path.is_file() and not task.as_json:
            typer.echo(report.path)
    return FINE if not failed else BAD_INPUT if failed == len(items) else SOME_FAILED


def _check_out(task: Task) -> None:
    """Refuse the name of a report where more than a report is asked for, and what cannot matter."""
    if task.out.suffix == ".html" and list(task.formats) != ["html"] and not task.out.is_dir():
        raise VitvizError(
            f"{str(task.out)!r} is the name of a report; add --format html and no other format, or give a folder."
        )
    if task.width and list(task.formats) == ["npz"]:
        raise VitvizError("--width is that of pictures and these are numbers; leave it out, or add a picture's format.")


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Treat SIGTERM, with which schedulers end a job, as Ctrl-C: what is written stays, and the report is finished."""
    if threading.current_thread() is not threading.main_thread():  # where no signal can be handled
        yield
        return

    def interrupt(*_) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would come in the middle of finishing
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _check_patches(height: int, width: int, config: ViTConfig) -> None:
    """Refuse an input of so many patches that queries and keys of all layers would not fit into memory."""
    patch = config.patch_size
    patches = (height // patch) * (width // patch)
    most = min(MOST_PATCHES, HEAVIEST // (2 * 4 * config.embed_dim * config.depth))
    if patches > most:
        raise VitvizError(
            f"A size of {height} x {width} pixels makes {patches:,} patches of {patch} pixels; this model can take at "
            f"most {most:,} here."
        )


class _Answers:
    """Process one image; returns whether it could be used."""

    def __init__(
        self,
        task: Task,
        model: VisionTransformer,
        question: Question,
        items: Sequence[Item],
        report: Report | None,
        console: Console,
    ):
        self.task, self.model, self.question, self.report, self.console = task, model, question, report, console
        paths = [item.path for item in items]
        self.marks = task.marks(model)
        self.names = {
            path: (name, label) for path, name, label in zip(paths, of_images(paths), labels(paths), strict=True)
        }
        self.kinds = [kind for kind in task.formats if kind != "html"]
        self.written = task.written() if task.skip else 0
        if report and not PICTURES.keys() & set(self.kinds):
            report.folder.mkdir(exist_ok=True)

    def __call__(self, item: Item) -> bool:
        label = self.names[item.path][1]
        known = origin.of_image(item.path, self.task.folder)
        name, taken = self._name(item.path, known)
        asked, picture = self._files(name)
        files = asked | picture
        every = [*files.values(), *([self.report.path] if self.report else [])]
        missing = [kind for kind, path in files.items() if not (self.task.skip and self._is_answer(path, item, known))]
        if not missing and (not self.report or self.report.has(name)):
            if self.report:
                self.report.keep(name)
            self.console.skipped(item.path, every)
            return True
        try:
            found = self._found(item, known)
            made = {kind: found.file(kind, self.task.width or LEAST) for kind in missing}
        except (VitvizError, OSError) as error:
            problem = str(error) if isinstance(error, VitvizError) else f"{error.strerror or error}."
            self.console.problem(item.path, problem)
            if self.report:
                self.report.add_problem(label, name, problem)
            return False
        if taken:
            self.console.renamed(str(item.path), taken, name)
        for kind, data in made.items():  # an error here is one of the output, and would be one of each further image
            write_atomically(files[kind], data)
        if self.report:
            self.report.add(label, name, found, next(path for kind, path in files.items() if kind in PICTURES))
        self.console.answer(item.path, found, every, [path for kind, path in asked.items() if kind in missing])
        return True

    def _name(self, path: Path, known: Mapping[str, str]) -> tuple[str, Path | None]:
        """The name of the files about an image, and the file that forbids the best one, if any.

        It is the first one that nothing but this image has, in whatever format; a second run finds the same.
        """
        short_names = further(self.names[path][0], with_folder(path))
        names = (joined(self.question.stem(short(name), self.model.config), *self.marks) for name in short_names)
        taken = None
        while other := self._other(name := next(names), known):
            taken = taken or other
        return name, taken

    def _other(self, name: str, known: Mapping[str, str]) -> Path | None:
        """A file of this name that is not about the image that is known so, if there is one."""
        files = [file for kinds in self._files(name) for file in kinds.values()]
        every = (file.with_suffix(f".{ending}") for file in files for ending in origin.ENDINGS)
        return next((file for file in every if os.path.lexists(file) and not origin.is_about(file, known)), None)

    def _is_answer(self, path: Path, item: Item, known: Mapping[str, str]) -> bool:
        """Return whether a file is there, and neither the image nor the model has changed since."""
        try:
            late = path.is_file() and path.stat().st_mtime >= max(self.written, item.path.stat().st_mtime)
        except OSError:  # an image that is gone, about which the run has more to say
            return False
        return late and origin.is_of_these_bytes(path, known)

    def _found(self, item: Item, known: Mapping[str, str]) -> Found:
        if item.problem:
            raise VitvizError(item.problem)
        task = self.task
        seen = see(self.model, item.path, task.size, task.fit, self.question.records(self.model), task.width)
        return self.question.of(replace(seen, origin=known))

    def _files(self, name: str) -> tuple[dict[str, Path], dict[str, Path]]:
        """The files about an image that are asked for, by kind; and the picture that a report needs without them."""
        asked = {kind: self.task.folder / f"{name}.{PICTURES.get(kind, kind)}" for kind in self.kinds}
        if not self.report or PICTURES.keys() & asked.keys():
            return asked, {}
        return asked, {"jpeg": self.report.folder / f"{name}.{PICTURES['jpeg']}"}


@contextmanager
def _maybe_report(
    task: Task, model: VisionTransformer, question: Question, items: Sequence[Item], console: Console
) -> Iterator[Report | None]:
    if "html" not in task.formats:
        yield None
        return
    paths = task.reports([*map(short, filter(None, question.marks)), *task.marks(model)])
    folders = [origin.place(folder, task.folder) for folder in task.folders]
    known = {*folders, *(origin.place(item.path.parent, task.folder) for item in items)}
    path = _report_place(paths, known, console)
    with Report(path, f"vitviz {task.command}", about_model(model), len(items), task.skip, folders) as report:
        yield report


def _report_place(paths: Iterator[Path], known: set[str], console: Console) -> Path:
    """The first place where no report would be lost that has images of other folders than these.

    Raises:
        VitvizError: if there is none.
    """
    taken = None
    for path in paths:
        if path.is_file() and not (folders_of(path) or {""}) <= known:
            taken = taken or path
            continue
        if taken:
            console.renamed("these images", taken, path.name)
        return path
    raise VitvizError(f"{str(taken)!r} is not a report on these images; give another name, or move it away.")
