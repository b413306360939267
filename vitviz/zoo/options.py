"""Options of a checkpoint: one definition for Python, the command line and TOML files."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any

from PIL import Image

from ..errors import ImageError, ModelError
from ..errors.arguments import LONGEST, is_number, is_whole, of_kind, shown
from ..images import FITS, Preprocessing, Size, check_size
from .class_names import Classes, parse_classes

ChannelValues = float | Sequence[float]  # one number for all channels, or one per channel

# Options of the preprocessing, and their names in `Preprocessing`.
PREPROCESSING_OPTIONS = {
    "mean": "mean",
    "std": "std",
    "interpolation": "interpolation",
    "crop_pct": "crop_fraction",
    "fit": "fit",
}
_INTERPOLATIONS = tuple(name.lower() for name in Image.Resampling.__members__)
_MAX_CHANNELS = 10_000
_MAX_STD = 10.0  # the standard deviation of pixels from 0 to 1 is at most 0.5; models without scaling use 1


@dataclass(frozen=True)
class Options:
    """Options of `vitviz.load` for a checkpoint; None for options that are not given.

    Attributes:
        arch: timm's name of the architecture.
        arch_kwargs: further arguments of timm's `create_model`, such as `{"global_pool": "avg"}`.
        classes: class names, or number of classes; 0 removes the classifier.
        num_heads: number of attention heads per block.
        prefix: common prefix of the keys of the model to load, if a file holds several.
        mean: mean of each channel, for pixel values from 0 to 1; or one number for all channels.
        std: standard deviation of each channel, or one number for all.
        interpolation: name of a Pillow resampling filter in lower case, such as `"bicubic"`.
        crop_pct: fraction of the resized image's shorter side that the centre crop keeps, 0.1 to 2.
        fit: treatment of images that are not square, one of `vitviz.images.FITS`.
        size: default input size in pixels, the side of a square or (height, width).

    Raises:
        ModelError: if a value has the wrong type or is out of range; the message names the option.
    """

    arch: str | None = None
    arch_kwargs: Mapping[str, Any] | None = None
    classes: Classes | None = None
    num_heads: int | None = None
    prefix: str | None = None
    mean: ChannelValues | None = None
    std: ChannelValues | None = None
    interpolation: str | None = None
    crop_pct: float | None = None
    fit: str | None = None
    size: Size | None = None

    def __post_init__(self) -> None:
        checks = {
            "arch": _text,
            "arch_kwargs": _arguments,
            "classes": lambda classes, _: parse_classes(classes),
            "num_heads": _num_heads,
            "prefix": _text,
            "mean": lambda mean, name: _channel_values(mean, name, -1.0, 1.0),
            "std": lambda std, name: _channel_values(std, name, 1e-4, _MAX_STD),
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
            raise ModelError(
                f"mean has {len(self.mean)} numbers and std has {len(self.std)}; give one of each per channel."
            )
        if self.num_heads and (self.arch_kwargs or {}).get("num_heads", self.num_heads) != self.num_heads:
            raise ModelError("num_heads differs from num_heads in arch_kwargs; give only one of them.")

    @property
    def given(self) -> dict[str, Any]:
        """Options that are given, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def without_head(self) -> bool:
        """True if the classifier is removed."""
        return isinstance(self.classes, Integral) and not isinstance(self.classes, bool) and self.classes == 0

    def over(self, other: "Options") -> "Options":
        """Merge with other options; these take precedence."""
        return Options(**{**other.given, **self.given})

    def prepare(self, base: Preprocessing, patch: int) -> Preprocessing:
        """Replace the settings of a preprocessing that these options give.

        Args:
            base: preprocessing of the model.
            patch: patch size in pixels.

        Raises:
            ModelError: if the size is not a multiple of the patch size, or mean and std are for different numbers of
                channels.
        """
        try:
            if self.size is not None:
                check_size(self.size, patch)
            changed = {
                PREPROCESSING_OPTIONS[name]: self.given[name] for name in PREPROCESSING_OPTIONS if name in self.given
            }
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
            f"{name} is {shown(value)}; give a dictionary with arguments of timm's create_model, such as "
            "{'global_pool': 'avg'}."
        )
    return dict(value)


def _num_heads(value: object, name: str) -> int:
    if not is_whole(value) or value < 1:
        raise ModelError(f"{name} is {shown(value)}; give the number of attention heads, such as num_heads=6.")
    return int(value)


def _channel_values(value: object, name: str, low: float, high: float) -> tuple[float, ...]:
    values = value.tolist() if hasattr(value, "tolist") else value
    values = tuple(values) if isinstance(values, tuple | list) else (values,)
    if not 0 < len(values) <= _MAX_CHANNELS or not all(is_number(one) and low <= one <= high for one in values):
        listed = ", ".join(map(shown, values[:4])) if values else "empty"
        raise ModelError(
            f"{name} is {listed[:LONGEST]}; give a number from {low:g} to {high:g} for each channel, or one for "
            "all, for pixel values from 0 to 1 (divide values for 0 to 255 by 255)."
        )
    return tuple(map(float, values))


def _one_of(value: object, name: str, choices: Sequence[str]) -> str:
    choice = value.lower() if isinstance(value, str) else value
    if not isinstance(choice, str) or choice not in choices:
        raise ModelError(f"{name} is {shown(value)}; choose one of {', '.join(choices)}.")
    return choice


def _crop_pct(value: object, name: str) -> float:
    if not is_number(value) or not 0.1 <= float(value) <= 2:
        raise ModelError(
            f"{name} is {shown(value)}; give the fraction of the resized image that the crop keeps, from 0.1 to 2, "
            "such as 0.9."
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


NO_OPTIONS = Options()

_OPTION = re.compile(
    rf"(?<=\s)({'|'.join(field.name for field in fields(Options))})"
    r"=('[^']*'|\{[^}]*\}|[0-9.]*[0-9])?(?=[\s,.;]|$)"
)


def rewrite_options(advice: str, write: Callable[[str, str], str]) -> str:
    """Replace options in Python syntax, such as `num_heads=6`, by another notation.

    Args:
        advice: sentence with options in Python syntax.
        write: function that formats an option from its name and its value ("" if the sentence gives none).
    """
    return _OPTION.sub(lambda match: write(match[1], match[2] or ""), advice)
