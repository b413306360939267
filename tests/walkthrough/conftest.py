"""Model and image that can be computed by hand on paper."""

import pytest
import torch

import vitviz

TWO = vitviz.ViTConfig(
    image_size=(4, 4), patch_size=2, embed_dim=2, depth=1, num_heads=1, head_dim=2, mlp_dim=2, num_classes=0, in_chans=1
)


@pytest.fixture(scope="module")
def paper():
    """Return a trace of a grey image, 2 x 2 patches of 2 x 2 pixels, two channels, and simple weights."""
    model = vitviz.VisionTransformer(TWO, "paper").requires_grad_(False)
    model.patch_embed.proj.weight.copy_(torch.tensor([[[[1.0, 2], [3, 4]]], [[[0.0, 1], [0, -1]]]]))
    model.patch_embed.proj.bias.copy_(torch.tensor([10.0, 20]))
    model.cls_token.copy_(torch.tensor([[[5.0, 6]]]))
    model.pos_embed.copy_(torch.tensor([[[0.0, 0], [1, 0], [0, 1], [1, 1], [-1, 0]]]))
    return model.trace(torch.arange(16.0).reshape(1, 4, 4))
