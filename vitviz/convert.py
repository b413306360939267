"""A timm model -> our `VisionTransformer` with the same weights; or a refusal that names the part that differs.

Differences that are only storage are removed here, so that the forward pass does not know them. timm itself is not
imported: whoever has a timm model has imported it.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .errors import ModelError
from .images import Preprocessing
from .model import VisionTransformer, ViTConfig


def from_timm(model: nn.Module) -> VisionTransformer:
    """Turn a timm model that is already in memory into ours. The original is left untouched; weights are copied.

    Args:
        model: a `timm.models.VisionTransformer`, for example from a training run.

    Returns:
        A model that computes the same numbers, in evaluation mode, float32, on the CPU.

    Raises:
        ModelError: if the model has a part that cannot be represented exactly; the message names it.
    """
    config = config_of(model)
    weights = {name: value.detach().cpu().float().clone() for name, value in model.state_dict().items()}
    return build(config, with_all_parts(weights, config), name=name_of(model), preprocessing=preprocessing_of(model))


def build(
    config: ViTConfig, weights: Mapping[str, Tensor], *, name: str, preprocessing: Preprocessing
) -> VisionTransformer:
    """Make a model of these weights, which it keeps without copying.

    Raises:
        ModelError: if a key is missing or left over, or a shape differs from the configuration's.
    """
    with torch.device("meta"):  # shapes only: the parameters are about to be replaced
        model = VisionTransformer(config, name, preprocessing)
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    problems = (
        [f"{key} is missing" for key in wanted if key not in found]
        + [f"{key} is not expected" for key in found if key not in wanted]
        + [f"{key} is {found[key]}, not {wanted[key]}" for key in wanted if found.get(key, wanted[key]) != wanted[key]]
    )
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise ModelError(f"These are not the weights of {name!r}: {'; '.join(problems[:5])}{more}.")
    model.load_state_dict(weights, assign=True)
    return model.requires_grad_(False)


def config_of(model: nn.Module) -> ViTConfig:
    """The configuration of a timm `VisionTransformer`.

    Raises:
        ModelError: if it has a part that the forward pass of `VisionTransformer` does not compute.
    """
    if type(model).__name__ != "VisionTransformer" or not type(model).__module__.startswith("timm."):
        raise ModelError(f"{type(model).__name__} is not timm's VisionTransformer, so this model cannot be converted.")
    _refuse_other_parts(model)
    block, patch = model.blocks[0], model.patch_embed
    return ViTConfig(
        image_size=tuple(patch.img_size),
        patch=patch.patch_size[0],
        channels=patch.proj.in_channels,
        width=model.embed_dim,
        depth=len(model.blocks),
        heads=block.attn.num_heads,
        head_width=block.attn.head_dim,
        mlp_width=block.mlp.fc1.out_features,
        classes=model.num_classes,
        class_token=model.cls_token is not None,
        registers=model.num_reg_tokens,
        qkv_bias=block.attn.qkv.bias is not None,
        norm_eps=block.norm1.eps,
    )


def name_of(model: nn.Module) -> str:
    """What a timm model is called: its architecture."""
    return _pretrained(model).get("architecture") or type(model).__name__


def preprocessing_of(model: nn.Module) -> Preprocessing:
    """How a timm model wants its pixels, from its pretrained configuration; ImageNet's if it says nothing."""
    keys = {"mean": "mean", "std": "std", "interpolation": "interpolation", "crop_pct": "crop_fraction"}
    said = _pretrained(model)
    return Preprocessing(**{ours: said[theirs] for theirs, ours in keys.items() if said.get(theirs) is not None})


def with_all_parts(weights: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Fill in the parts that timm leaves out where they would change nothing: LayerScale and prefix positions."""
    weights = dict(weights)
    for layer in range(config.depth):
        for scale in ("ls1", "ls2"):
            weights.setdefault(f"blocks.{layer}.{scale}.gamma", torch.ones(config.width))
    positions = weights["pos_embed"]
    if positions.shape[1] == config.grid[0] * config.grid[1]:  # timm's no_embed_class
        weights["pos_embed"] = torch.cat([torch.zeros(1, config.prefix, config.width), positions], dim=1)
    return weights


def _pretrained(model: nn.Module) -> dict:
    return dict(getattr(model, "pretrained_cfg", None) or {})


def _refuse_other_parts(model: nn.Module) -> None:
    if model.global_pool != "token":
        raise ModelError(f"global_pool is {model.global_pool!r}; only 'token' can be represented exactly.")
    patch = model.patch_embed
    kinds = {
        "patch_embed": (patch, "PatchEmbed"),
        "patch_embed.proj": (_part(patch, "proj"), "Conv2d"),
        "patch_embed.norm": (_part(patch, "norm"), "Identity"),
        "norm_pre": (model.norm_pre, "Identity"),
        "norm": (model.norm, "LayerNorm"),
        "fc_norm": (model.fc_norm, "Identity"),
        "attn_pool": (model.attn_pool, "NoneType"),
        "head": (model.head, "Linear" if model.num_classes else "Identity"),
    }
    for i, block in enumerate(model.blocks):
        kinds[f"blocks.{i}"] = (block, "Block")
        for name, kind in {
            "attn": "Attention",
            "attn.qkv": "Linear",
            "attn.proj": "Linear",
            "attn.q_norm": "Identity",
            "attn.k_norm": "Identity",
            "attn.norm": "Identity",
            "mlp": "Mlp",
            "mlp.fc1": "Linear",
            "mlp.fc2": "Linear",
            "mlp.act": "GELU",
            "mlp.norm": "Identity",
            "norm1": "LayerNorm",
            "norm2": "LayerNorm",
        }.items():
            kinds.setdefault(f"blocks.{i}.{name}", (_part(block, name), kind))
    for name, (part, kind) in kinds.items():
        absent = part is None and kind == "Identity"  # older versions of timm do not have every part
        if type(part).__name__ != kind and not absent:
            raise ModelError(f"{name} is {type(part).__name__}; only {kind} can be represented exactly.")
    first = model.blocks[0].attn
    norms = [model.norm, *(norm for block in model.blocks for norm in (block.norm1, block.norm2))]
    exact = {
        "pos_embed": model.pos_embed is not None,
        "patch_embed.patch_size": len(set(patch.patch_size)) == 1,
        "patch_embed.proj.bias": patch.proj.bias is not None,
        "norm.eps": len({norm.eps for norm in norms}) == 1,
        "blocks.0.attn.num_heads": all(block.attn.num_heads == first.num_heads for block in model.blocks),
        "blocks.0.attn.gate": all(getattr(block.attn, "gate", None) is None for block in model.blocks),
        "blocks.0.mlp.act": all(getattr(block.mlp.act, "approximate", "none") == "none" for block in model.blocks),
    }
    for name, holds in exact.items():
        if not holds:
            raise ModelError(f"{name} of this model differs from what can be represented exactly.")


def _part(module: nn.Module, path: str) -> object:
    part: object = module
    for name in path.split("."):
        part = getattr(part, name, None)
    return part
