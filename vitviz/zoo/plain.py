"""Build a plain ViT from the keys and shapes of its weights, for files that name no architecture.

The options of timm's `VisionTransformer` are read off the keys and shapes. The number of heads cannot be read off; the
usual one for the width is assumed, and a note says so. Everything else that stays open is refused with a message that
asks for it.
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

# No key tells how many heads there are; these are what ViTs of these widths nearly always have. Wider ones differ.
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
    weights: Mapping[str, Tensor], layout: Layout, config: Mapping[str, Any], heads: int | None, name: str
) -> "tuple[Callable[[], nn.Module], list[str]]":
    """Determine the shape of a plain ViT from its weights.

    Args:
        weights: tensors by timm's names.
        layout: naming scheme of the file.
        config: contents of the config.json in the same folder, or {}.
        heads: number of heads; None to assume the usual one for the width.
        name: name of the model for messages.

    Returns:
        A function that builds the timm model with random weights; and sentences that say what was assumed.

    Raises:
        ModelError: if the keys do not determine the shape, or are not those of a plain ViT.
    """
    if layout in (TIMM, DINOV2):  # of other layouts all names are known, and what is left over is said by name
        _refuse_unknown_parts(weights, name)
    notes: list[str] = []
    options = _options(weights, layout, config, heads, name, notes)
    if layout is TIMM:  # all others are of one framework, whose models are known
        notes += _assumptions(weights, config)
    return partial(_build, **options), notes


def of_script(args: Mapping[str, Any], size: Size | None) -> dict[str, Any]:
    """Read what the arguments of a training script say about a plain ViT, by its names in a config.json.

    Args:
        args: the arguments.
        size: input size that they give.
    """
    names = ("num_attention_heads", "num_heads", "n_heads", "heads")
    heads = next((args[name] for name in names if is_whole(args.get(name)) and args[name] > 0), None)
    pool = args.get("global_pool", args.get("gp"))
    sides = {} if size is None else {"image_size": list(size) if isinstance(size, tuple) else size}
    return {"num_attention_heads": heads, "global_pool": pool if isinstance(pool, str) else None, **sides}


def _options(
    weights: Mapping[str, Tensor],
    layout: Layout,
    config: Mapping[str, Any],
    heads: int | None,
    name: str,
    notes: list[str],
) -> dict[str, Any]:
    embed, positions, hidden = (
        _needed(weights, key, name) for key in ("patch_embed.proj.weight", "pos_embed", "blocks.0.mlp.fc1.weight")
    )
    width, channels, patch, _ = embed.shape
    head = weights.get("head.weight")
    registers = weights["reg_token"].shape[1] if "reg_token" in weights else 0
    prefix = ("cls_token" in weights) + ("dist_token" in weights) + registers
    side, with_prefix = _grid(positions.shape[1], prefix, config, patch, name)
    gated = len(hidden) != _needed(weights, "blocks.0.mlp.fc2.weight", name).shape[1]
    if gated and layout not in (HUGGING_FACE_DINOV2, DINOV2):
        raise ask(name, "its MLPs are gated, and no key tells with which activation")
    return {
        "distilled": "dist_token" in weights,
        "img_size": side,
        "patch_size": patch,
        "in_chans": channels,
        "embed_dim": width,
        "depth": _depth(weights, name),
        "num_heads": _heads(width, config, heads, name, notes),
        "mlp_ratio": (len(hidden) + 0.5) / width,  # timm rounds down
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
        raise ask(name, f"{key} is missing or not of a ViT's shape")
    return weights[key]


def _depth(weights: Mapping[str, Tensor], name: str) -> int:
    layers = {int(found[1]) for key in weights if (found := re.match(r"blocks\.([0-9]+)\.", key))}
    if layers != set(range(len(layers))):
        raise ask(name, "layers are missing between its first and its last")
    return len(layers)


def _heads(width: int, config: Mapping[str, Any], heads: int | None, name: str, notes: list[str]) -> int:
    if heads is not None:
        return heads
    said = config.get("num_attention_heads")
    if said is not None:
        if not is_whole(said) or said < 1:
            raise ModelError(f"config.json of {name!r} says {shown(said)} for num_attention_heads; write their number.")
        return int(said)
    if width not in USUAL_HEADS:
        raise ask(
            name,
            f"no key tells how many heads it has, and at a width of {width} there is no usual number",
            "pass heads= with the number in training",
        )
    usual = USUAL_HEADS[width]
    notes.append(
        f"No key tells how many attention heads it has: {usual} are assumed, as is usual at a width of {width}; if it "
        "has another number, every attention map is wrong, so pass heads=."
    )
    return usual


def _assumptions(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> list[str]:
    """Sentence on what the usual is assumed for besides the heads; none if everything is told."""
    reads_token = "cls_token" in weights and "fc_norm.weight" not in weights
    assumed = {
        "GELU as activation": "hidden_act" not in config,
        "the class token as output": reads_token and not config.get("global_pool"),
        "the mean of the patches as output": "fc_norm.weight" in weights and not config.get("global_pool"),
        "a square grid": "image_size" not in config,
    }
    found = [what for what, is_assumed in assumed.items() if is_assumed]
    return [f"Not told by the file and assumed, as is usual: {', '.join(found)}."] if found else []


def _grid(tokens: int, prefix: int, config: Mapping[str, Any], patch: int, name: str) -> tuple[Any, bool]:
    """Height and width of the input in pixels, and whether the prefix tokens have positions too."""
    size = config.get("image_size")
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, list) else ()
    for count, with_prefix in ((tokens - prefix, True), (tokens, False)):
        if len(sides) == 2 and math.prod(int(side) // patch for side in sides) == count:
            return sides, with_prefix
        rows = math.isqrt(max(0, count))
        if rows and rows * rows == count:
            return (rows * patch, rows * patch), with_prefix
    raise ask(
        name,
        f"its {tokens} positions are not of a square grid",
        "pass timm's name of it and its input size, such as arch='vit_small_patch16_224' and "
        "arch_kwargs={'img_size': (height, width)}",
    )


def _activation(config: Mapping[str, Any]) -> str:
    said = config.get("hidden_act", "gelu")
    if said not in _ACTIVATIONS:
        raise ModelError(f"config.json names the activation {said!r}; known are {', '.join(_ACTIVATIONS)}.")
    return _ACTIVATIONS[said]


def _refuse_unknown_parts(weights: Mapping[str, Tensor], name: str) -> None:
    """Refuse weights with parts that a plain ViT does not have: variants of such parts can share the same keys."""
    others = [key for key in weights if not _PLAIN_KEYS.fullmatch(key)]
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        raise ask(name, f"a plain ViT has no {', '.join(others[:5])}{more}")


def ask(name: str, why: str, how: str = "pass timm's name of it, such as arch='vit_small_patch16_224'") -> ModelError:
    """Error for weights whose architecture cannot be determined."""
    return ModelError(
        f"The architecture of {name!r} cannot be told: {why}; {how}, or build it with timm and use vitviz.from_timm."
    )
