"""Preprocessing of a checkpoint: settings from the caller and from its file, and defaults for the rest."""

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
from .options import PREPROCESSING_OPTIONS, Options

# timm's names of the options, in a pretrained configuration and in the arguments of its train.py.
_TIMM = {"mean": "mean", "std": "std", "interpolation": "interpolation", "crop_pct": "crop_pct", "fit": "crop_mode"}
_MAX_SIDE = 16_384


def preprocessing_of(
    checkpoint: Checkpoint,
    config: ViTConfig,
    layout: Layout | None,
    pretrained: Mapping[str, Any],
    architecture: str,
    options: Options,
) -> tuple[Preprocessing, list[str]]:
    """Determine the preprocessing of a checkpoint.

    Args:
        checkpoint: contents of the checkpoint and of the files that describe it.
        config: configuration of the model.
        layout: naming scheme of its weights.
        pretrained: timm's pretrained configuration of its architecture; empty if there is none.
        architecture: timm's name of the architecture, or "".
        options: options of the caller, which take precedence.

    Returns:
        The preprocessing; and notes on assumed and unused settings.

    Raises:
        ModelError: if a setting is not supported.
    """
    if checkpoint.preprocessor:
        return options.prepare(from_hugging_face(checkpoint.preprocessor), config.patch_size), []
    own = checkpoint.config.get("pretrained_cfg")
    own = own if isinstance(own, dict) else {}
    stated = {name for name, key in _TIMM.items() if own.get(key) is not None}
    base, source = _default(layout, {**pretrained, **own}, architecture)
    script, notes = _script_options(checkpoint.args)
    base = Options(**{name: value for name, value in script.items() if name not in stated}).prepare(
        base, config.patch_size
    )
    stated |= {*script, *options.given}
    if architecture and checkpoint.arch == architecture and not notes:
        # timm's train.py stores None for settings that are those of the architecture.
        stated |= {name for name, key in _TIMM.items() if key in checkpoint.args}
    assumed = [name for name in PREPROCESSING_OPTIONS if name not in stated]
    trained = script_size(checkpoint.args)
    if trained is not None and _is_other_size(trained, config):
        base = replace(base, size=trained)
    found = options.prepare(base, config.patch_size)
    how = "" if checkpoint.path else "set model.preprocessing"  # models in memory have no options
    return found, notes + assumption(source, assumed, [*PREPROCESSING_OPTIONS], found, how)


def script_size(args: Mapping[str, Any]) -> Size | None:
    """Input size in the arguments of a training script, in pixels; None if it is not given."""
    for name, value in ((name, args.get(name)) for name in ("img_size", "input_size", "image_size")):
        sides = value if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
        sides = sides[1:] if name == "input_size" and len(sides) == 3 else sides  # channels come first
        if len(sides) == 2 and all(is_whole(side) and 0 < side <= _MAX_SIDE for side in sides):
            height, width = map(int, sides)
            return height if height == width else (height, width)
    return None


def _is_other_size(size: Size, config: ViTConfig) -> bool:
    """Return whether the training size is valid and differs from `config.image_size`, as with `dynamic_img_size`."""
    height, width = size if isinstance(size, tuple) else (size, size)
    patches = math.prod((height // config.patch_size, width // config.patch_size))
    whole = height % config.patch_size == 0 == width % config.patch_size
    return whole and (height, width) != config.image_size and patches <= MANY_PATCHES


def _default(layout: Layout | None, pretrained: Mapping[str, Any], architecture: str) -> tuple[Preprocessing, str]:
    """Default preprocessing for the architecture or else for the layout of the weights; and the name of its source."""
    if pretrained:
        return from_timm_config(pretrained), f"timm's {architecture}" if architecture else "timm"
    if layout is None or layout.preprocessing == Preprocessing():
        return Preprocessing(), "ImageNet"
    return layout.preprocessing, layout.name


def _script_options(args: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Preprocessing options in the arguments of a training script; and a note on those that are not valid."""
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
        return found, [f"The training script's {' and '.join(wrong)} in the file is not valid and is left out."]
    return found, []
