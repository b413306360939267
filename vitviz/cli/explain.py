"""`vitviz explain`: which patches mattered for what the model made of an image."""

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
from .parameters import check_owner, marks_of, typed, understood
from .result import Found, Seen, as_npz, base_facts, predicted, prediction_values, see

NAMED = 3  # so many images of a likeness are named, of more it is said how many they are
HEAVIEST = 2**30  # bytes of these weights; such a method takes up to eight times as much


@dataclass(eq=False)
class Explain:
    """What is asked of every image; as typed.

    Attributes:
        method: one of `vitviz.analysis.attribution.METHODS`.
        target: a class, by its name or its number from 0; None for the likeliest, or the image's own feature.
        minus: a class that it is compared with; None for none.
        like: images the mean of whose features is the target instead: files, folders or patterns.
        parameters: of the method, by their names in the library; None where the default is meant.
        size: of the model's input, for the images to be like.
        fit: of those images.
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
    _aim: Target | None = field(default=None, init=False)
    _given: dict[str, Any] = field(default_factory=dict, init=False)

    @property
    def marks(self) -> list[str]:
        """What differs from the default, for the name of a report."""
        method = self.method if self.method != "gradient_attention" else ""
        minus = f"minus-{self.minus}" if self.minus else ""
        return [method, self.target or "", minus, self._likeness, *marks_of(self._given)]

    @property
    def _likeness(self) -> str:
        """Reference images of a similarity, as a part of a file name."""
        return f"likeness to {join_words(map(mark, self.like), 'and')}" if self.like else ""

    def check(self, model: VisionTransformer) -> None:
        """Refuse in a sentence what this model cannot be asked, whatever the image; get the target ready."""
        if self.method not in METHODS:
            raise VitvizError(f"There is no method {self.method!r}; choose one of {', '.join(METHODS)}.")
        parameters = self.parameters | typed(self.more)
        check_owner(self.method, parameters)
        if not METHODS[self.method].targeted and (self.target is not None or self.like):
            raise VitvizError(f"{self.method} shows what the model mixes, whatever it says: it takes no target.")
        if self.target is not None and self.like:
            raise VitvizError("Give either --target or --like, not both.")
        if self.minus is not None and self.target is None:
            raise VitvizError("--minus needs a --target that it is taken from.")
        if self.size is not None and METHODS[self.method].holds_weights:
            self._check_weights(model.config)
        self._given = understood(self.method, parameters, model.config)
        if self.like:
            self._aim = self._similarity(model)
        elif self.target is not None:
            self._aim = _of_classes(model, self.target, self.minus)

    def _check_weights(self, config: ViTConfig) -> None:
        """Refuse an input whose attention weights would not fit into memory."""
        height, width = check_size(self.size, config.patch_size)
        most = math.isqrt(HEAVIEST // (4 * config.num_heads))
        if (height // config.patch_size) * (width // config.patch_size) > most:
            raise VitvizError(
                f"{self.method} holds weights between all tokens, too many at a size of {height} x {width} pixels; use "
                f"one of at most {most:,} patches of {config.patch_size} pixels, or --method attention."
            )

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """Hook points that the method reads."""
        return records(self.method, model.config.depth)

    def stem(self, name: str, config: ViTConfig) -> str:
        """The file name, without its ending, for an image of this name; a default target is not part of it."""
        aim = "" if self._aim is None else short(self._likeness or self._aim.label)
        return joined(name, self.method, aim, *(how.replace(" ", "-") for how in marks_of(self._given)))

    def of(self, seen: Seen) -> Found:
        """The explanation of one image.

        Raises:
            VitvizError: if there is none.
        """
        found = explain(seen.trace.model, seen.trace, method=self.method, target=self._aim, **self._given)
        row, column = found.strongest
        about = base_facts(seen) | {
            "method": found.method,
            "target": found.target or None,
            "value": None if math.isnan(found.value) else found.value,
            "signed": found.signed,
            "parameters": _counted_from_1(found.parameters, seen.trace.config),
        }
        largest = float(found.map[row, column])
        strongest = {"patch": [row + 1, column + 1], "value": largest}
        words = _words(found, marks_of(self._given), row, column)
        valued = {} if math.isnan(found.value) else {"Value of the target": found.value}
        said = predicted(seen.trace)
        return Found(
            facts=about | said | {"strongest": strongest, "seconds": found.seconds},
            caption=words,
            values=prediction_values(said) | valued | {"Strongest value": largest},
            about=about,
            text=f"{words} {seen.words}",
            colours=on_neutral("relative", signed=found.signed),
            draw=lambda: _laid_over(seen, found),
            npz=lambda: as_npz(about, map=found.map),
        )

    def _similarity(self, model: VisionTransformer) -> Target:
        items = find(self.like)
        problems = [item.problem for item in items if item.problem]
        if problems:
            raise VitvizError(problems[0])
        traces = [see(model, item.path, self.size, self.fit).trace for item in items]
        names = [item.path.name for item in items]
        words = join_words(names, "and") if len(names) <= NAMED else f"{len(names)} images"
        return SimilarityTarget.of(traces, f"likeness to {words}")


def _of_classes(model: VisionTransformer, target: str, minus: str | None) -> Target:
    if not model.is_classifier:
        raise ModelError(f"{model.name!r} has no classes; give an image to be like with --like.")
    found = ClassTarget(target) if minus is None else DifferenceTarget(target, minus)
    return found.of_model(model)


def _words(found: Attribution, marks: list[str], row: int, column: int) -> str:
    """Such as `"Legrad for “4” (7.31). Strongest patch: (3, 5), 0.0123. Colour: 0 to 0.0123."`."""
    largest = f"{float(np.abs(found.map).max()):.3g}"
    value = "" if math.isnan(found.value) else f" ({found.value:.3g})"
    aim = f" for “{found.target}”{value}" if found.target else ""
    how = f" ({', '.join(marks)})" if marks else ""
    low = f"-{largest} (blue)" if found.signed else "0"
    return (
        f"{found.method.replace('_', ' ').capitalize()}{how}{aim}. Strongest patch: ({row + 1}, {column + 1}), "
        f"{float(found.map[row, column]):.3g}. Colour: {low} to {largest}."
    )


def _laid_over(seen: Seen, found: Attribution) -> Image.Image:
    tones = tone(found.map, "relative", 1, signed=found.signed)
    picture = overlay(seen.picture, tones, "relative", signed=found.signed)
    frame_patch(picture, seen.trace.grid, *found.strongest, KEY)
    return picture


def _counted_from_1(parameters: dict[str, Any], config: ViTConfig) -> dict[str, Any]:
    """A method's parameters as JSON can hold them, and layers and heads as they are typed."""
    said = {name: _plain(value) for name, value in parameters.items()}
    if isinstance(said.get("layer"), int):
        last = POOL if config.pooling == "attention" else config.depth
        said["layer"] = last if said["layer"] == -1 else said["layer"] + 1
    if "head" in said:
        said["head"] = "mean" if said["head"] is None else said["head"] + 1
    return said


def _plain(value: object) -> object:
    """A parameter as JSON can hold it."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
