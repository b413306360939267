"""The shipped weights in the layouts of transformers and torchvision, converted from timm's."""

import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch import Tensor, nn
from torchvision.models import VisionTransformer as TorchvisionViT

PARTS = ("weight", "bias")


def as_transformers(model: TimmViT) -> nn.Module:
    """Return transformers' `Dinov2Model` with the weights of a timm model with LayerScale, for the same input size."""
    from transformers import Dinov2Config, Dinov2Model

    block = model.blocks[0]
    config = Dinov2Config(
        hidden_size=model.embed_dim,
        num_hidden_layers=len(model.blocks),
        num_attention_heads=block.attn.num_heads,
        mlp_ratio=block.mlp.fc1.out_features // model.embed_dim,
        image_size=model.patch_embed.img_size[0],
        patch_size=model.patch_embed.patch_size[0],
        layer_norm_eps=block.norm1.eps,
        attn_implementation="eager",  # the only one that returns attention weights
    )
    theirs = Dinov2Model(config).eval()
    weights = model.state_dict()
    converted = {
        "embeddings.cls_token": weights["cls_token"],
        "embeddings.mask_token": torch.zeros(1, model.embed_dim),  # for pretraining only
        "embeddings.position_embeddings": weights["pos_embed"],
    }
    converted |= _renamed(weights, "patch_embed.proj", "embeddings.patch_embeddings.projection")
    converted |= _renamed(weights, "norm", "layernorm")
    for i in range(len(model.blocks)):
        timms, own = f"blocks.{i}", f"encoder.layer.{i}"
        for part in PARTS:
            for name, value in zip("qkv", weights[f"{timms}.attn.qkv.{part}"].chunk(3), strict=True):
                converted[f"{own}.attention.{name}_proj.{part}"] = value
        converted |= _renamed(weights, f"{timms}.attn.proj", f"{own}.attention.o_proj")
        for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
            converted |= _renamed(weights, f"{timms}.{name}", f"{own}.{name}")
        for number in (1, 2):
            converted[f"{own}.layer_scale{number}.lambda1"] = weights[f"{timms}.ls{number}.gamma"]
    theirs.load_state_dict(converted)
    return theirs


def as_torchvision(model: TimmViT, head: Tensor) -> TorchvisionViT:
    """Return torchvision's `VisionTransformer` with the weights of a timm model, for the same input size.

    torchvision has no LayerScale: it is multiplied into the linear layer before it, which computes the same.

    Args:
        model: timm's model.
        head: weights of a linear head without bias, [output, D].
    """
    block = model.blocks[0]
    theirs = TorchvisionViT(
        image_size=model.patch_embed.img_size[0],
        patch_size=model.patch_embed.patch_size[0],
        num_layers=len(model.blocks),
        num_heads=block.attn.num_heads,
        hidden_dim=model.embed_dim,
        mlp_dim=block.mlp.fc1.out_features,
        num_classes=len(head),
    ).eval()
    weights = model.state_dict()
    converted = {
        "class_token": weights["cls_token"],
        "encoder.pos_embedding": weights["pos_embed"],
        "heads.head.weight": head,
        "heads.head.bias": torch.zeros(len(head)),
    }
    converted |= _renamed(weights, "patch_embed.proj", "conv_proj") | _renamed(weights, "norm", "encoder.ln")
    for i in range(len(model.blocks)):
        timms, own = f"blocks.{i}", f"encoder.layers.encoder_layer_{i}"
        converted |= _renamed(weights, f"{timms}.norm1", f"{own}.ln_1")
        converted |= _renamed(weights, f"{timms}.norm2", f"{own}.ln_2")
        converted |= _renamed(weights, f"{timms}.mlp.fc1", f"{own}.mlp.0")
        for part in PARTS:
            converted[f"{own}.self_attention.in_proj_{part}"] = weights[f"{timms}.attn.qkv.{part}"]
        for name, scale, target in (("attn.proj", "ls1", "self_attention.out_proj"), ("mlp.fc2", "ls2", "mlp.3")):
            gamma = weights[f"{timms}.{scale}.gamma"]
            converted[f"{own}.{target}.weight"] = gamma[:, None] * weights[f"{timms}.{name}.weight"]
            converted[f"{own}.{target}.bias"] = gamma * weights[f"{timms}.{name}.bias"]
    theirs.load_state_dict(converted)
    return theirs


def _renamed(weights: dict[str, Tensor], name: str, to: str) -> dict[str, Tensor]:
    return {f"{to}.{part}": weights[f"{name}.{part}"] for part in PARTS}
