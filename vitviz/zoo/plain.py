"""Build a plain ViT from the keys and shapes of its weights, for files that state no architecture.

The options of timm's `VisionTransformer` are derived from the keys and shapes. The number of heads cannot be derived;
the usual number for the embed_dim is assumed, with a note. If anything else is undetermined, the file is refused with
advice.
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import ModelError
from ..errors.arguments import is_whole, shown
from ..images import Size
from .layouts import DINOV2, HUGGING_FACE_DINOV2, TIMM, Layout

if TYPE_CHECKING:
    from torch import nn

MAX_DEPTH = 256  # blocks; no model has more, and building them would take long
# Number of heads of nearly all ViTs with these values of embed_dim; larger ViTs differ.
USUAL_HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16}

_PLAIN_KEYS = re.compile(
    r"(cls_token|reg_token|dist_token|pos_embed|patch_embed\.proj\.(weight|bias)|(norm|fc_norm|head|head_dist)\.(weight|bias)"
    r"|blocks\.[0-9]+\.((norm1|norm2|attn\.qkv|attn\.proj|mlp\.fc1|mlp\.fc2)\.(weight|bias)|ls[12]\.gamma))"
)
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}


def plain_vit(
    weights: Mapping[str, Tensor], layout: Layout, config: Mapping[str, Any], num_heads: int | None, name: str
) -> "tuple[Callable[[], nn.Module], list[str]]":
    """Determine the shape of a plain ViT from its weights.

    Args:
        weights: tensors by timm's names.
        layout: naming scheme of the file.
        config: contents of the config.json in the same folder, or {}.
        num_heads: number of heads; None to assume the usual number for the embed_dim.
        name: name of the model for messages.

    Returns:
        A function that builds the timm model with random weights; and notes on assumptions.

    Raises:
        ModelError: if the keys do not determine the shape, or are not those of a plain ViT.
    """
    if layout in (TIMM, DINOV2):  # all names of other layouts are known, and unknown keys are reported later
        _refuse_unknown_parts(weights, name)
    notes: list[str] = []
    options = _options(weights, layout, config, num_heads, name, notes)
    if layout is TIMM:  # each other layout belongs to a framework whose models are known
        notes += _assumptions(weights, config)
    return partial(_build, **options), notes


def script_config(args: Mapping[str, Any], size: Size | None) -> dict[str, Any]:
    """Convert the arguments of a training script to the names of a config.json.

    Args:
        args: arguments of the training script.
        size: input size in the arguments, in pixels.
    """
    names = ("num_attention_heads", "num_heads", "n_heads", "heads")
    num_heads = next((args[name] for name in names if is_whole(args.get(name)) and args[name] > 0), None)
    pool = args.get("global_pool", args.get("gp"))
    sides = {} if size is None else {"image_size": list(size) if isinstance(size, tuple) else size}
    return {"num_attention_heads": num_heads, "global_pool": pool if isinstance(pool, str) else None, **sides}


def _options(
    weights: Mapping[str, Tensor],
    layout: Layout,
    config: Mapping[str, Any],
    num_heads: int | None,
    name: str,
    notes: list[str],
) -> dict[str, Any]:
    embed, positions, hidden = (
        _needed(weights, key, name) for key in ("patch_embed.proj.weight", "pos_embed", "blocks.0.mlp.fc1.weight")
    )
    embed_dim, channels, patch, _ = embed.shape
    head = weights.get("head.weight")
    registers = weights["reg_token"].shape[1] if "reg_token" in weights else 0
    prefix = ("cls_token" in weights) + ("dist_token" in weights) + registers
    side, with_prefix = _grid(positions.shape[1], prefix, config, patch, name)
    gated = len(hidden) != _needed(weights, "blocks.0.mlp.fc2.weight", name).shape[1]
    if gated and layout not in (HUGGING_FACE_DINOV2, DINOV2):
        raise unknown_architecture(name, "its MLPs are gated, and their activation cannot be derived from the weights")
    return {
        "distilled": "dist_token" in weights,
        "img_size": side,
        "patch_size": patch,
        "in_chans": channels,
        "embed_dim": embed_dim,
        "depth": _depth(weights, name),
        "num_heads": _num_heads(embed_dim, config, num_heads, name, notes),
        "mlp_ratio": (len(hidden) + 0.5) / embed_dim,  # timm rounds down
        "gated": gated,
        "qkv_bias": "blocks.0.attn.qkv.bias" in weights,
        "init_values": 1e-5 if "blocks.0.ls1.gamma" in weights else None,
        "class_token": "cls_token" in weights,
        "reg_tokens": registers,
        "no_embed_class": not with_prefix,
        "num_classes": 0 if head is None else len(head),
        "mean_pooled": "fc_norm.weight" in weights or "cls_token" not in weights or config.get("global_pool") == "avg",
        "fc_norm": "fc_norm.weight" in weights,
        "activation": _activation(config),
        "norm_eps": float(config.get("layer_norm_eps", layout.norm_eps)),
    }


def _build(
    *, distilled: bool, gated: bool, mean_pooled: bool, activation: str, norm_eps: float, **options: Any
) -> "nn.Module":
    from timm.layers import SwiGLUPacked
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer as TimmViT
    from torch.nn import LayerNorm, SiLU

    if distilled:
        for name in ("class_token", "reg_tokens", "no_embed_class", "fc_norm"):
            del options[name]
    else:
        options["global_pool"] = "avg" if mean_pooled else "token"
    if gated:
        options |= {"mlp_layer": SwiGLUPacked, "act_layer": SiLU}
    else:
        options["act_layer"] = activation
    kind = VisionTransformerDistilled if distilled else TimmViT
    return kind(**options, norm_layer=partial(LayerNorm, eps=norm_eps), weight_init="skip")


def _needed(weights: Mapping[str, Tensor], key: str, name: str) -> Tensor:
    if key not in weights or weights[key].ndim != {"patch_embed.proj.weight": 4, "pos_embed": 3}.get(key, 2):
        raise unknown_architecture(name, f"{key} is missing or does not have the shape of a ViT")
    return weights[key]


def _depth(weights: Mapping[str, Tensor], name: str) -> int:
    layers = {int(found[1]) for key in weights if (found := re.match(r"blocks\.([0-9]+)\.", key))}
    if layers != set(range(len(layers))):
        raise unknown_architecture(name, "layers are missing between its first and its last")
    if len(layers) > MAX_DEPTH:
        raise unknown_architecture(name, f"it has {len(layers):,} layers, and at most {MAX_DEPTH} are supported")
    return len(layers)


def _num_heads(embed_dim: int, config: Mapping[str, Any], num_heads: int | None, name: str, notes: list[str]) -> int:
    if num_heads is not None:
        return num_heads
    value = config.get("num_attention_heads")
    if value is not None:
        if not is_whole(value) or value < 1:
            raise ModelError(f"num_attention_heads in config.json of {name!r} is {shown(value)}; write an integer.")
        return int(value)
    if embed_dim not in USUAL_HEADS:
        raise unknown_architecture(
            name,
            f"its number of attention heads cannot be derived from the weights, and there is no usual number for "
            f"embed_dim {embed_dim}",
            "pass num_heads= with the number used in training",
        )
    usual = USUAL_HEADS[embed_dim]
    notes.append(
        f"The number of attention heads cannot be derived from the weights: {usual} are assumed, as usual for "
        f"embed_dim {embed_dim}; if this is wrong, all attention maps are wrong, so pass num_heads=."
    )
    return usual


def _assumptions(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> list[str]:
    """Note on all assumptions except the number of heads; [] if there are none."""
    reads_token = "cls_token" in weights and "fc_norm.weight" not in weights
    assumed = {
        "GELU as activation": "hidden_act" not in config,
        "the class token as output": reads_token and not config.get("global_pool"),
        "the mean of the patches as output": "fc_norm.weight" in weights and not config.get("global_pool"),
        "a square grid": "image_size" not in config,
    }
    found = [choice for choice, is_assumed in assumed.items() if is_assumed]
    return [f"Not stated in the file and assumed, as usual: {', '.join(found)}."] if found else []


def _grid(tokens: int, prefix: int, config: Mapping[str, Any], patch: int, name: str) -> tuple[Any, bool]:
    """Height and width of the input in pixels; and True if the prefix tokens have a position embedding too."""
    size = config.get("image_size")
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, list) else ()
    for count, with_prefix in ((tokens - prefix, True), (tokens, False)):
        if len(sides) == 2 and math.prod(int(side) // patch for side in sides) == count:
            return sides, with_prefix
        rows = math.isqrt(max(0, count))
        if rows and rows * rows == count:
            return (rows * patch, rows * patch), with_prefix
    raise unknown_architecture(
        name,
        f"its {tokens} position embeddings do not form a square grid",
        "pass timm's name of the architecture and the input size, such as arch='vit_small_patch16_224' and "
        "arch_kwargs={'img_size': (height, width)}",
    )


def _activation(config: Mapping[str, Any]) -> str:
    value = config.get("hidden_act", "gelu")
    if not isinstance(value, str) or value not in _ACTIVATIONS:
        raise ModelError(f"hidden_act in config.json is {shown(value)}; supported are {', '.join(_ACTIVATIONS)}.")
    return _ACTIVATIONS[value]


def _refuse_unknown_parts(weights: Mapping[str, Tensor], name: str) -> None:
    """Refuse weights that a plain ViT does not have, because variants of such parts can have the same keys."""
    others = [key for key in weights if not _PLAIN_KEYS.fullmatch(key)]
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        raise unknown_architecture(name, f"a plain ViT has no {', '.join(others[:5])}{more}")


def unknown_architecture(
    name: str, why: str, advice: str = "pass timm's name of the architecture, such as arch='vit_small_patch16_224'"
) -> ModelError:
    """Error for weights whose architecture cannot be determined."""
    return ModelError(
        f"The architecture of {name!r} cannot be determined: {why}; {advice}, or build the model with timm and use "
        "vitviz.from_timm."
    )
