"""Command `vitviz compare`: two images in one model, or two models on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from ..analysis.comparison import MEASURES
from ..analysis.comparison.layer_similarity import check_common_size
from ..errors import VitvizError
from ..images import Size
from ..notation.marks import head_in_name, layer_in_name
from ..trace.atomic_write import write_atomically
from ..trace.vision_transformer import VisionTransformer
from ..viz.export import DEFAULT_WIDTH, PICTURES
from . import DEFAULT_MODEL, DEFAULT_THRESHOLD, origin
from .console import json_line, printable
from .ending import FINE, fatal_errors_reported
from .inputs import Item, find
from .model_options import Options, check_patches, size_mark
from .names import candidates, joined, mark, of_images, with_folder
from .parse import parse_layer, parse_one_head
from .result import Result, TracedImage, trace_image

GAP = 12  # pixels between the two halves of the picture
HOW = "give two images with one model, or images with two models, as in -m A -m B"


@dataclass(frozen=True)
class Task:
    """Settings of `vitviz compare`, as typed.

    Attributes:
        images: files, folders and patterns.
        models: names or paths of one or two models, as for `vitviz.load`.
        options: checkpoint options.
        out: output folder.
        layer: layer from 1; None for the last layer.
        head: head of the first model, from 1.
        measure: measure of the resemblance of heads, see `vitviz.analysis.comparison.head_resemblance`.
        threshold: smallest cosine similarity of a match.
        size: input size; None for the models'.
        fit: fit mode; None for the models'.
        formats: output formats.
        width: width of the picture in pixels; None for the default.
        as_json: True to print a JSON object.
    """

    images: Sequence[str]
    models: Sequence[str]
    options: Options
    out: Path
    layer: str | None
    head: str
    measure: str
    threshold: float
    size: Size | None
    fit: str | None
    formats: Sequence[str]
    width: int | None
    as_json: bool


def run(task: Task) -> int:
    """Compare, write the files, and print their names and the sentences of the result.

    Returns:
        Exit code: 0 for success, 2 if the input is wrong or an image cannot be read, 130 if the run was interrupted.
    """
    with fatal_errors_reported(task.out, task.as_json, "nothing was written") as ending:
        items = _items(task)
        models = [task.options.load(name, task.fit) for name in task.models]
        check_common_size(task.size, *models)
        for model in models:
            check_patches(task.size, model.config)
        result, sentences = (
            _two_models(task, models, items) if len(models) == 2 else _two_images(task, models[0], items)
        )
        task.out.mkdir(parents=True, exist_ok=True)
        files = _write(task, items, models[0], result)
        _print(task, items, result, sentences, files)
        ending.code = FINE
    return ending.code


def _items(task: Task) -> list[Item]:
    """Return the images.

    Raises:
        VitvizError: if the numbers of images and models do not go together, or an image is missing.
    """
    if len(task.models) > 2:
        raise VitvizError(f"These are {len(task.models)} models; {HOW}.")
    if len(set(task.models)) < len(task.models):
        raise VitvizError(f"Both models are {task.models[0]!r}; {HOW}.")
    items = find(task.images)
    problem = next((item for item in items if item.problem), None)
    if problem:
        raise VitvizError(f"{problem.path}: {problem.problem}")
    if len(task.models) == 1 and len(items) != 2:
        if len(items) == 1 and len(task.images) > 1:
            raise VitvizError(f"All images are {str(items[0].path)!r}; {HOW}.")
        raise VitvizError(f"{'This is 1 image' if len(items) == 1 else f'These are {len(items)} images'}; {HOW}.")
    return items


def _layer(task: Task, model: VisionTransformer) -> int:
    layer = parse_layer(task.layer, model.config)
    if layer == model.config.depth:
        raise VitvizError(f"Pooling has no output tokens; use a layer from 1 to {model.config.depth}.")
    return layer


def _two_images(task: Task, model: VisionTransformer, items: Sequence[Item]) -> tuple[Result, Sequence[str]]:
    from .compared_images import matches_result

    layer = _layer(task, model)
    record = (f"blocks.{layer}.resid_post",)
    images = [_traced(task, model, item, record) for item in items]
    return matches_result(*images, layer, task.threshold, GAP)


def _two_models(task: Task, models: Sequence[VisionTransformer], items: Sequence[Item]) -> tuple[Result, Sequence[str]]:
    from ..analysis.comparison import cka
    from .compared_models import models_result

    layer = _layer(task, models[0])
    head = parse_one_head(task.head, models[0].config)
    images = [_traced(task, model, items[0], ("blocks.*.resid_post",)) for model in models]
    similarity = cka(*models, [item.path for item in items], size=task.size, fit=task.fit)
    return models_result(*images, similarity, layer, head, task.measure, GAP)


def _traced(task: Task, model: VisionTransformer, item: Item, record: tuple[str, ...]) -> TracedImage:
    width = task.width and (task.width - GAP) // 2
    try:
        return trace_image(model, item.path, task.size, task.fit, record, width)
    except VitvizError as error:
        raise VitvizError(f"{item.path}: {error}") from error


def _write(task: Task, items: Sequence[Item], model: VisionTransformer, result: Result) -> list[Path]:
    """Write the files and return their paths. A file that is not about these images is kept."""
    paths = [item.path for item in items]
    origins = [origin.of_image(path, task.out) for path in paths]
    identity = {key: "-".join(one.get(key, "") for one in origins) for key in origins[0]}
    result.about.update(identity)
    settings = ["compare", *_marks(task, model)]
    short, full = (joined(*names[:2], *settings) for names in (of_images(paths), [with_folder(path) for path in paths]))
    for name in candidates(short, full):
        files = {kind: task.out / f"{name}.{PICTURES.get(kind, kind)}" for kind in task.formats}
        if not any(file.exists() and not origin.is_about(file, identity) for file in files.values()):
            break
    for kind, file in files.items():
        write_atomically(file, result.file(kind, task.width or DEFAULT_WIDTH))
    return list(files.values())


def _marks(task: Task, model: VisionTransformer) -> Iterator[str]:
    """Yield the settings for file names: layer and head, and those that differ from the defaults."""
    yield from (mark(name) for name in task.models if name != DEFAULT_MODEL or len(task.models) == 2)
    yield from task.options.marks
    yield layer_in_name(str(_layer(task, model) + 1))
    if len(task.models) == 2:
        yield head_in_name(task.head)
        yield task.measure if task.measure != MEASURES[0] else ""
    else:
        yield f"threshold{task.threshold:g}" if task.threshold != DEFAULT_THRESHOLD else ""
    yield size_mark(task.size, model)
    yield task.fit or ""
    yield f"w{task.width}" if task.width else ""


def _print(task: Task, items: Sequence[Item], result: Result, sentences: Sequence[str], files: Sequence[Path]) -> None:
    if task.as_json:
        about = {"images": [str(item.path) for item in items], "ok": True, "files": [str(file) for file in files]}
        typer.echo(json_line(about | result.facts | {"sentences": list(sentences)}))
        return
    for line in (*map(str, files), *sentences):
        typer.echo(printable(line))
