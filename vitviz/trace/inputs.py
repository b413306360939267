"""Conversion of images and tensors to the input of a model, and its default size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..errors import ImageError
from ..images import Prepared, Preprocessing, Size, normalise, prepare, read_image
from ..model.config import ViTConfig
from ..model.vit import ViT

MANY_PATCHES = 1024  # more are slow to explore, but allowed
MAX_PATCHES = 16_384  # of an image, where others than the owner of the machine choose the size, as in files

ImageSource = str | Path | bytes | Image.Image | Prepared | Tensor


@dataclass(frozen=True, eq=False)
class ModelInput:
    """Image that is ready for a model.

    Attributes:
        image: prepared image; None if a tensor was given.
        pixels: normalised input of the model, float32 [channel, H, W].
    """

    image: Prepared | None
    pixels: Tensor


def model_input(model: ViT, image: ImageSource | ModelInput, size: Size | None, fit: str | None) -> ModelInput:
    """Read, prepare and normalise an image for a model; an input that is ready is returned as it is.

    Raises:
        ImageError: if the image, the size or the fit is invalid.
    """
    if isinstance(image, ModelInput):
        return image
    if isinstance(image, Tensor):
        return ModelInput(None, checked_tensor(image))
    prepared = prepared_for(model, image, size, fit)
    return ModelInput(prepared, torch.from_numpy(normalise(prepared.pixels, model.preprocessing)))


def default_size(config: ViTConfig, preprocessing: Preprocessing | None = None) -> Size:
    """Return the default input size: the training size, or about 224 x 224 pixels if that has over 1024 patches.

    Args:
        config: configuration of the model.
        preprocessing: preprocessing of the model; its `size`, if set (`load(size=)`), takes precedence.

    Returns:
        Side of a square, or (height, width) for a model that was not trained on squares; in pixels.
    """
    if preprocessing is not None and preprocessing.size is not None:
        return preprocessing.size
    rows, columns = config.grid
    if rows * columns > MANY_PATCHES:
        usual = math.ceil(224 / config.patch_size)
        shrink = min(1.0, usual / math.sqrt(rows * columns))
        rows, columns = (max(1, round(side * shrink)) for side in (rows, columns))
    return config.patch_size * rows if rows == columns else (config.patch_size * rows, config.patch_size * columns)


def prepared_for(model: ViT, image: ImageSource, size: Size | None, fit: str | None) -> Prepared:
    """Prepare an image for a model; an image that is already prepared is checked.

    Raises:
        ImageError: if the image, the size or the fit is invalid.
    """
    if isinstance(image, Prepared):
        if image.geometry.patch != model.config.patch_size:
            raise ImageError(
                f"The image was prepared for patches of {image.geometry.patch} pixels, but this model has patches of "
                f"{model.config.patch_size}; prepare it for this model."
            )
        if image.pixels.shape[-1] != model.config.in_chans:
            raise ImageError(
                f"The image was prepared with {image.pixels.shape[-1]} channels, but this model has "
                f"{model.config.in_chans}; prepare it with this model's preprocessing."
            )
        return image
    size = default_size(model.config, model.preprocessing) if size is None else size
    fit = model.preprocessing.fit if fit is None else fit
    return prepare(read_image(image), size, model.config.patch_size, fit, model.preprocessing)


def checked_tensor(image: Tensor) -> Tensor:
    """Copy a normalised image [channel, H, W] to float32 on the CPU, without gradients.

    Raises:
        ImageError: if it is not a dense float tensor of this shape, or not finite.
    """
    if image.is_meta or image.layout is not torch.strided:
        raise ImageError("The tensor is on the meta device or sparse; give a dense one with values.")
    if image.ndim != 3 or not image.is_floating_point():
        raise ImageError(
            f"A tensor must be a normalised float image [channels, height, width], not "
            f"{str(image.dtype).removeprefix('torch.')} {list(image.shape)}."
        )
    own = image.detach().cpu().float().clone()  # not an inference tensor
    if not torch.isfinite(own).all():
        raise ImageError("The tensor has values that are not finite in float32; normalise the image first.")
    return own
