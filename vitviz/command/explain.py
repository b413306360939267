"""`vitviz explain`: which patches mattered for what the model made of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import export
from ..attribution import METHODS, Attribution, ClassTarget, DifferenceTarget, SimilarityTarget, Target, explain
from ..colour import colour_map, overlay, tone
from ..errors import ModelError, VitvizError
from ..images import Size
from ..marks import listed
from ..model import VisionTransformer
from .found import Found, Seen, as_npz, base_facts, see, short
from .parameters import check_owner, marks_of, understood

EXPLAIN_NO_TARGET = {"attention", "rollout"}  # methods that do not ask what the model said


@dataclass(eq=False)
class Explain:
    """What is asked of every image; as typed.

    Attributes:
        method: one of `vitviz.attribution.METHODS`.
        target: a class, by its name or its number from 0; None for the likeliest, or the image's own feature.
        minus: a class that it is compared with; None for none.
        like: images the mean of whose features is the target instead.
        parameters: of the method, by their names in the library; None where the default is meant.
        size: of the model's input, for the images to be like.
        fit: of those images.
    """

    method: str
    target: str | None
    minus: str | None
    like: tuple[Path, ...]
    parameters: dict[str, Any]
    size: Size | None
    fit: str | None
    _aim: Target | None = field(default=None, init=False)
    _given: dict[str, Any] = field(default_factory=dict, init=False)

    @property
    def marks(self) -> list[str]:
        """What differs from the default, for the name of a report."""
        method = self.method if self.method != "gradient_attention" else ""
        minus = f"minus-{self.minus}" if self.minus else ""
        like = f"likeness to {listed(map(str, self.like), 'and')}" if self.like else ""
        return [method, self.target or "", minus, like, *marks_of(self._given)]

    def check(self, model: VisionTransformer) -> None:
        """Refuse in a sentence what this model cannot be asked, whatever the image; get the target ready."""
        if self.method not in METHODS:
            raise VitvizError(f"There is no method {self.method!r}; choose one of {', '.join(METHODS)}.")
        check_owner(self.method, self.parameters)
        if self.method in EXPLAIN_NO_TARGET and (self.target is not None or self.like):
            raise VitvizError(f"{self.method} shows what the model mixes, whatever it says: it takes no target.")
        if self.target is not None and self.like:
            raise VitvizError("Give either --target or --like, not both.")
        if self.minus is not None and self.target is None:
            raise VitvizError("--minus needs a --target that it is taken from.")
        self._given = understood(self.method, self.parameters, model.config)
        if self.like:
            traces = [see(model, path, self.size, self.fit).trace for path in self.like]
            names = listed((path.name for path in self.like), "and")
            self._aim = SimilarityTarget.of(traces, f"likeness to {names}")
        elif self.target is not None:
            self._aim = _of_classes(model, self.target, self.minus)

    def records(self, model: VisionTransformer) -> tuple[str, ...]:
        """Nothing: each method makes the passes that it needs."""
        return ()

    def of(self, seen: Seen) -> Found:
        """The explanation of one image.

        Raises:
            VitvizError: if there is none.
        """
        found = explain(seen.trace.model, seen.trace, method=self.method, target=self._aim, **self._given)
        row, column = divmod(int(np.abs(found.map).argmax()), seen.trace.grid[1])
        about = base_facts(seen) | {
            "method": found.method,
            "target": found.target or None,
            "value": None if math.isnan(found.value) else found.value,
            "signed": found.signed,
            "parameters": {name: _plain(value) for name, value in found.parameters.items()},
        }
        strongest = {"patch": [row, column], "value": float(found.map[row, column])}
        how = [mark.replace(" ", "-") for mark in marks_of(self._given)]
        stem = "-".join(filter(None, [seen.stem, found.method, self._aimed(found.target), *how]))
        words = _words(found, marks_of(self._given), row, column)
        return Found(
            stem=stem,
            facts=about | {"strongest": strongest, "seconds": found.seconds},
            caption=words,
            png=lambda: _picture(seen, found, about, f"{words} {seen.words}"),
            npz=lambda: as_npz(about, map=found.map),
        )

    def _aimed(self, words: str) -> str:
        """A target as a part of a file name; a default one needs no checksum, as an image has only one."""
        return words and (export.safe_name(words) if self._aim is None else short(words))


def _of_classes(model: VisionTransformer, target: str, minus: str | None) -> Target:
    if not model.tells_classes:
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


def _picture(seen: Seen, found: Attribution, about: dict, caption: str) -> bytes:
    tones = tone(found.map, "share", 1, signed=found.signed)
    image = overlay(seen.picture, tones, "share", signed=found.signed)
    return export.captioned_png(image, caption, about, colour_map("share", found.signed))


def _plain(value: object) -> object:
    """A parameter as JSON can hold it."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
