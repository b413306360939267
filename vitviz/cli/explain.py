"""Command `vitviz explain`: attribution maps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from ..analysis.attribution import (
    METHODS,
    Attribution,
    ClassTarget,
    DifferenceTarget,
    SimilarityTarget,
    Target,
    explain,
)
from ..analysis.attribution.explanation import records
from ..errors import ModelError, VitvizError
from ..images import Size, check_size
from ..model.config import POOL, ViTConfig
from ..notation.marks import join_words
from ..trace.vision_transformer import VisionTransformer
from ..viz.colour import KEY, on_neutral, overlay, tone
from ..viz.picture import frame_patch
from .inputs import find
from .names import joined, mark, short
from .parameters import check_names, marks_of, parse_pairs, parse_parameters
from .result import (
    Result,
    TracedImage,
    as_npz,
    base_facts,
    prediction_facts,
    prediction_values,
    trace_image,
)

MAX_NAMED = 3  # reference images named in a caption; more are counted
MAX_BYTES = 2**30  # attention weights of a layer; a method takes up to eight times as much


@dataclass(eq=False)
class Explain:
    """Settings of `vitviz explain`, as typed.

    Attributes:
        method: attribution method, a key of `vitviz.analysis.attribution.METHODS`.
        target: class name or class index from 0; None for the top-1 class, or the image's own feature.
        minus: class to contrast the target with; None for none.
        like: reference images of a similarity target: files, folders or patterns. Their features are averaged.
        parameters: parameters of the method by name; None for the default value.
        size: input size of the reference images.
        fit: fit mode of the reference images.
        more: further parameters, as `NAME=VALUE`.
    """

    method: str
    target: str | None
    minus: str | None
    like: tuple[str, ...]
    parameters: dict[str, Any]
    size: Size | None
    fit: str | None
    more: tuple[str, ...] = ()
    _target: Target | None = field(default=None, init=False)
    _settings: dict[str, Any] = field(default_factory=dict, init=False)

    @property
    def marks(self) -> list[str]:
        """Settings that differ from the defaults, for the name of a report."""
        method = self.method if self.method != "gradient_attention" else ""
        minus = f"minus-{self.minus}" if self.minus else ""
        return [method, self.target or "", minus, self._likeness, *marks_of(self._settings)]

    @property
    def _likeness(self) -> str:
        """Reference images of a similarity target, as a part of a file name."""
        return f"likeness to {join_words(map(mark, self.like), 'and')}" if self.like else ""

    def check(self, model: VisionTransformer) -> None:
        """Raise a `VitvizError` if the settings do not apply to the model; prepare the target."""
        if self.method not in METHODS:
            raise VitvizError(f"There is no method {self.method!r}; choose one of {', '.join(METHODS)}.")
        parameters = self.parameters | parse_pairs(self.more)
        check_names(self.method, parameters)
        if not METHODS[self.method].targeted and (self.target is not None or self.like):
            raise VitvizError(f"{self.method} does not depend on the output; leave out --target and --like.")
        if self.target is not None and self.like:
            raise VitvizError("--target and --like exclude each other; give only one of them.")
        if self.minus is not None and self.target is None:
            raise VitvizError("--minus needs a --target; add one.")
        if self.size is not None and METHODS[self.method].holds_weights:
            self._check_weights(model.config)
        self._settings = parse_parameters(self.method, parameters, model.config)
        if self.like:
            self._target = self._similarity(model)
        elif self.target is not None:
            self._target = _class_target(model, self.target, self.minus)

    def _check_weights(self, config: ViTConfig) -> None:
        """Raise a `VitvizError` if the attention weights would not fit into memory."""
        height, width = check_size(self.size, config.patch_size)
        most = math.isqrt(MAX_BYTES // (4 * config.num_heads))
        if (height // config.patch_size) * (width // config.patch_size) > most:
            raise VitvizError(
                f"{self.method} stores all attention weights, too many at a size of {height} x {width} pixels; use at "
                f"most {most:,} patches of {config.patch_size} pixels, or --method attention."
            )

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """Return the hook points that the method reads."""
        return records(self.method, model.config.depth)

    def stem(self, name: str, config: ViTConfig) -> str:
        """Return the file name without extension for an image; a default target is not part of it."""
        target = "" if self._target is None else short(self._likeness or self._target.label)
        return joined(name, self.method, target, *(mark.replace(" ", "-") for mark in marks_of(self._settings)))

    def run(self, image: TracedImage) -> Result:
        """Compute the attribution map of one image.

        Raises:
            VitvizError: if the method fails for the image.
        """
        trace = image.trace
        attribution = explain(trace.model, trace, method=self.method, target=self._target, **self._settings)
        row, column = attribution.strongest
        about = base_facts(image) | {
            "method": attribution.method,
            "target": attribution.target or None,
            "value": None if math.isnan(attribution.value) else attribution.value,
            "signed": attribution.signed,
            "parameters": _counted_from_1(attribution.parameters, trace.config),
        }
        largest = float(attribution.map[row, column])
        strongest = {"patch": [row + 1, column + 1], "value": largest}
        caption = _caption(attribution, marks_of(self._settings), row, column)
        value = {} if math.isnan(attribution.value) else {"Value of the target": attribution.value}
        prediction = prediction_facts(trace)
        return Result(
            facts=about | prediction | {"strongest": strongest, "seconds": attribution.seconds},
            caption=caption,
            values=prediction_values(prediction) | value | {"Strongest value": largest},
            about=about,
            text=f"{caption} {image.description}",
            colours=on_neutral("relative", signed=attribution.signed),
            draw=lambda: _overlay(image, attribution),
            npz=lambda: as_npz(about, map=attribution.map),
        )

    def _similarity(self, model: VisionTransformer) -> Target:
        items = find(self.like)
        problems = [item.problem for item in items if item.problem]
        if problems:
            raise VitvizError(problems[0])
        traces = [trace_image(model, item.path, self.size, self.fit).trace for item in items]
        names = [item.path.name for item in items]
        label = join_words(names, "and") if len(names) <= MAX_NAMED else f"{len(names)} images"
        return SimilarityTarget.of(traces, f"likeness to {label}")


def _class_target(model: VisionTransformer, target: str, minus: str | None) -> Target:
    if not model.is_classifier:
        raise ModelError(f"{model.name!r} has no classes; give a reference image with --like instead.")
    parsed = ClassTarget(target) if minus is None else DifferenceTarget(target, minus)
    return parsed.of_model(model)


def _caption(attribution: Attribution, marks: list[str], row: int, column: int) -> str:
    """Return a caption such as `"Legrad for “4” (7.31). Strongest patch: (3, 5), 0.0123. Colour: 0 to 0.0123."`."""
    largest = f"{float(np.abs(attribution.map).max()):.3g}"
    value = "" if math.isnan(attribution.value) else f" ({attribution.value:.3g})"
    target = f" for “{attribution.target}”{value}" if attribution.target else ""
    settings = f" ({', '.join(marks)})" if marks else ""
    low = f"-{largest} (blue)" if attribution.signed else "0"
    return (
        f"{attribution.method.replace('_', ' ').capitalize()}{settings}{target}. "
        f"Strongest patch: ({row + 1}, {column + 1}), {float(attribution.map[row, column]):.3g}. "
        f"Colour: {low} to {largest}."
    )


def _overlay(image: TracedImage, attribution: Attribution) -> Image.Image:
    tones = tone(attribution.map, "relative", 1, signed=attribution.signed)
    picture = overlay(image.picture, tones, "relative", signed=attribution.signed)
    frame_patch(picture, image.trace.grid, *attribution.strongest, KEY)
    return picture


def _counted_from_1(parameters: dict[str, Any], config: ViTConfig) -> dict[str, Any]:
    """Return a method's parameters as JSON-serialisable values, with layers and heads counted from 1."""
    facts = {name: _plain(value) for name, value in parameters.items()}
    if isinstance(facts.get("layer"), int):
        last = POOL if config.pooling == "attention" else config.depth
        facts["layer"] = last if facts["layer"] == -1 else facts["layer"] + 1
    if "head" in facts:
        facts["head"] = "mean" if facts["head"] is None else facts["head"] + 1
    return facts


def _plain(value: object) -> object:
    """Return a JSON-serialisable value, text if necessary."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
