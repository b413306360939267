"""From what a caller gives to what a model takes: the size where none is asked for, images and tensors."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..errors import ImageError
from ..images import Prepared, Preprocessing, Size, prepare, read_image
from ..model.config import ViTConfig
from ..model.vit import ViT

MANY_PATCHES = 1024  # more are slow to look at; nothing forbids them

ImageSource = str | Path | bytes | Image.Image | Prepared | Tensor


def default_size(config: ViTConfig, preprocessing: Preprocessing | None = None) -> Size:
    """The input size if none is asked for: the trained one, or about 224 pixels square if that has over 1024 patches.

    Args:
        config: shape of a model.
        preprocessing: its preprocessing; a size that is given with it (`load(size=)`) is the default instead.

    Returns:
        The side of a square, or (height, width) of a model that was not trained on squares; pixels.
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
    """An image as this model sees it; one that is prepared already is checked.

    Raises:
        ImageError: if the image, the size or the fit cannot be used.
    """
    if isinstance(image, Prepared):
        if image.geometry.patch != model.config.patch_size:
            raise ImageError(
                f"The image was prepared for patches of {image.geometry.patch} pixels; this model's have "
                f"{model.config.patch_size}."
            )
        if image.pixels.shape[-1] != model.config.in_chans:
            raise ImageError(
                f"The image was prepared with {image.pixels.shape[-1]} channels, and this model has "
                f"{model.config.in_chans}; prepare it with this model's preprocessing."
            )
        return image
    size = default_size(model.config, model.preprocessing) if size is None else size
    fit = model.preprocessing.fit if fit is None else fit
    return prepare(read_image(image), size, model.config.patch_size, fit, model.preprocessing)


def checked_tensor(image: Tensor) -> Tensor:
    """A copy of a normalised image [channel, H, W] as float32 on the CPU, without gradients.

    Raises:
        ImageError: if it is something else.
    """
    if image.is_meta or image.layout is not torch.strided:
        raise ImageError("The tensor holds no plain numbers (it is on the meta device, or sparse); give a dense one.")
    if image.ndim != 3 or not image.is_floating_point():
        raise ImageError(
            f"A tensor has to be a normalised float image [channels, height, width]; this one is "
            f"{str(image.dtype).removeprefix('torch.')} {list(image.shape)}."
        )
    own = image.detach().cpu().float().clone()  # an ordinary tensor, also if the caller's is of inference_mode
    if not torch.isfinite(own).all():
        raise ImageError("The tensor has values that are not finite in float32; normalise the image first.")
    return own
