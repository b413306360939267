"""Command `vitviz attention --interactive`: the attention explorer of each image, as an HTML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import VitvizError
from ..model.config import ViTConfig
from ..notation import marks
from ..notation.view import View
from ..trace.atomic_write import write_atomically
from ..trace.trace import Trace
from ..trace.vision_transformer import VisionTransformer
from ..viz.colour import Style
from ..viz.explorer.contents import Shown, first_view, kept_layers
from ..viz.explorer.linked import layers_with_tokens, token_parts
from ..viz.explorer.payload import as_jpeg
from ..viz.explorer.standalone import page
from ..viz.provenance import of_model
from . import origin
from .attention import Attention
from .console import Console
from .ending import BAD_INPUT, FINE, SOME_FAILED, fatal_errors_reported
from .inputs import Item, find
from .model_options import check_patches
from .names import joined, of_images
from .parse import parse_layer
from .result import trace_image
from .run import Task

ALL = "all"
_ORIGIN = re.compile(rb'^<meta name="vitviz-image" content="([0-9a-f]*)">$', re.MULTILINE)
_HEAD = 4096  # bytes at the start of a page, with its origin


def run(task: Task, analysis: Attention, layers: str | None, linked: bool = False) -> int:
    """Write the explorer of every image, and print the names of the files.

    Args:
        task: shared settings.
        analysis: view with which the explorer opens; if nothing but direction and scale is chosen, it is a telling one.
        layers: layers that follow the pointer, such as `"9,12"` or `"all"`, as typed; None for all layers of a small
            input, and else the layer of the view.
        linked: whether the files contain the tokens of these layers, and open with linked views.

    Returns:
        Exit code, as for the other commands.
    """
    with fatal_errors_reported(task.out, task.as_json, "written files are kept") as ending:
        _check_options(task)
        items = find(task.images)
        if task.out.suffix == ".html" and not task.out.is_dir() and len(items) > 1:
            raise VitvizError(f"There are {len(items)} images for the file {str(task.out)!r}; give a folder instead.")
        model = task.options.load(task.model, task.fit)
        check_patches(task.size, model.config)
        analysis.check(model)
        process = _Process(task, analysis, model, _parse_layers(layers, model.config), linked, items)
        ending.console = process.console
        with process.console:
            failed = sum(not ok for ok in process.console.track(items, process))
        ending.code = FINE if not failed else BAD_INPUT if failed == len(items) else SOME_FAILED
    return ending.code


def _check_options(task: Task) -> None:
    if list(task.formats) != ["html"]:
        raise VitvizError("--interactive writes HTML files only; leave out --format.")
    if task.width or task.skip:
        raise VitvizError("--width and --skip-existing do not apply to --interactive; leave them out.")


def _parse_layers(text: str | None, config: ViTConfig) -> Sequence[int] | None:
    if text is None:
        return None
    if text == ALL:
        return range(config.depth)
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise VitvizError(f"--layers {text!r} lacks a number; give layers from 1 to {config.depth}, such as 9,12.")
    chosen = [parse_layer(part, config) for part in parts]
    if config.depth in chosen:
        raise VitvizError("The pooling is part of every explorer; give --layers as numbers, such as 9,12.")
    return chosen


class _Process:
    """Callable that processes one image and returns True on success."""

    def __init__(
        self,
        task: Task,
        analysis: Attention,
        model: VisionTransformer,
        layers: Sequence[int] | None,
        linked: bool,
        items: Sequence[Item],
    ):
        self.task, self.analysis, self.model, self.layers, self.linked = task, analysis, model, layers, linked
        self.console = Console(task.as_json, len(items), of_model(model))
        is_file = task.out.suffix == ".html" and not task.out.is_dir()
        self.folder = task.out.parent if is_file else task.out
        self.folder.mkdir(parents=True, exist_ok=True)
        names = of_images([item.path for item in items])
        endings = [*task.marks(model), "explorer"]
        self.files = {
            item.path: task.out if is_file else self.folder / f"{joined(name, *endings)}.html"
            for item, name in zip(items, names, strict=True)
        }

    def __call__(self, item: Item) -> bool:
        path, task = self.files[item.path], self.task
        try:
            if item.problem:
                raise VitvizError(item.problem)
            identity = origin.of_image(item.path, self.folder)
            place = origin.location(item.path, self.folder)
            if path.exists() and _origin_of(path) != place:
                raise VitvizError(f"{str(path)!r} is not the explorer of this image; choose another name.")
            image = replace(trace_image(self.model, item.path, task.size, task.fit), origin=identity)
            analysis, view = self._opened(image.trace)
            result = analysis.run(image)
            picture = Shown(item.path.name, as_jpeg(image.picture))
            kept, style = kept_layers(image.trace, view, self.layers), Style(linked=self.linked)
            tokens = token_parts(image.trace, layers_with_tokens(image.trace, view, kept)) if self.linked else ()
            text = page(image.trace, view, kept, picture, style=style, origin=place, tokens=tokens)
        except (VitvizError, OSError) as error:
            problem = str(error) if isinstance(error, VitvizError) else f"{error.strerror or error}."
            self.console.problem(item.path, problem)
            return False
        write_atomically(path, text.encode("utf-8"))
        self.console.success(item.path, result, [path], [path])
        return True

    def _opened(self, trace: Trace) -> tuple[Attention, View]:
        """Return the first view, also in the notation of the command line."""
        chosen = self.analysis
        if chosen != Attention(None, marks.MEAN, None, chosen.direction, chosen.scale):
            return chosen, chosen.view(trace)
        view = replace(first_view(trace, layers=self.layers), direction=chosen.direction, scale=chosen.scale)
        typed = Attention(
            marks.format_layer(view.layer, trace.config),
            marks.format_head(view.head),
            None if view.query is None else marks.format_token(view.query, trace),
            view.direction,
            view.scale,
        )
        return typed, view


def _origin_of(path: Path) -> str | None:
    """Return the origin of an explorer's page; None for other files."""
    with path.open("rb") as file:
        found = _ORIGIN.search(file.read(_HEAD))
    return found[1].decode() if found else None
