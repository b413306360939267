"""Convolutional stem of a hybrid model."""

import copy

from torch import Tensor, nn

from .shape import embed_of


class Stem(nn.Module):
    """timm's backbone and the projection after it: [batch, channel, H, W] to [batch, embed_dim, row, column]."""

    def __init__(self, backbone: nn.Module, proj: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.proj = proj

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the feature map."""
        features = self.backbone(pixels)
        return self.proj(features[-1] if isinstance(features, list | tuple) else features)


def stem_of(model: nn.Module) -> Stem:
    """Copy the stem of a hybrid model."""
    embed = embed_of(model)
    return Stem(copy.deepcopy(embed.backbone), copy.deepcopy(embed.proj)).eval()
