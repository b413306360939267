"""Parts of a model that are saved with a trace: the few weights that attention needs, and a fingerprint."""

import json
from dataclasses import asdict, replace
from hashlib import sha256

import torch
from torch import Tensor

from ..model.config import ViTConfig
from ..model.vit import ViT


def saved_weights(model: ViT) -> dict[str, Tensor]:
    """Return the weights of a model that a `ModelStub` needs, by name."""
    names = ("attn.relative.table", "attn.lam", "attn_pool.q")
    return {name: value for name, value in model.state_dict().items() if name.endswith(names)}


def saved_weight_shapes(config: ViTConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of `saved_weights` for a model of this configuration."""
    shapes: dict[str, tuple[int, ...]] = {}
    rows, columns = config.grid
    for layer in range(config.depth):
        if config.relative_position_bias:
            offsets = (2 * rows - 1) * (2 * columns - 1) + 3
            shapes[f"blocks.{layer}.attn.relative.table"] = (offsets, config.num_heads)
        if config.differential:
            shapes[f"blocks.{layer}.attn.lam"] = ()
    if config.pooling == "attention":
        shapes["attn_pool.q"] = (config.pool_num_heads, config.embed_dim // config.pool_num_heads)
    return shapes


def fingerprint(model: ViT) -> str:
    """Compute a hexadecimal digest of a model's configuration, weights and preprocessing."""
    if hasattr(model, "fingerprint"):  # a `ModelStub`
        return model.fingerprint
    preprocessing = replace(model.preprocessing, size=None)  # the default size does not affect what the model computes
    digest = sha256(json.dumps([asdict(model.config), asdict(preprocessing)], sort_keys=True).encode())
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
