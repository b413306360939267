"""Read the configuration of a timm model from its modules; refuse unknown modules by name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isclose

from torch import nn

from ...errors import ModelError
from ...model.config import Resampling, RoPE, ViTConfig
from .changes import class_of, difference_from, kind_of
from .frameworks import is_foreign

# Computation of each supported class, by its name.
_NORMS = {"LayerNorm": "layer", "LayerNormFp32": "layer", "RmsNorm": "rms", "RMSNorm": "rms"}
_ACTIVATIONS = {"GELU": "gelu", "GELUTanh": "gelu_tanh", "QuickGELU": "quick_gelu", "SiLU": "silu"}
_MLPS = {"Mlp": "plain", "GluMlp": "gated", "SwiGLU": "gated"}
_ATTENTIONS = ("Attention", "AttentionRope", "EvaAttention", "DiffAttention")
_BLOCKS = {
    "Block": "pre",
    "EvaBlock": "pre",
    "ParallelThingsBlock": "pre",
    "ResPostBlock": "post",
    "EvaBlockPostNorm": "post",
    "ParallelScalingBlock": "parallel",
    "DiffParallelScalingBlock": "parallel",
}
_POOLS = {"token": "token", "avg": "mean", "map": "attention"}
_MODELS = ("VisionTransformer", "VisionTransformerDistilled", "Beit", "Eva", "NaFlexVit")
_NOT_PLAIN = {
    "Swin": "its attention is restricted to windows and its patches are merged between stages",
    "Xcit": "its attention is between channels, not between patches",
    "MaxxVit": "its attention is restricted to windows and grids",
    "Cait": "its class token enters only in the last blocks, which are of another kind",
}
_HIERARCHICAL = "it is hierarchical, and its grid becomes smaller from stage to stage, while a plain ViT keeps its grid"


@dataclass(frozen=True)
class _Block:
    """Properties that must be the same in all blocks of a model."""

    block: str
    num_heads: int
    head_dim: int
    mlp_dim: int
    mlp: str
    mlp_norm: bool
    activation: str
    qk_norm: bool
    attention_norm: bool
    differential: bool
    relative_position_bias: bool


def config_of(model: nn.Module) -> ViTConfig:
    """Read the configuration of a timm model. No weights are read, so the model may be on the meta device.

    Raises:
        ModelError: if it has a part that is not supported by the forward pass of `VisionTransformer`.
    """
    refuse_other_models(model)
    embed = embed_of(model)
    tokens = embed if is_naflex(model) else model
    _require("blocks", len(model.blocks) > 0)
    blocks = [_read_block(f"blocks.{i}", block) for i, block in enumerate(model.blocks)]
    _refuse_mixed(blocks)
    norm, eps = _norm_of(model)
    _require("num_prefix_tokens", model.num_prefix_tokens == (tokens.cls_token is not None) + _num_registers(tokens))
    hybrid = kind_of(embed) == "HybridEmbed"
    patch = _patch_size(embed, hybrid)
    shape = asdict(blocks[0])
    shape["relative_position_bias"] = (
        shape["relative_position_bias"] or getattr(model, "rel_pos_bias", None) is not None
    )
    return ViTConfig(
        image_size=_image_size(embed, patch, hybrid),
        patch_size=patch,
        in_chans=_in_chans(model, patch),
        stem=hybrid,
        embed_dim=model.embed_dim,
        depth=len(blocks),
        **shape,
        num_classes=_num_classes(model),
        class_token=tokens.cls_token is not None,
        num_registers=_num_registers(tokens),
        position_embedding=any(getattr(tokens, name, None) is not None for name in ("pos_embed", "pos_embed_y")),
        resampling=_resampling(embed) if is_naflex(model) else Resampling(),
        rope=_rope(model),
        norm=norm,
        norm_eps=eps,
        patch_norm=_is_active(getattr(embed, "norm", None)),
        pre_norm=_is_active(getattr(model, "norm_pre", None)),
        final_norm=_is_active(model.norm),
        fc_norm=_is_active(model.fc_norm),
        **_pooling(model),
    )


def is_naflex(model: nn.Module) -> bool:
    """Return whether a model is timm's NaFlexVit, whose embedding holds the prefix tokens and position embedding."""
    return kind_of(model) == "NaFlexVit"


def embed_of(model: nn.Module) -> nn.Module:
    """Patch embedding of a timm model."""
    return model.embeds if is_naflex(model) else model.patch_embed


def refuse_other_models(model: nn.Module) -> None:
    """Raise a `ModelError` if a model is not of a supported timm class."""
    name = kind_of(model)
    if _is_plain(model):
        return
    known = next((why for start, why in _NOT_PLAIN.items() if name.startswith(start)), "")
    reason = f": {known or _HIERARCHICAL}" if known or _is_hierarchical(model) else ""
    inside = next(
        (place for place, part in model.named_modules() if place and (_is_plain(part) or is_foreign(part))), ""
    )
    difference, _, advice = difference_from(type(model)).partition("; ")
    if inside and not reason:
        advice = advice or f"pass the ViT inside it, model.{inside}"
    raise ModelError(
        f"{name}{difference}{',' if difference else ''} is not one of timm's plain Vision Transformers and cannot be "
        f"represented exactly{reason}{'; ' if advice else ''}{advice}."
    )


def _is_hierarchical(model: nn.Module) -> bool:
    """Return whether the stages of a timm model have grids of several sizes, according to its `feature_info`."""
    stages = getattr(model, "feature_info", None)
    stages = stages if isinstance(stages, list) else []
    return len({stage.get("reduction") for stage in stages if isinstance(stage, dict)}) > 1


def _is_plain(model: nn.Module) -> bool:
    return kind_of(model) in _MODELS and class_of(model).__module__.startswith("timm.")


def _kind(name: str, module: nn.Module | None, kinds: Mapping[str, str]) -> str:
    """Return the computation of a module; refuse the module by name if it is not known."""
    found = kind_of(module)
    if found not in kinds:
        raise ModelError(f"{name} is {found}; only {', '.join(kinds)} can be represented exactly.")
    return kinds[found]


def _require(name: str, condition: bool) -> None:
    if not condition:
        raise ModelError(f"{name} of this model differs from what can be represented exactly.")


def _in_chans(model: nn.Module, patch: int) -> int:
    """Number of input channels, from the patch projection; timm's attribute may be outdated."""
    proj = embed_of(model).proj
    if kind_of(embed_of(model)) == "HybridEmbed":
        return model.in_chans
    return proj.in_channels if kind_of(proj) == "Conv2d" else proj.in_features // patch**2


def _num_classes(model: nn.Module) -> int:
    """Number of outputs of the classifier, from its layer; timm's attribute may be outdated."""
    heads = ("head", "head_dist") if kind_of(model) == "VisionTransformerDistilled" else ("head",)
    for name in heads:
        _kind(name, getattr(model, name, None), {"Linear": "", "Identity": ""})
    outputs = {getattr(getattr(model, name), "out_features", 0) for name in heads}
    _require("head_dist", len(outputs) == 1)
    return outputs.pop()


def _is_active(module: nn.Module | None) -> bool:
    return module is not None and kind_of(module) != "Identity"


def _read_block(name: str, block: nn.Module) -> _Block:
    kind = kind_of(block)
    place = _kind(name, block, _BLOCKS)
    if place == "parallel":
        return _read_parallel(name, block, differential=kind == "DiffParallelScalingBlock")
    if kind == "ParallelThingsBlock":
        return _read_parallel_things(name, block)
    for norm in ("norm1", "norm2"):
        _kind(f"{name}.{norm}", getattr(block, norm), _NORMS)
    return _read_sublayers(name, place, block.attn, block.mlp)


def _read_sublayers(name: str, place: str, attn: nn.Module, mlp: nn.Module) -> _Block:
    kind = _kind(f"{name}.attn", attn, {attention: attention for attention in _ATTENTIONS})
    differential = kind == "DiffAttention"
    _kind(f"{name}.attn.proj", attn.proj, {"Linear": ""})
    head_dim = attn.proj.in_features // attn.num_heads
    query_dim = head_dim // 2 if differential else head_dim
    _require(f"{name}.attn.scale", isclose(attn.scale, query_dim**-0.5))
    _require(f"{name}.attn.gate", getattr(attn, "gate", None) is None)
    if getattr(attn, "qkv", None) is not None:
        _kind(f"{name}.attn.qkv", attn.qkv, {"Linear": ""})
    kind_of_mlp = _kind(f"{name}.mlp", mlp, _MLPS)
    if kind_of(mlp) == "GluMlp":
        _require(f"{name}.mlp.fc1", mlp.fc1.out_features == 2 * mlp.fc2.in_features)
    return _Block(
        block=place,
        num_heads=attn.num_heads,
        head_dim=head_dim,
        mlp_dim=mlp.fc2.in_features,
        mlp=kind_of_mlp,
        mlp_norm=_is_active(mlp.norm),
        activation=_activation(f"{name}.mlp.act", mlp.act),
        qk_norm=_is_active(getattr(attn, "q_norm", None)),
        attention_norm=_is_active(getattr(attn, "norm", None)),
        differential=differential,
        relative_position_bias=getattr(attn, "relative_position_bias_table", None) is not None,
    )


def _read_parallel(name: str, block: nn.Module, differential: bool) -> _Block:
    query_dim = block.head_dim
    _require(f"{name}.scale", isclose(block.scale, query_dim**-0.5))
    return _Block(
        block="parallel",
        num_heads=block.num_heads,
        head_dim=query_dim * (2 if differential else 1),
        mlp_dim=block.in_split[0],
        mlp="plain",
        mlp_norm=False,
        activation=_activation(f"{name}.mlp_act", block.mlp_act),
        qk_norm=_is_active(block.q_norm),
        attention_norm=False,
        differential=differential,
        relative_position_bias=False,
    )


def _read_parallel_things(name: str, block: nn.Module) -> _Block:
    """Read a block with several attentions as one with more heads, and its MLPs as one with a larger mlp_dim.

    This is exact because the outputs are summed.
    """
    count = len(block.attns)
    pairs = {
        _read_sublayers(f"{name}.attns", "pre", attn.attn, ffn.mlp)
        for attn, ffn in zip(block.attns, block.ffns, strict=True)
    }
    one = next(iter(pairs))
    _require(f"{name}.attns", len(pairs) == 1 and not one.qk_norm and not one.attention_norm and not one.differential)
    _require(f"{name}.ffns", one.mlp == "plain" and not one.mlp_norm)
    for part, sublayer in (*((part, "attn") for part in block.attns), *((part, "mlp") for part in block.ffns)):
        _require(f"{name}.{sublayer}s", [*part._modules] == ["norm", sublayer, "ls", "drop_path"])
        _kind(f"{name}.norm", part.norm, {"LayerNorm": "layer"})
    return _Block(**{**asdict(one), "num_heads": count * one.num_heads, "mlp_dim": count * one.mlp_dim})


def _activation(name: str, module: nn.Module) -> str:
    kind = _kind(name, module, _ACTIVATIONS)
    return "gelu_tanh" if kind == "gelu" and getattr(module, "approximate", "none") == "tanh" else kind


def _refuse_mixed(blocks: list[_Block]) -> None:
    first = asdict(blocks[0])
    for i, block in enumerate(blocks):
        for part, value in asdict(block).items():
            if value != first[part]:
                raise ModelError(
                    f"blocks.{i} has {part} = {value!r} and blocks.0 has {first[part]!r}; all blocks must be the same."
                )


def _norm_of(model: nn.Module) -> tuple[str, float]:
    """Kind and epsilon of all norms, which must be the same (except in the stem of a hybrid model)."""
    found = {}
    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        if "norm" in last and last != "sub_norm" and ".backbone" not in f".{name}" and _is_active(module):
            found[name] = (_kind(name, module, _NORMS), module.eps)
    kinds = set(found.values())
    if len(kinds) > 1:
        usual = max(kinds, key=list(found.values()).count)
        name, (kind, eps) = next((name, value) for name, value in found.items() if value != usual)
        raise ModelError(
            f"The norms of this model differ: {name} is {kind} with epsilon {eps}, others are {usual[0]} with epsilon "
            f"{usual[1]}; all norms must be the same."
        )
    return kinds.pop()


def _patch_size(embed: nn.Module, hybrid: bool) -> int:
    sides = embed.feat_ratio(as_scalar=False) if hybrid else embed.patch_size
    _require("patch_embed.patch_size", sides[0] == sides[1])
    if not hybrid:
        _kind("patch_embed", embed, {"PatchEmbed": "", "NaFlexEmbeds": ""})
        _kind("patch_embed.proj", embed.proj, {"Conv2d": "", "Linear": ""})
        if kind_of(embed.proj) == "Conv2d":
            proj, square = embed.proj, tuple(sides)
            _require("patch_embed.proj.kernel_size", proj.kernel_size == square)
            _require("patch_embed.proj.stride", proj.stride == square)
            _require("patch_embed.proj.padding", proj.padding in (0, (0, 0), "valid"))
            _require("patch_embed.proj.dilation", proj.dilation == (1, 1) and proj.groups == 1)
        _require("patch_embed.norm_input", getattr(embed, "norm_input", None) is None)
    return sides[0]


def _image_size(embed: nn.Module, patch: int, hybrid: bool) -> tuple[int, int]:
    grid = embed.pos_embed_grid_size if kind_of(embed) == "NaFlexEmbeds" else embed.grid_size
    _require("patch_embed.grid_size", grid is not None)
    return grid[0] * patch, grid[1] * patch


def _num_registers(tokens: nn.Module) -> int:
    found = [getattr(tokens, name, None) for name in ("dist_token", "reg_token")]
    return sum(token.shape[1] for token in found if token is not None)


def _resampling(embed: nn.Module) -> Resampling:
    if embed.pos_embed_type == "factorized":  # interpolating rows and columns separately is bilinear for their sum
        square = embed.pos_embed_ar_preserving
        return Resampling("bilinear", antialias=False, square=square, always=square)
    return Resampling(
        mode=embed.pos_embed_interp_mode,
        antialias=embed.pos_embed_antialias,
        align_corners=embed.pos_embed_align_corners,
        square=embed.pos_embed_ar_preserving,
    )


def _rope(model: nn.Module) -> RoPE | None:
    rope = getattr(model, "rope", None)
    if rope is None:
        return None
    kinds = ("RotaryEmbeddingCat", "RotaryEmbeddingMixed", "RotaryEmbeddingDinoV3", "RotaryEmbeddingMRope")
    kind = _kind("rope", rope, {name: name for name in kinds})
    if kind == "RotaryEmbeddingDinoV3":
        return RoPE("centred", offset=rope.grid_offset, divide_by=rope.normalize_coords)
    if kind == "RotaryEmbeddingCat":
        _require("rope.grid_type", rope.grid_type == "index")
        reference = None if rope.ref_feat_shape is None else tuple(rope.ref_feat_shape)
        return RoPE("index", offset=rope.grid_offset, reference=reference)
    return RoPE("index", per_layer=kind == "RotaryEmbeddingMixed")


def _pooling(model: nn.Module) -> dict:
    if kind_of(model) == "VisionTransformerDistilled":
        return {"pooling": "distilled"}
    if model.global_pool not in _POOLS:
        known = ", ".join(map(repr, _POOLS))
        raise ModelError(f"global_pool is {model.global_pool!r}; only {known} can be represented exactly.")
    pooling = _POOLS[model.global_pool]
    _require("attn_pool", (getattr(model, "attn_pool", None) is not None) == (pooling == "attention"))
    # Eva's attention pooling always includes the prefix tokens.
    prefix = getattr(model, "pool_include_prefix", False) or (kind_of(model) == "Eva" and pooling == "attention")
    shape = {"pooling": pooling, "pool_include_prefix": prefix and pooling != "token"}
    return shape | _attention_pool(model.attn_pool) if pooling == "attention" else shape


def _attention_pool(pool: nn.Module) -> dict:
    _kind("attn_pool", pool, {"AttentionPoolLatent": ""})
    _kind("attn_pool.mlp", pool.mlp, {"Mlp": ""})
    _require("attn_pool.latent", pool.latent_len == 1 and pool.pos_embed is None)
    _require("attn_pool.k_norm", not _is_active(pool.k_norm))
    _require("attn_pool.norm", _is_active(pool.norm))
    _require("attn_pool.scale", isclose(pool.scale, pool.head_dim**-0.5))
    _require("attn_pool.mlp.norm", not _is_active(pool.mlp.norm))
    return {
        "pool_num_heads": pool.num_heads,
        "pool_mlp_dim": pool.mlp.fc1.out_features,
        "pool_activation": _activation("attn_pool.mlp.act", pool.mlp.act),
    }
