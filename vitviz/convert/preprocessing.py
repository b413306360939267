"""How a model wants its pixels, as timm and Hugging Face write it down."""

import math
from collections.abc import Mapping
from typing import Any

from ..errors import ImageError, ModelError
from ..images import Preprocessing

_FITS = {"center": "crop", "squash": "squash", "border": "pad"}  # timm's crop_mode
_RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # Pillow's numbers


def from_timm_config(pretrained: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing of a pretrained configuration, with timm's defaults for what it does not say.

    Raises:
        ModelError: if it says something that cannot be done.
    """
    from timm.data import resolve_data_config

    said = resolve_data_config(pretrained_cfg=dict(pretrained))
    return _preprocessing(
        mean=tuple(said["mean"]),
        std=tuple(said["std"]),
        interpolation=said["interpolation"],
        crop_fraction=said["crop_pct"],
        fit=_FITS.get(said["crop_mode"], said["crop_mode"]),
    )


def from_hugging_face(said: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing of a `preprocessor_config.json`.

    Raises:
        ModelError: if it says something that cannot be done.
    """
    if not said.get("do_rescale", True) or abs(said.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-3:
        raise ModelError("preprocessor_config.json does not scale pixels from 0 to 1, which cannot be done here.")
    normalised = said.get("do_normalize", True)
    size, crop = said.get("size") or {}, said.get("crop_size") or {}
    short = size.get("shortest_edge") if isinstance(size, Mapping) else None
    cut = said.get("do_center_crop", False)
    side = crop.get("height", short) if isinstance(crop, Mapping) else crop
    whole = short or (size.get("height", side) if isinstance(size, Mapping) else size)
    resample = said.get("resample", 2)
    return _preprocessing(
        mean=tuple(said.get("image_mean", (0.5,) * 3)) if normalised else (0.0,) * 3,
        std=tuple(said.get("image_std", (0.5,) * 3)) if normalised else (1.0,) * 3,
        interpolation=_RESAMPLE[resample] if resample in range(6) else str(resample),
        crop_fraction=side / whole if cut and side and whole else 1.0,
        fit="crop" if short else "squash",
    )


def _preprocessing(*, mean: tuple, std: tuple, **said: Any) -> Preprocessing:
    colours = [value for value in (*mean, *std) if isinstance(value, float | int) and math.isfinite(value)]
    if len(colours) != 6 or len(mean) != 3 or min(std) <= 0:
        raise ModelError("The model's preprocessing cannot be done here: mean and std must be three numbers each.")
    try:
        return Preprocessing(mean, std, **said)
    except (ImageError, TypeError) as error:
        raise ModelError(f"The model's preprocessing cannot be done here: {error}") from error
