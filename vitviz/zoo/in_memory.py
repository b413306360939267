"""Models of other frameworks than timm that are in memory, through the names of their weights."""

import torch
from torch import nn

from ..errors import ModelError
from ..model.vit import VisionTransformer
from .convert.frameworks import Foreign, read_foreign
from .restore import restored_from_memory

_WITHIN = 1e-3  # of the largest number of the output; other arithmetic differs by 1e-6


def from_framework(model: nn.Module) -> VisionTransformer:
    """Turn a ViT of torchvision or transformers that is in memory into ours; see `vitviz.from_timm`.

    Raises:
        ModelError: if a part of it is not as its framework builds it, or cannot be represented exactly.
    """
    foreign = read_foreign(model)
    ours = restored_from_memory(foreign.name, foreign.weights, foreign.config)
    _refuse_other_numbers(ours, foreign)
    return ours


def _refuse_other_numbers(ours: VisionTransformer, foreign: Foreign) -> None:
    """Compare the two on one image of noise: versions of a framework may compute the same weights differently."""
    config = ours.config
    random = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, config.channels, *config.image_size, generator=random)
    with torch.no_grad():
        found, expected = ours(pixels), foreign.output(pixels)
    same = found.shape == expected.shape and torch.allclose(
        found, expected, rtol=0, atol=_WITHIN * max(1e-6, float(expected.abs().max()))
    )
    if not same:
        raise ModelError(
            f"{foreign.name!r} computes other numbers than its weights do here, so this version of its framework, or a "
            "setting of it, cannot be represented; build it with timm and use vitviz.from_timm."
        )
