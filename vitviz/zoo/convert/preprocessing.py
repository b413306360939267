"""Read preprocessing settings in the formats of timm and Hugging Face."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ImageError, ModelError
from ...errors.arguments import shown
from ...images import Preprocessing
from ...notation.marks import join_words

FITS_OF_TIMM = {"center": "crop", "squash": "squash", "border": "pad"}  # timm's crop_mode
_RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # Pillow's numbers


def from_timm_config(pretrained: Mapping[str, Any]) -> Preprocessing:
    """Read the preprocessing of a pretrained configuration, with timm's defaults for missing settings.

    Raises:
        ModelError: if a setting is not supported.
    """
    from timm.data import resolve_data_config

    settings = resolve_data_config(pretrained_cfg=dict(pretrained))
    return _preprocessing(
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
        interpolation=settings["interpolation"],
        crop_fraction=settings["crop_pct"],
        fit=FITS_OF_TIMM.get(settings["crop_mode"], settings["crop_mode"]),
    )


def from_hugging_face(settings: Mapping[str, Any]) -> Preprocessing:
    """Read the preprocessing of a `preprocessor_config.json`.

    Raises:
        ModelError: if a setting is not supported.
    """
    if not settings.get("do_rescale", True) or abs(settings.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-3:
        raise ModelError("preprocessor_config.json does not scale pixels to 0 to 1, which is not supported.")
    normalised = settings.get("do_normalize", True)
    size, crop = _sides(settings.get("size")), _sides(settings.get("crop_size"))
    keeps_ratio = isinstance(settings.get("size"), Mapping) and "shortest_edge" in settings["size"]
    fraction = 1.0
    if settings.get("do_center_crop", False) and size:
        crop = crop or size
        fractions = {round(cut / side, 9) for cut, side in zip(crop, size, strict=True)}
        if len(fractions) > 1 and not keeps_ratio:
            raise ModelError("preprocessor_config.json crops to another aspect ratio, which is not supported.")
        fraction = min(crop) / min(size)
    resample = settings.get("resample", 2)
    return _preprocessing(
        mean=_means(settings.get("image_mean", (0.5,) * 3)) if normalised else (0.0,) * 3,
        std=_each(settings.get("image_std", (0.5,) * 3)) if normalised else (1.0,) * 3,
        interpolation=_RESAMPLE[resample] if resample in range(6) else str(resample),
        crop_fraction=fraction,
        fit="crop" if keeps_ratio else "squash",
        centre="floor",
    )


def assumption(
    source: str, assumed: Sequence[str], options: Sequence[str], preprocessing: Preprocessing, how: str = ""
) -> list[str]:
    """Note on the assumed settings of a preprocessing; [] if nothing was assumed.

    Args:
        source: source of the assumed settings, such as `"ImageNet"`.
        assumed: names of the assumed options.
        options: names of all options.
        preprocessing: resulting preprocessing, with the values of the assumed options.
        how: advice on changing them; by default, to pass these options.
    """
    if not assumed:
        return []
    what = source if len(assumed) == len(options) else f"{join_words(assumed, 'and')} of {source}"
    values = ", ".join(_format(name, preprocessing) for name in assumed)
    how = how or f"pass {join_words([f'{name}=' for name in assumed], 'or')}"
    return [f"Preprocessing assumed: {what} ({values}); if training differed, {how}."]


def _format(option: str, preprocessing: Preprocessing) -> str:
    """Format a preprocessing option with its value, such as `"mean 0.5"`."""
    value = getattr(preprocessing, "crop_fraction" if option == "crop_pct" else option)
    if isinstance(value, str):
        return value
    numbers = value if isinstance(value, tuple) else (value,)
    return f"{option} {' '.join(f'{number:.4g}' for number in (numbers if len(set(numbers)) > 1 else numbers[:1]))}"


def _each(value: Any) -> tuple:
    """One value per channel; in transformers a single number may apply to all channels."""
    return (value,) * 3 if isinstance(value, int | float) else tuple(value)


def _means(mean: Any) -> tuple:
    values = _each(mean)
    if any(isinstance(value, int | float) and abs(value) > 1 for value in values):
        listed = ", ".join(map(shown, values[:4]))
        raise ModelError(f"preprocessor_config.json has the mean {listed}, which is not valid for pixels from 0 to 1.")
    return values


def _sides(size: Any) -> tuple[float, float] | None:
    """Height and width from a number, a pair or a dictionary of transformers; for "shortest_edge", its value twice."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge") or (size.get("height"), size.get("width", size.get("height")))
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    return sides if len(sides) == 2 and all(isinstance(side, int | float) and side > 0 for side in sides) else None


def _preprocessing(*, mean: tuple, std: tuple, **settings: Any) -> Preprocessing:
    colours = [value for value in (*mean, *std) if isinstance(value, float | int) and math.isfinite(value)]
    if not mean or len(mean) != len(std) or len(colours) != 2 * len(mean) or min(std) <= 0:
        raise ModelError(
            "The model's preprocessing is not supported: mean and std must be finite numbers, one per channel, and std "
            "must be above 0."
        )
    try:
        return Preprocessing(mean, std, **settings)
    except (ImageError, TypeError) as error:
        raise ModelError(f"The model's preprocessing is not supported: {error}") from error
