"""Run of a command over many images; an image that fails is reported, and the run continues."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import typer

from ..errors import VitvizError
from ..images import Size
from ..model.config import ViTConfig
from ..trace.atomic_write import write_atomically
from ..trace.vision_transformer import VisionTransformer
from ..viz.export import DEFAULT_WIDTH, PICTURES
from ..viz.provenance import describe_model, of_model
from ..zoo import takes_options
from . import DEFAULT_MODEL, origin
from .console import Console
from .ending import BAD_INPUT, FINE, SOME_FAILED, fatal_errors_reported
from .inputs import Item, find
from .model_options import Options, check_patches, size_mark
from .names import candidates, joined, labels, mark, of_images, short, with_folder
from .report import Report, folders_of
from .result import Result, TracedImage, trace_image

Format = Literal["png", "jpeg", "webp", "npz", "html"]


class Analysis(Protocol):
    """Analysis of one image, as defined by a command and its options."""

    @property
    def marks(self) -> list[str]:
        """Settings that differ from the defaults, for the name of a report; empty strings are ignored."""

    def check(self, model: VisionTransformer) -> None:
        """Raise a `VitvizError` if the settings do not apply to the model."""

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """Return the hook points to record, so that one forward pass is enough."""

    def stem(self, name: str, config: ViTConfig) -> str:
        """Return the file name without extension for an image; it is known before the forward pass."""

    def run(self, image: TracedImage) -> Result:
        """Compute the result for one image, or raise a `VitvizError`."""


@dataclass(frozen=True)
class Task:
    """Settings that all commands share.

    Attributes:
        command: name of the command.
        images: files, folders and patterns to read.
        model: model name or path, as for `vitviz.load`.
        options: checkpoint options, and the linear head.
        out: output folder; if a report is the only format, also its file, which ends in .html.
        formats: output formats.
        size: see `vitviz.trace.passes.trace`.
        fit: see `vitviz.trace.passes.trace`.
        as_json: True to print JSON lines.
        width: width of output images in pixels; None for the default.
        skip: True to skip images whose files all exist and are newer than image and model.
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
        """Return settings that differ from the defaults, for file names."""
        return [
            mark(self.model) if self.model != DEFAULT_MODEL else "",
            *self.options.marks,
            size_mark(self.size, model),
            self.fit if self.fit and (self.fit != model.preprocessing.fit or takes_options(self.model)) else "",
            f"w{self.width}" if self.width else "",
        ]

    def reports(self, marks: Iterable[str]) -> Iterator[Path]:
        """Yield paths for the report in order of preference."""
        if self._is_file:
            yield self.out
            return
        name = joined("vitviz", self.command, *marks)
        folders = origin.names(self.folders)
        for candidate in candidates(name, joined(name, short(folders) if folders else "")):
            yield self.out / f"{candidate}.html"

    @property
    def folders(self) -> list[Path]:
        """Folders of the image arguments."""
        return list(dict.fromkeys(map(origin.folder, self.images)))

    @property
    def folder(self) -> Path:
        """Output folder of all files except the report."""
        return self.out.parent if self._is_file else self.out

    @property
    def _is_file(self) -> bool:
        return self.out.suffix == ".html" and list(self.formats) == ["html"]


def run(task: Task, analysis: Analysis) -> int:
    """Process every image, write the results and print the names of the files.

    Returns:
        Exit code: 0 for success, 1 if some images failed, 2 if all failed or the input is wrong, 130 if the run was
        interrupted. Files written before an interruption are kept.
    """
    report = None
    with fatal_errors_reported(task.out, task.as_json, "written files are kept") as ending:
        try:
            _check_out(task)
            items = find(task.images)
            model = task.options.load(task.model, task.fit)
            check_patches(task.size, model.config)
            analysis.check(model)
            task.folder.mkdir(parents=True, exist_ok=True)
            ending.console = console = Console(task.as_json, len(items), of_model(model))
            with _maybe_report(task, model, analysis, items, console) as report, console:
                process = _Process(task, model, analysis, items, report, console)
                failed = sum(not ok for ok in console.track(items, process))
            ending.code = FINE if not failed else BAD_INPUT if failed == len(items) else SOME_FAILED
        finally:
            if report and report.path.is_file() and not task.as_json:
                typer.echo(report.path)
    return ending.code


def _check_out(task: Task) -> None:
    """Raise a `VitvizError` if --out or --width does not go with the formats."""
    if task.out.suffix == ".html" and list(task.formats) != ["html"] and not task.out.is_dir():
        raise VitvizError(f"{str(task.out)!r} is the name of a report; use --format html alone, or give a folder.")
    if task.width and list(task.formats) == ["npz"]:
        raise VitvizError("--width applies to image formats only; leave it out, or add --format png, jpeg or webp.")


class _Process:
    """Callable that processes one image and returns True on success."""

    def __init__(
        self,
        task: Task,
        model: VisionTransformer,
        analysis: Analysis,
        items: Sequence[Item],
        report: Report | None,
        console: Console,
    ):
        self.task, self.model, self.analysis, self.report, self.console = task, model, analysis, report, console
        paths = [item.path for item in items]
        self.marks = task.marks(model)
        self.names = {
            path: (name, label) for path, name, label in zip(paths, of_images(paths), labels(paths), strict=True)
        }
        self.kinds = [kind for kind in task.formats if kind != "html"]
        self.model_time = task.options.model_time(task.model) if task.skip else 0
        if report and not PICTURES.keys() & set(self.kinds):
            report.folder.mkdir(exist_ok=True)

    def __call__(self, item: Item) -> bool:
        label = self.names[item.path][1]
        identity = origin.of_image(item.path, self.task.folder)
        name, taken = self._name(item.path, identity)
        requested, picture = self._files(name)
        files = requested | picture
        every = [*files.values(), *([self.report.path] if self.report else [])]
        missing = [
            kind for kind, path in files.items() if not (self.task.skip and self._is_current(path, item, identity))
        ]
        if not missing and (not self.report or self.report.has(name)):
            if self.report:
                self.report.keep(name)
            self.console.skipped(item.path, every)
            return True
        try:
            result = self._result(item, identity)
            encoded = {kind: result.file(kind, self.task.width or DEFAULT_WIDTH) for kind in missing}
        except (VitvizError, OSError) as error:
            problem = str(error) if isinstance(error, VitvizError) else f"{error.strerror or error}."
            self.console.problem(item.path, problem)
            if self.report:
                self.report.add_problem(label, name, problem)
            return False
        if taken:
            self.console.renamed(str(item.path), taken, name)
        for kind, data in encoded.items():  # an error here ends the run: it would recur with every image
            write_atomically(files[kind], data)
        if self.report:
            self.report.add(label, name, result, next(path for kind, path in files.items() if kind in PICTURES))
        self.console.success(item.path, result, every, [path for kind, path in requested.items() if kind in missing])
        return True

    def _name(self, path: Path, identity: Mapping[str, str]) -> tuple[str, Path | None]:
        """Return the file name of an image without extension, and the file that occupies a better name, if any.

        The name is the first one without files of other images in any format, so a second run chooses the same.
        """
        short_names = candidates(self.names[path][0], with_folder(path))
        names = (joined(self.analysis.stem(short(name), self.model.config), *self.marks) for name in short_names)
        taken = None
        while other := self._other(name := next(names), identity):
            taken = taken or other
        return name, taken

    def _other(self, name: str, identity: Mapping[str, str]) -> Path | None:
        """Return a file with this name that is not a result for the image, or None."""
        files = [file for kinds in self._files(name) for file in kinds.values()]
        every = (file.with_suffix(f".{ending}") for file in files for ending in origin.EXTENSIONS)
        return next((file for file in every if os.path.lexists(file) and not origin.is_about(file, identity)), None)

    def _is_current(self, path: Path, item: Item, identity: Mapping[str, str]) -> bool:
        """Return True if a result file exists and is newer than image and model."""
        try:
            newer = path.is_file() and path.stat().st_mtime >= max(self.model_time, item.path.stat().st_mtime)
        except OSError:  # a missing image is reported when it is read
            return False
        return newer and origin.is_of_these_bytes(path, identity)

    def _result(self, item: Item, identity: Mapping[str, str]) -> Result:
        if item.problem:
            raise VitvizError(item.problem)
        task = self.task
        records = self.analysis.records(self.model)
        image = trace_image(self.model, item.path, task.size, task.fit, records, task.width)
        return self.analysis.run(replace(image, origin=identity))

    def _files(self, name: str) -> tuple[dict[str, Path], dict[str, Path]]:
        """Return the requested files of an image by format, and the image that a report needs if none is requested."""
        requested = {kind: self.task.folder / f"{name}.{PICTURES.get(kind, kind)}" for kind in self.kinds}
        if not self.report or PICTURES.keys() & requested.keys():
            return requested, {}
        return requested, {"jpeg": self.report.folder / f"{name}.{PICTURES['jpeg']}"}


@contextmanager
def _maybe_report(
    task: Task, model: VisionTransformer, analysis: Analysis, items: Sequence[Item], console: Console
) -> Iterator[Report | None]:
    if "html" not in task.formats:
        yield None
        return
    paths = task.reports([*map(short, filter(None, analysis.marks)), *task.marks(model)])
    folders = [origin.location(folder, task.folder) for folder in task.folders]
    own = {*folders, *(origin.location(item.path.parent, task.folder) for item in items)}
    path = _report_path(paths, own, console)
    with Report(path, f"vitviz {task.command}", describe_model(model), len(items), task.skip, folders) as report:
        yield report


def _report_path(paths: Iterator[Path], own: set[str], console: Console) -> Path:
    """Return the first path that is not a report with images of other folders.

    Raises:
        VitvizError: if all paths are such reports.
    """
    taken = None
    for path in paths:
        if path.is_file() and not (folders_of(path) or {""}) <= own:
            taken = taken or path
            continue
        if taken:
            console.renamed("these images", taken, path.name)
        return path
    raise VitvizError(f"{str(taken)!r} is not a report on these images; choose another name, or move the file.")
