"""Options of a checkpoint that its file does not tell: one definition for Python, the command line and TOML files."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any

from PIL import Image

from ..errors import ImageError, ModelError
from ..errors.arguments import LONGEST, is_number, is_whole, of_kind, shown
from ..images import FITS, Preprocessing, Size, check_size
from .class_names import Classes, taken

Colour = float | Sequence[float]  # one number for all channels, or one for each

# The options that say how pixels are prepared, and their names in `Preprocessing`.
OF_PIXELS = {
    "mean": "mean",
    "std": "std",
    "interpolation": "interpolation",
    "crop_pct": "crop_fraction",
    "fit": "fit",
}
_INTERPOLATIONS = tuple(name.lower() for name in Image.Resampling.__members__)
_MOST_CHANNELS = 10_000
_LARGEST_STD = 10.0  # for pixels from 0 to 1, whose own is at most 0.5; a model that does not scale has 1


@dataclass(frozen=True)
class Options:
    """Options of `vitviz.load` for a checkpoint; None where nothing is said.

    Attributes:
        arch: timm's name of the architecture.
        arch_kwargs: arguments for timm's `create_model` beside that name, such as `{"global_pool": "avg"}`.
        classes: the class names, or how many there are; 0 leaves the classifier out.
        heads: how many attention heads a block has.
        prefix: what the keys of the wanted model begin with, where a file holds several.
        mean: mean of each channel, for pixel values from 0 to 1; or one number for all channels.
        std: standard deviation of each channel, or one number for all.
        interpolation: one of Pillow's, in lower case, such as `"bicubic"`.
        crop_pct: part of the resized image's shorter side that the centre crop keeps, 0.1 to 2.
        fit: how images that are not square were made to fit, one of `vitviz.images.FITS`.
        size: default input size in pixels, the side of a square or (height, width).

    Raises:
        ModelError: if a value is of another kind or out of range; the message names the option.
    """

    arch: str | None = None
    arch_kwargs: Mapping[str, Any] | None = None
    classes: Classes | None = None
    heads: int | None = None
    prefix: str | None = None
    mean: Colour | None = None
    std: Colour | None = None
    interpolation: str | None = None
    crop_pct: float | None = None
    fit: str | None = None
    size: Size | None = None

    def __post_init__(self) -> None:
        checks = {
            "arch": _text,
            "arch_kwargs": _arguments,
            "classes": lambda classes, _: taken(classes),
            "heads": _heads,
            "prefix": _text,
            "mean": lambda mean, name: _colour(mean, name, -1.0, 1.0),
            "std": lambda std, name: _colour(std, name, 1e-4, _LARGEST_STD),
            "interpolation": lambda value, name: _one_of(value, name, _INTERPOLATIONS),
            "crop_pct": _crop_pct,
            "fit": lambda value, name: _one_of(value, name, FITS),
            "size": _size,
        }
        for name, check in checks.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check(value, name))
        if self.mean and self.std and 1 != len(self.mean) != len(self.std) != 1:
            raise ModelError(f"mean has {len(self.mean)} numbers and std {len(self.std)}; give one of each a channel.")
        if self.heads and (self.arch_kwargs or {}).get("num_heads", self.heads) != self.heads:
            raise ModelError("heads and num_heads in arch_kwargs differ; give only one of them.")

    @property
    def given(self) -> dict[str, Any]:
        """The options that are given, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def without_head(self) -> bool:
        """True if the classifier is left out."""
        return isinstance(self.classes, Integral) and not isinstance(self.classes, bool) and self.classes == 0

    def over(self, other: "Options") -> "Options":
        """These options, and for what they leave open those of another one."""
        return Options(**{**other.given, **self.given})

    def prepare(self, base: Preprocessing, patch: int) -> Preprocessing:
        """The preprocessing of a model with these options, and for what they leave open that of `base`.

        Raises:
            ModelError: if the size is not made of whole patches, or mean and std are for other numbers of channels.
        """
        try:
            if self.size is not None:
                check_size(self.size, patch)
            changed = {OF_PIXELS[name]: self.given[name] for name in OF_PIXELS if name in self.given}
            mean, std = changed.get("mean", base.mean), changed.get("std", base.std)
            count = max(len(mean), len(std))
            mean, std = (values * count if len(values) == 1 else values for values in (mean, std))
            size = self.size if self.size is not None else base.size
            return replace(base, **{**changed, "mean": mean, "std": std, "size": size})
        except ImageError as error:
            raise ModelError(str(error)) from error


def _text(value: object, name: str) -> object:
    of_kind(value, str, name, ModelError)
    return value


def _arguments(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ModelError(
            f"{name} is {shown(value)}; give arguments of timm's create_model by their names, such as "
            "{'global_pool': 'avg'}."
        )
    return dict(value)


def _heads(value: object, name: str) -> int:
    if not is_whole(value) or value < 1:
        raise ModelError(f"{name} is {shown(value)}; give the number of attention heads, such as heads=6.")
    return int(value)


def _colour(value: object, name: str, low: float, high: float) -> tuple[float, ...]:
    values = value.tolist() if hasattr(value, "tolist") else value
    values = tuple(values) if isinstance(values, tuple | list) else (values,)
    if not 0 < len(values) <= _MOST_CHANNELS or not all(is_number(one) and low <= one <= high for one in values):
        said = ", ".join(map(shown, values[:4])) if values else "empty"
        raise ModelError(
            f"{name} is {said[:LONGEST]}; give a number from {low:g} to {high:g} for each channel, or one for all, for "
            "pixel values from 0 to 1 (divide numbers for values up to 255 by 255)."
        )
    return tuple(map(float, values))


def _one_of(value: object, name: str, choices: Sequence[str]) -> str:
    word = value.lower() if isinstance(value, str) else value
    if not isinstance(word, str) or word not in choices:
        raise ModelError(f"{name} is {shown(value)}; it can be {', '.join(choices)}.")
    return word


def _crop_pct(value: object, name: str) -> float:
    if not is_number(value) or not 0.1 <= float(value) <= 2:
        raise ModelError(
            f"{name} is {shown(value)}; give the part of the resized image that the crop keeps, such as 0.9 (from 0.1 "
            "to 2)."
        )
    return float(value)


def _size(value: object, name: str) -> Size:
    sides = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(sides) != 2 or not all(is_whole(side) and side > 0 for side in sides):
        raise ModelError(f"{name} is {shown(value)}; give the side of a square in pixels, or (height, width).")
    try:
        height, width = check_size(sides, 1)
    except ImageError as error:
        raise ModelError(str(error)) from error
    return height if height == width else (height, width)


NOTHING_SAID = Options()

_NAMED = re.compile(
    rf"(?<=\s)({'|'.join(field.name for field in fields(Options))})"
    r"=('[^']*'|\{[^}]*\}|[0-9.]*[0-9])?(?=[\s,.;]|$)"
)


def reworded(advice: str, write: Callable[[str, str], str]) -> str:
    """Sentence that names options as Python does, `heads=6`, with them in other words.

    Args:
        advice: the sentence.
        write: makes these words of an option's name and its value, "" if the sentence has none.
    """
    return _NAMED.sub(lambda found: write(found[1], found[2] or ""), advice)
