"""How a model wants its pixels, as timm and Hugging Face write it down."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ImageError, ModelError
from ...images import Preprocessing
from ...notation.marks import join_words

FITS_OF_TIMM = {"center": "crop", "squash": "squash", "border": "pad"}  # timm's crop_mode
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
        fit=FITS_OF_TIMM.get(said["crop_mode"], said["crop_mode"]),
    )


def from_hugging_face(said: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing of a `preprocessor_config.json`.

    Raises:
        ModelError: if it says something that cannot be done.
    """
    if not said.get("do_rescale", True) or abs(said.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-3:
        raise ModelError("preprocessor_config.json does not scale pixels from 0 to 1, which cannot be done here.")
    normalised = said.get("do_normalize", True)
    size, crop = _sides(said.get("size")), _sides(said.get("crop_size"))
    keeps_ratio = isinstance(said.get("size"), Mapping) and "shortest_edge" in said["size"]
    fraction = 1.0
    if said.get("do_center_crop", False) and size:
        crop = crop or size
        fractions = {round(cut / side, 9) for cut, side in zip(crop, size, strict=True)}
        if len(fractions) > 1 and not keeps_ratio:
            raise ModelError("preprocessor_config.json cuts out another aspect ratio, which cannot be done here.")
        fraction = min(crop) / min(size)
    resample = said.get("resample", 2)
    return _preprocessing(
        mean=_means(said.get("image_mean", (0.5,) * 3)) if normalised else (0.0,) * 3,
        std=_each(said.get("image_std", (0.5,) * 3)) if normalised else (1.0,) * 3,
        interpolation=_RESAMPLE[resample] if resample in range(6) else str(resample),
        crop_fraction=fraction,
        fit="crop" if keeps_ratio else "squash",
        centre="floor",
    )


def assumption(
    source: str, assumed: Sequence[str], options: Sequence[str], preprocessing: Preprocessing, how: str = ""
) -> list[str]:
    """Sentence on what was assumed of a preprocessing; none if nothing was.

    Args:
        source: where the assumed is from, such as `"ImageNet"`.
        assumed: names of the options that were assumed.
        options: names of all.
        preprocessing: what came of it, for the values of the assumed.
        how: how to give others; by default by these options.
    """
    if not assumed:
        return []
    what = source if len(assumed) == len(options) else f"{join_words(assumed, 'and')} of {source}"
    values = ", ".join(_in_words(name, preprocessing) for name in assumed)
    how = how or f"pass {join_words([f'{name}=' for name in assumed], 'or')}"
    return [f"Preprocessing assumed: {what} ({values}); if training differed, {how}."]


def _in_words(option: str, preprocessing: Preprocessing) -> str:
    """An option of the pixels with its value, such as `"mean 0.5"`."""
    value = getattr(preprocessing, "crop_fraction" if option == "crop_pct" else option)
    if isinstance(value, str):
        return value
    numbers = value if isinstance(value, tuple) else (value,)
    return f"{option} {' '.join(f'{number:.4g}' for number in (numbers if len(set(numbers)) > 1 else numbers[:1]))}"


def _each(said: Any) -> tuple:
    """One value for each channel; transformers lets a single number hold for all."""
    return (said,) * 3 if isinstance(said, int | float) else tuple(said)


def _means(said: Any) -> tuple:
    values = _each(said)
    if any(isinstance(value, int | float) and abs(value) > 1 for value in values):
        raise ModelError(f"preprocessor_config.json has the mean {said}, which makes no sense for pixels from 0 to 1.")
    return values


def _sides(size: Any) -> tuple[float, float] | None:
    """Height and width, of a number, a pair or one of transformers' dictionaries; the shortest edge twice."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge") or (size.get("height"), size.get("width", size.get("height")))
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    return sides if len(sides) == 2 and all(isinstance(side, int | float) and side > 0 for side in sides) else None


def _preprocessing(*, mean: tuple, std: tuple, **said: Any) -> Preprocessing:
    colours = [value for value in (*mean, *std) if isinstance(value, float | int) and math.isfinite(value)]
    if not mean or len(mean) != len(std) or len(colours) != 2 * len(mean) or min(std) <= 0:
        raise ModelError(
            "The model's preprocessing cannot be done here: mean and std must be three numbers each, or one for each "
            "channel."
        )
    try:
        return Preprocessing(mean, std, **said)
    except (ImageError, TypeError) as error:
        raise ModelError(f"The model's preprocessing cannot be done here: {error}") from error
