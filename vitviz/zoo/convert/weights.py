"""Convert the weights of a timm model to the layout of `VisionTransformer`.

All functions remove the entries that they convert from the model's state. Remaining entries are returned under their
own names, so that `build` refuses a model with an unknown part.
"""

import copy

import torch
from torch import Tensor, nn

from ...model.config import ViTConfig
from .changes import kind_of
from .shape import embed_of, is_naflex

State = dict[str, Tensor]


def weights_of(model: nn.Module, config: ViTConfig) -> State:
    """Convert all weights; return them by the names of `VisionTransformer.state_dict()`."""
    state = {name: value.detach().cpu().float() for name, value in model.state_dict().items()}
    state |= _implicit(model)
    weights = _embedding(state, model, config)
    for layer, block in enumerate(model.blocks):
        found = _block(_pop_prefix(state, f"blocks.{layer}."), block, config)
        weights |= {f"blocks.{layer}.{name}": value for name, value in found.items()}
    for name in ("norm_pre", "norm", "fc_norm"):
        weights |= _norm(state, name, name)
    if config.relative_position_bias:
        weights |= _relative(weights, state, config)
    if config.rope is not None:
        state.pop("rope.freqs", None)
        weights["rope.freqs"] = _frequencies(model.rope)
    if config.pooling == "attention":
        weights |= _pool(_pop_prefix(state, "attn_pool."), model.attn_pool)
    return weights | _head(state, config) | state


def _implicit(model: nn.Module) -> State:
    """Ones and zeros as scale and shift of norms without parameters."""
    found = {}
    for name, module in model.named_modules():
        if "Norm" in kind_of(module) and getattr(module, "normalized_shape", None) is not None:
            if module.weight is None:
                found[f"{name}.weight"] = torch.ones(module.normalized_shape)
            if "LayerNorm" in kind_of(module) and module.bias is None:
                found[f"{name}.bias"] = torch.zeros(module.normalized_shape)
    return found


def _pop_prefix(state: State, prefix: str) -> State:
    """Remove the entries with a prefix from `state` and return them without it."""
    return {name.removeprefix(prefix): state.pop(name) for name in list(state) if name.startswith(prefix)}


def _embedding(state: State, model: nn.Module, config: ViTConfig) -> State:
    embed = embed_of(model)
    parts = _pop_prefix(state, "embeds." if is_naflex(model) else "patch_embed.")
    tokens = parts if is_naflex(model) else state
    weights = _norm(parts, "norm", "patch_embed.norm")
    if config.stem:
        weights |= {f"patch_embed.backbone.{name}": parts.pop(name) for name in list(parts)}
    else:
        weight = parts.pop("proj.weight")
        if weight.ndim == 2:  # a linear layer on flattened patches
            weight = _as_convolution(weight, config, channels_last=embed.channels_last)
        bias = parts.pop("proj.bias", None)
        weights["patch_embed.proj.weight"] = weight
        weights["patch_embed.proj.bias"] = torch.zeros(config.embed_dim) if bias is None else bias
    for name, theirs in {
        "cls_token": "cls_token",
        "reg_token": "dist_token" if "dist_token" in tokens else "reg_token",
    }.items():
        if theirs in tokens:
            weights[name] = tokens.pop(theirs)
    if config.position_embedding:
        weights["pos_embed"] = _position_embedding(tokens, config)
    return weights | {f"patch_embed.{name}": value for name, value in parts.items()}


def _as_convolution(weight: Tensor, config: ViTConfig, channels_last: bool) -> Tensor:
    sides = (config.patch_size, config.patch_size)
    if channels_last:
        return weight.unflatten(1, (*sides, config.in_chans)).permute(0, 3, 1, 2)
    return weight.unflatten(1, (config.in_chans, *sides))


def _position_embedding(tokens: State, config: ViTConfig) -> Tensor:
    """Position embedding of all tokens, with zeros for prefix tokens that have none."""
    if "pos_embed_y" in tokens:
        positions = tokens.pop("pos_embed_y")[:, :, None] + tokens.pop("pos_embed_x")[:, None]
    else:
        positions = tokens.pop("pos_embed")
    positions = positions.reshape(1, -1, config.embed_dim)
    missing = config.num_prefix_tokens + config.grid[0] * config.grid[1] - positions.shape[1]
    return torch.cat([torch.zeros(1, missing, config.embed_dim), positions], dim=1) if missing > 0 else positions


def _norm(state: State, theirs: str, ours: str) -> State:
    """Convert a norm; {} if there is none."""
    if f"{theirs}.weight" not in state:
        return {}
    return {
        f"{ours}.{part}": state.pop(f"{theirs}.{part}") for part in ("weight", "bias") if f"{theirs}.{part}" in state
    }


def _block(state: State, block: nn.Module, config: ViTConfig) -> State:
    if "in_proj.weight" in state:
        return _parallel_block(state, block, config)
    if hasattr(block, "attns"):
        return _parallel_things_block(state, config)
    weights = _norm(state, "norm1", "norm1") | _norm(state, "norm2", "norm2")
    weights |= _attention(_pop_prefix(state, "attn."), block.attn, config)
    weights |= _mlp(_pop_prefix(state, "mlp."), block.mlp, config)
    for i in ("1", "2"):
        weights |= _layer_scale(state, [f"ls{i}.gamma", f"gamma_{i}"], f"ls{i}", config)
    return weights | state


def _layer_scale(state: State, names: list[str], ours: str, config: ViTConfig) -> State:
    found = [state.pop(name) for name in names if name in state]
    return {f"{ours}.gamma": found[0] if found else torch.ones(config.embed_dim)}


def _attention(state: State, attn: nn.Module, config: ViTConfig) -> State:
    weight, bias = _qkv(state, config)
    norms = _norm(state, "q_norm", "q_norm") | _norm(state, "k_norm", "k_norm")
    if getattr(attn, "rotate_half", False):
        weight, bias, norms = _interleaved(weight, bias, norms, config)
    weights = {"qkv.weight": weight, "qkv.bias": bias} | norms | _norm(state, "norm", "norm")
    weights |= _linear(state, "proj", "proj")
    if config.differential:
        weights |= _differential(state, attn)
    if "relative_position_bias_table" in state:
        weights["relative.table"] = state.pop("relative_position_bias_table")
    return {f"attn.{name}": value for name, value in (weights | state).items()}


def _qkv(state: State, config: ViTConfig) -> tuple[Tensor, Tensor]:
    """Projections to queries, keys and values as a single one, with a bias for all three."""
    zeros = torch.zeros(config.num_heads * config.head_dim)
    if "qkv.weight" in state:
        weight, bias = state.pop("qkv.weight"), state.pop("qkv.bias", None)
        if bias is None:  # BEiT and EVA have biases for queries and values only
            bias = torch.cat([state.pop("q_bias", zeros), zeros, state.pop("v_bias", zeros)])
        return weight, bias
    weights = [_repeated(state.pop(f"{part}_proj.weight"), config) for part in "qkv"]
    biases = [_repeated(state.pop(f"{part}_proj.bias", zeros), config) for part in "qkv"]
    return torch.cat(weights), torch.cat(biases)


def _repeated(rows: Tensor, config: ViTConfig) -> Tensor:
    """Repeat keys and values that are shared by several heads, once for each head."""
    groups = rows.unflatten(0, (-1, config.head_dim))
    return groups.repeat_interleave(config.num_heads // len(groups), dim=0).flatten(0, 1)


def _interleaved(weight: Tensor, bias: Tensor, norms: State, config: ViTConfig) -> tuple[Tensor, Tensor, State]:
    """Reorder the dimensions of queries and keys so that the two that RoPE rotates together are adjacent.

    The order does not affect the dot products. timm's "half" layout pairs dimension i with i + head_dim / 2.
    """
    half = config.head_dim // 2
    order = torch.arange(config.head_dim).unflatten(0, (2, half)).T.flatten()

    def reorder(rows: Tensor) -> Tensor:
        parts = rows.unflatten(0, (3, config.num_heads, config.head_dim))
        return torch.cat([parts[:2][:, :, order], parts[2:]]).flatten(0, 2)

    return reorder(weight), reorder(bias), {name: value[order] for name, value in norms.items()}


def _differential(state: State, attn: nn.Module) -> State:
    """Compute lambda as a single number, and fold the factor 1 - lambda_init into the preceding norm."""
    lam = copy.deepcopy(attn).cpu().float()._compute_lambda()
    for name in [name for name in state if name.startswith("lambda_")]:
        del state[name]
    return {"lam": lam, "head_norm.weight": state.pop("sub_norm.weight") * (1 - attn.lambda_init)}


def _linear(state: State, theirs: str, ours: str) -> State:
    """Convert a linear layer, with zeros for a missing bias."""
    weight, bias = state.pop(f"{theirs}.weight"), state.pop(f"{theirs}.bias", None)
    return {f"{ours}.weight": weight, f"{ours}.bias": torch.zeros(len(weight)) if bias is None else bias}


def _mlp(state: State, mlp: nn.Module, config: ViTConfig) -> State:
    if kind_of(mlp) == "GluMlp":  # both linear layers packed into one
        packed = _linear(state, "fc1", "fc1")
        order = ("x", "g") if mlp.gate_last else ("g", "x")
        halves = {name: value.chunk(2) for name, value in packed.items()}
        state |= {
            name.replace("fc1", f"fc1_{gate}"): pair[i] for name, pair in halves.items() for i, gate in enumerate(order)
        }
    weights = _norm(state, "norm", "norm")
    for name in ("fc1_g", "fc1_x", "fc2") if config.mlp == "gated" else ("fc1", "fc2"):
        weights |= _linear(state, name, name)
    return {f"mlp.{name}": value for name, value in (weights | state).items()}


def _parallel_block(state: State, block: nn.Module, config: ViTConfig) -> State:
    """Split the joint input projection of attention and MLP, and the joint output projection if there is one."""
    weights = _norm(state, "in_norm", "norm1")
    sizes = [config.mlp_dim, 3 * config.num_heads * config.head_dim]
    joint = _linear(state, "in_proj", "in")
    (fc1, qkv), (fc1_bias, qkv_bias) = joint["in.weight"].split(sizes), joint["in.bias"].split(sizes)
    weights |= {"mlp.fc1.weight": fc1, "mlp.fc1.bias": fc1_bias + state.pop("mlp_bias", 0)}
    weights |= {"attn.qkv.weight": qkv, "attn.qkv.bias": qkv_bias}
    weights |= _norm(state, "q_norm", "attn.q_norm") | _norm(state, "k_norm", "attn.k_norm")
    if config.differential:
        weights |= {f"attn.{name}": value for name, value in _differential(state, block).items()}
    if "out_proj.weight" in state:
        out = _linear(state, "out_proj", "attn.proj")
        attn, fc2 = out["attn.proj.weight"].split([config.num_heads * config.head_dim, config.mlp_dim], dim=1)
        weights |= out | {
            "attn.proj.weight": attn,
            "mlp.fc2.weight": fc2,
            "mlp.fc2.bias": torch.zeros(config.embed_dim),
        }
    else:
        weights |= _linear(state, "attn_out_proj", "attn.proj") | _linear(state, "mlp_out_proj", "mlp.fc2")
    scale = _layer_scale(state, ["ls.gamma"], "ls1", config)
    return weights | scale | {"ls2.gamma": scale["ls1.gamma"]} | state


def _parallel_things_block(state: State, config: ViTConfig) -> State:
    """Merge several attentions into one with more heads, and several MLPs into one ("18x2", Touvron et al. 2022).

    Each has its own norm and LayerScale, whose scales and shifts are linear. They are folded into the following and the
    preceding projection, and the shared norm has a scale of one.
    """
    weights = {f"norm{i}.weight": torch.ones(config.embed_dim) for i in "12"}
    weights |= {f"norm{i}.bias": torch.zeros(config.embed_dim) for i in "12"}
    weights |= {f"ls{i}.gamma": torch.ones(config.embed_dim) for i in "12"}
    attns, mlps = (_numbered(_pop_prefix(state, f"{part}.")) for part in ("attns", "ffns"))
    into = [_with_norm(part, "attn.qkv") for part in attns]
    weights |= {
        f"attn.qkv.{name}": torch.cat(
            [value for thirds in zip(*(part[i].chunk(3) for part in into), strict=True) for value in thirds]
        )
        for i, name in enumerate(("weight", "bias"))
    }
    weights |= _summed([_with_layer_scale(part, "attn.proj") for part in attns], "attn.proj")
    fc1 = [_with_norm(part, "mlp.fc1") for part in mlps]
    weights |= {f"mlp.fc1.{name}": torch.cat([part[i] for part in fc1]) for i, name in enumerate(("weight", "bias"))}
    weights |= _summed([_with_layer_scale(part, "mlp.fc2") for part in mlps], "mlp.fc2")
    left = {
        f"{i}.{name}": value for parts in (attns, mlps) for i, part in enumerate(parts) for name, value in part.items()
    }
    return weights | left | state


def _numbered(state: State) -> list[State]:
    return [_pop_prefix(state, f"{i}.") for i in sorted({int(name.partition(".")[0]) for name in state})]


def _with_norm(part: State, name: str) -> tuple[Tensor, Tensor]:
    """Linear layer with the scale and shift of the preceding norm folded in."""
    scale, shift = part.pop("norm.weight").double(), part.pop("norm.bias").double()
    weight, bias = (value.double() for value in _linear(part, name, name).values())
    return weight * scale, bias + weight @ shift


def _with_layer_scale(part: State, name: str) -> tuple[Tensor, Tensor]:
    """Linear layer with the following LayerScale folded in."""
    weight, bias = (value.double() for value in _linear(part, name, name).values())
    scale = part.pop("ls.gamma", torch.ones(len(weight))).double()
    return weight * scale[:, None], bias * scale


def _summed(parts: list[tuple[Tensor, Tensor]], name: str) -> State:
    """Linear layers whose outputs are summed, as a single layer on their concatenated inputs."""
    return {
        f"{name}.weight": torch.cat([part[0] for part in parts], dim=1),
        f"{name}.bias": sum(part[1] for part in parts),
    }


def _relative(weights: State, state: State, config: ViTConfig) -> State:
    """Relative position bias table of each layer, plus the table shared by all layers."""
    shared = state.pop("rel_pos_bias.relative_position_bias_table", None)
    names = [f"blocks.{layer}.attn.relative.table" for layer in range(config.depth)]
    return {name: sum(table for table in (weights.get(name), shared) if table is not None).clone() for name in names}


def _frequencies(rope: nn.Module) -> Tensor:
    """RoPE frequencies, radians per row and per column for a pair of dimensions, [layer or 1, head or 1, 2, pair]."""
    kind = kind_of(rope)
    if kind == "RotaryEmbeddingMixed":
        frequencies = rope.freqs.permute(1, 2, 0, 3)  # layer head axis pair
    elif kind == "RotaryEmbeddingMRope":
        frequencies = torch.stack([rope.inv_freq * (rope.axis == axis) for axis in (1, 2)])[None, None]
    else:
        bands = 2 * torch.pi / rope.periods if kind == "RotaryEmbeddingDinoV3" else rope.bands
        frequencies = torch.block_diag(bands, bands)[None, None]  # half of the pairs for each axis
    frequencies = frequencies.cpu()
    return frequencies.flip(2) if rope.grid_indexing == "xy" else frequencies  # "xy" has columns first


def _pool(state: State, pool: nn.Module) -> State:
    """Convert the attention pooling; its query does not depend on the image and is computed here."""
    pool = copy.deepcopy(pool).cpu().float()
    query = pool.q_norm(pool.q(pool.latent).unflatten(-1, (pool.num_heads, -1)))  # 1 1 head channel
    for name in [name for name in state if name.partition(".")[0] in ("latent", "q", "q_norm")]:
        del state[name]
    weights = (
        {"q": query[0, 0]} | _linear(state, "kv", "kv") | _linear(state, "proj", "proj") | _norm(state, "norm", "norm")
    )
    for name in ("mlp.fc1", "mlp.fc2"):
        weights |= _linear(state, name, name)
    return {f"attn_pool.{name}": value for name, value in (weights | state).items()}


def _head(state: State, config: ViTConfig) -> State:
    if not config.num_classes:
        return {}
    if config.pooling == "distilled":
        return _linear(state, "head", "head.token") | _linear(state, "head_dist", "head.distilled")
    return _linear(state, "head", "head")
