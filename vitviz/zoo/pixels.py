"""Preparation of a checkpoint's pixels: what its file tells, what a caller says, and the usual for the rest."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ModelError
from ..errors.arguments import is_whole
from ..images import Preprocessing, Size
from ..model.config import ViTConfig
from ..trace.inputs import MANY_PATCHES
from .checkpoint import Checkpoint
from .convert.preprocessing import FITS_OF_TIMM, assumption, from_hugging_face, from_timm_config
from .layouts import Layout
from .options import OF_PIXELS, Options

# timm's names in a pretrained configuration and in the arguments of its train.py, by the names of the options.
_TIMM = {"mean": "mean", "std": "std", "interpolation": "interpolation", "crop_pct": "crop_pct", "fit": "crop_mode"}
_LARGEST_SIDE = 16_384


def preprocessing_of(
    checkpoint: Checkpoint,
    config: ViTConfig,
    layout: Layout | None,
    pretrained: Mapping[str, Any],
    architecture: str,
    options: Options,
) -> tuple[Preprocessing, list[str]]:
    """Determine how pixels become the input of a checkpoint's model.

    Args:
        checkpoint: its file, with what stands beside it.
        config: shape of the model.
        layout: how its weights are named.
        pretrained: pretrained configuration of its architecture in timm; empty if it has none.
        architecture: timm's name of the architecture, or "".
        options: what a caller says, which wins.

    Returns:
        The preprocessing; and sentences on what of it was assumed, or not used.

    Raises:
        ModelError: if the file or the caller says something that cannot be done.
    """
    if checkpoint.preprocessor:
        return options.prepare(from_hugging_face(checkpoint.preprocessor), config.patch_size), []
    own = checkpoint.config.get("pretrained_cfg")
    own = own if isinstance(own, dict) else {}
    told = {name for name, key in _TIMM.items() if own.get(key) is not None}
    base, source = _usual(layout, {**pretrained, **own}, architecture)
    script, notes = _of_script(checkpoint.args)
    base = Options(**{name: value for name, value in script.items() if name not in told}).prepare(
        base, config.patch_size
    )
    told |= {*script, *options.given}
    if architecture and checkpoint.arch == architecture and not notes:
        # timm's own script writes down what differs from the architecture's, and None for what does not.
        told |= {name for name, key in _TIMM.items() if key in checkpoint.args}
    assumed = [name for name in OF_PIXELS if name not in told]
    trained = size_of_script(checkpoint.args)
    if trained is not None and _is_other_size(trained, config):
        base = replace(base, size=trained)
    found = options.prepare(base, config.patch_size)
    how = "" if checkpoint.path else "set model.preprocessing"  # weights in memory come without options
    return found, notes + assumption(source, assumed, [*OF_PIXELS], found, how)


def size_of_script(args: Mapping[str, Any]) -> Size | None:
    """Input size that the arguments of a training script give, in pixels; None if they do not."""
    for name, value in ((name, args.get(name)) for name in ("img_size", "input_size", "image_size")):
        sides = value if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
        sides = sides[1:] if name == "input_size" and len(sides) == 3 else sides  # channels come first
        if len(sides) == 2 and all(is_whole(side) and 0 < side <= _LARGEST_SIDE for side in sides):
            height, width = map(int, sides)
            return height if height == width else (height, width)
    return None


def _is_other_size(size: Size, config: ViTConfig) -> bool:
    """Return whether a model with positions of one grid was trained on this one, for example by `dynamic_img_size`."""
    height, width = size if isinstance(size, tuple) else (size, size)
    patches = math.prod((height // config.patch_size, width // config.patch_size))
    whole = height % config.patch_size == 0 == width % config.patch_size
    return whole and (height, width) != config.image_size and patches <= MANY_PATCHES


def _usual(layout: Layout | None, pretrained: Mapping[str, Any], architecture: str) -> tuple[Preprocessing, str]:
    """The preprocessing if no more is known than the architecture, or how weights are named; and whose it is."""
    if pretrained:
        return from_timm_config(pretrained), f"timm's {architecture}" if architecture else "timm"
    if layout is None or layout.preprocessing == Preprocessing():
        return Preprocessing(), "ImageNet"
    return layout.preprocessing, layout.name


def _of_script(args: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Options of pixels among the arguments of a training script; and a sentence on those that make no sense."""
    found, wrong = {}, []
    for name, key in _TIMM.items():
        value = args.get(key)
        if value is None or (isinstance(value, str | list | tuple) and not value):
            continue
        value = FITS_OF_TIMM.get(value, value) if isinstance(value, str) else value
        try:
            found |= {name: Options(**{name: value}).given[name]}
        except ModelError:
            wrong.append(key)
    if wrong:
        return found, [f"The training script's {' and '.join(wrong)} in the file cannot be used here and is left out."]
    return found, []
