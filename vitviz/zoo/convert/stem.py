"""The convolutional network that stands before the patches of a hybrid model."""

import copy

from torch import Tensor, nn

from .shape import embed_of


class Stem(nn.Module):
    """timm's own network and the projection after it: [batch, channel, H, W] to [batch, width, row, column]."""

    def __init__(self, backbone: nn.Module, proj: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.proj = proj

    def forward(self, pixels: Tensor) -> Tensor:
        """The features of each patch."""
        features = self.backbone(pixels)
        return self.proj(features[-1] if isinstance(features, list | tuple) else features)


def stem_of(model: nn.Module) -> Stem:
    """A copy of a hybrid model's stem."""
    embed = embed_of(model)
    return Stem(copy.deepcopy(embed.backbone), copy.deepcopy(embed.proj)).eval()
