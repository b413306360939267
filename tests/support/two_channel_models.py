"""Models of two channels whose every number can be computed by hand."""

import torch

import vitviz

TINY = {
    "patch_size": 1,
    "in_chans": 1,
    "embed_dim": 2,
    "num_heads": 1,
    "head_dim": 2,
    "mlp_dim": 1,
    "position_embedding": False,
    "norm_eps": 0.0,
    "final_norm": False,
    "num_classes": 2,
}


def tiny_model(columns, **changes):
    """A patch becomes (pixel, 0); attention is uniform, the MLP does nothing, and the logits are the two channels.

    Queries and keys are zero, so each of n tokens gets a weight of 1 / n, and v is the normed token.
    """
    model = vitviz.VisionTransformer(vitviz.ViTConfig(image_size=(1, columns), **(TINY | changes)), "tiny")
    for name, parameter in model.named_parameters():
        parameter.data = torch.ones_like(parameter) if "norm" in name or "ls" in name else torch.zeros_like(parameter)
        if "norm" in name and name.endswith("bias"):
            parameter.data.zero_()
    model.patch_embed.proj.weight.data[0] = 1
    for block in model.blocks:
        block.attn.qkv.weight.data[4:] = torch.eye(2)
        block.attn.proj.weight.data = torch.eye(2)
    model.head.weight.data = torch.eye(2)
    return model.requires_grad_(False)


def tiny_trace(model, *pixels):
    """Trace one row of pixels."""
    return model.trace(torch.tensor(pixels, dtype=torch.float32)[None, None])
