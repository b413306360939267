"""Command `vitviz teach`: a linear head fitted on a folder of images, one subfolder for each class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import typer

from ..analysis.classifier import appearance, cross_validate, features, fit, nearest_other, notes_on
from ..analysis.classifier.fitting import head_of
from ..errors import ModelError, VitvizError
from ..images import Size
from ..trace.vision_transformer import VisionTransformer
from ..viz.provenance import of_model
from ..zoo.heads import attached, checked_labels, name_of_file, open_head, thumbnail, with_pooling
from ..zoo.heads.names import SUFFIX
from ..zoo.heads.thumbnails import MOST_THUMBNAILS
from .console import Console, printable
from .ending import FINE, SOME_FAILED, fatal_errors_reported
from .inputs import Item, find, is_image, natural_order
from .lesson_report import Outcome, json_lines, text_lines
from .model_options import Options, check_patches
from .result import prepare_for, read_image_file

THUMBNAILS_OF_CLASS = 24  # at most, of the first images


@dataclass(frozen=True)
class Lesson:
    """Settings of `vitviz teach`, as typed.

    Attributes:
        folder: folder with one subfolder for each class.
        out: file of the head.
        model: model name or path, as for `vitviz.load`.
        options: checkpoint options.
        size: input size; None for the model's.
        fit: fit mode; None for the model's.
        pooling: pooling of the tokens to the feature; None for the model's.
        binary: True to fit one binary classifier for each class.
        thumbnails: True to store small pictures of the images in the file.
        as_json: True to print JSON lines.
    """

    folder: Path
    out: Path
    model: str
    options: Options
    size: Size | None = None
    fit: str | None = None
    pooling: str | None = None
    binary: bool = False
    thumbnails: bool = False
    as_json: bool = False


def run(lesson: Lesson) -> int:
    """Fit a head, write its file, and print the estimate of its accuracy.

    Returns:
        Exit code: 0 for success, 1 if some images failed, 2 if no head could be fitted, 130 if the run was interrupted.
        Nothing is written in the last two cases.
    """
    with fatal_errors_reported(lesson.out, lesson.as_json, "no head was written") as ending:
        _check_out(lesson.out)
        items = images_of(lesson.folder)
        model = lesson.options.load(lesson.model)
        check_patches(lesson.size, model.config)
        with_pooling(model, lesson.pooling)  # before the images are read
        lesson.out.parent.mkdir(parents=True, exist_ok=True)
        ending.console = console = Console(lesson.as_json, len(items), of_model(model))
        read = _Reader(lesson, model, items, console)
        with console:
            failed = sum(not ok for ok in console.track(list(items), read))
        outcome = _outcome(lesson, model, read)
        outcome.head.save(lesson.out, with_thumbnails=lesson.thumbnails)
        ending.code = SOME_FAILED if failed else FINE
    if ending.code in (FINE, SOME_FAILED):
        for line in (json_lines if lesson.as_json else text_lines)(outcome):
            typer.echo(line)
    return ending.code


def images_of(folder: Path) -> dict[Item, str]:
    """Find the images of a folder with one subfolder for each class. Returns the class of each image.

    Hidden subfolders and links are skipped, as everywhere. A line on standard error counts the images beside the
    subfolders, which belong to no class.

    Raises:
        VitvizError: if there are fewer than two classes, a class has no image, or its name is invalid.
    """
    if not folder.is_dir():
        raise VitvizError(f"There is no folder {str(folder)!r}; give one with a subfolder of images for each class.")
    inside = [entry for entry in folder.iterdir() if not entry.name.startswith(".") and not entry.is_symlink()]
    classes = natural_order(entry for entry in inside if entry.is_dir())
    if len(classes) < 2:
        raise VitvizError(
            f"The folder {str(folder)!r} has {len(classes)} subfolder{'s' * (len(classes) != 1)}; put the images into "
            "one subfolder for each class, at least two."
        )
    labels = checked_labels([entry.name for entry in classes])
    found = {item: label for path, label in zip(classes, labels, strict=True) for item in find([str(path)])}
    beside = sum(is_image(str(entry)) for entry in inside)
    if beside:
        number = "1 image is" if beside == 1 else f"{beside} images are"
        message = f"{number} in {str(folder)!r} itself, in no subfolder, and therefore left out."
        typer.echo(f"vitviz: {printable(message)}", err=True)
    return found


def _check_out(out: Path) -> None:
    """Raise a `VitvizError` if the head cannot be written to this file, or would replace another kind of file."""
    if out.suffix != SUFFIX or out.is_dir():
        raise VitvizError(f"{str(out)!r} is not the name of a head; give a file that ends in {SUFFIX}.")
    if not os.path.lexists(out):
        return
    try:
        open_head(out)
    except ModelError as error:
        raise VitvizError(f"{str(out)!r} exists and is not a head; choose another name.") from error


@dataclass(frozen=True, eq=False)
class _Example:
    """Image that was read.

    Attributes:
        path: path of its file.
        label: its class.
        feature: its feature, float32 [feature].
        appearance: its colours without its content, see `vitviz.analysis.classifier.appearance`.
    """

    path: Path
    label: str
    feature: np.ndarray
    appearance: np.ndarray


class _Reader:
    """Callable that reads one image, computes its feature, and returns True on success."""

    def __init__(self, lesson: Lesson, model: VisionTransformer, classes: Mapping[Item, str], console: Console):
        self.lesson, self.model, self.classes, self.console = lesson, model, classes, console
        self.examples: list[_Example] = []
        self.thumbnails: dict[str, list[bytes]] = {label: [] for label in classes.values()}
        self.most_thumbnails = min(THUMBNAILS_OF_CLASS, MOST_THUMBNAILS // len(self.thumbnails))

    def __call__(self, item: Item) -> bool:
        lesson, label = self.lesson, self.classes[item]
        try:
            if item.problem:
                raise VitvizError(item.problem)
            prepared = prepare_for(self.model, read_image_file(item.path), lesson.size, lesson.fit)
            (feature,) = features(self.model, [prepared], lesson.pooling)
        except (VitvizError, OSError) as error:
            problem = str(error) if isinstance(error, VitvizError) else f"{error.strerror or error}."
            self.console.problem(item.path, problem)
            return False
        self.console.processed += 1
        self.examples.append(_Example(item.path, label, feature, appearance(prepared)))
        if lesson.thumbnails and len(self.thumbnails[label]) < self.most_thumbnails:
            self.thumbnails[label].append(thumbnail(prepared))
        return True


def _outcome(lesson: Lesson, model: VisionTransformer, read: _Reader) -> Outcome:
    """Fit the head and estimate its accuracy.

    Raises:
        VitvizError: if a class has no image, or the features are not finite.
    """
    labels = [example.label for example in read.examples]
    counts = Counter(labels)
    missing = next((label for label in read.thumbnails if not counts[label]), None)
    if missing is not None:
        raise VitvizError(f"No image of the class {missing!r} can be read; add images, or remove its folder.")
    found = np.stack([example.feature for example in read.examples])
    fitted = fit(found, labels, binary=lesson.binary)
    single = next((label for label in fitted.classes if counts[label] == 1), None)
    result = cross_validate(found, labels, binary=lesson.binary) if single is None else None
    head = head_of(
        model,
        fitted,
        labels,
        name=name_of_file(lesson.out.name),
        pooling=lesson.pooling,
        size=lesson.size,
        fit=lesson.fit,
        correct=None if result is None else result.correct,
    )
    notes = (
        notes_on(result, np.stack([example.appearance for example in read.examples]))
        if result is not None
        else (f"The accuracy was not measured, because “{single}” has one image only.",)
    )
    return Outcome(
        file=lesson.out,
        head=replace(head, thumbnails=tuple(tuple(read.thumbnails[label]) for label in head.labels)),
        feature=with_pooling(model, lesson.pooling).config.pooling_description,
        about=of_model(attached(model, head)),
        paths=[example.path for example in read.examples],
        truth=labels,
        nearest=nearest_other(found, labels),
        result=result,
        notes=notes,
    )
