"""How training frameworks name the weights of a ViT, and the way from there to timm's names.

Sources: Hugging Face transformers' `modeling_vit.py`, `modeling_deit.py`, `modeling_dinov2.py` and
`modeling_dinov2_with_registers.py`; torchvision's `vision_transformer.py`. Renaming is all that differs, except that
Hugging Face keeps queries, keys and values apart, and that DINOv2's registers enter after the positions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ModelError
from ..images import Preprocessing

_HALF = (0.5, 0.5, 0.5)
_OUTER = r"(?P<outer>(?:.*?\.)??)"
_HUGGING_FACE_MODELS = r"(?:vit|deit|dinov2|dinov2_with_registers)\."


@dataclass(frozen=True)
class Layout:
    """One way to name the weights.

    Attributes:
        name: for people.
        signature: matches the key that only this layout has; its group `outer` is what wrappers put before all keys.
        renames: regular expressions of keys, and timm's names for them; "" for what no forward pass uses.
        norm_eps: that of its layer norms, unless a config.json says otherwise.
        preprocessing: what its models expect, unless a preprocessor_config.json says otherwise.
    """

    name: str
    signature: str
    renames: Mapping[str, str]
    norm_eps: float = 1e-6
    preprocessing: Preprocessing = Preprocessing()  # noqa: RUF009 - it is frozen


_HUGGING_FACE_EMBEDDINGS = {
    r"embeddings\.cls_token": "cls_token",
    r"embeddings\.position_embeddings": "pos_embed",
    r"embeddings\.patch_embeddings\.projection\.": "patch_embed.proj.",
    r"embeddings\.mask_token": "",  # stands in for hidden patches while training
    r"encoder\.layer\.(\d+)\.attention\.attention\.(query|key|value)\.": r"blocks.\1.attn.\2.",
    r"encoder\.layer\.(\d+)\.attention\.output\.dense\.": r"blocks.\1.attn.proj.",
    r"layernorm\.": "norm.",
    r"classifier\.": "head.",
}

TIMM = Layout("timm", _OUTER + r"patch_embed\.proj\.weight", {r"mask_token$": ""})  # and that of many papers' own code
HUGGING_FACE_VIT = Layout(
    "Hugging Face ViT",
    _OUTER + rf"(?:{_HUGGING_FACE_MODELS})?encoder\.layer\.0\.layernorm_before\.weight",
    {
        r"embeddings\.distillation_token": "reg_token",
        r"encoder\.layer\.(\d+)\.intermediate\.dense\.": r"blocks.\1.mlp.fc1.",
        r"encoder\.layer\.(\d+)\.output\.dense\.": r"blocks.\1.mlp.fc2.",
        r"encoder\.layer\.(\d+)\.layernorm_before\.": r"blocks.\1.norm1.",
        r"encoder\.layer\.(\d+)\.layernorm_after\.": r"blocks.\1.norm2.",
        r"pooler\.dense\.": "",  # follows the class token; neither the tokens nor a classifier see it
        r"cls_classifier\.": "head.",
        r"distillation_classifier\.": "head_dist.",
        **_HUGGING_FACE_EMBEDDINGS,
    },
    norm_eps=1e-12,
    preprocessing=Preprocessing(_HALF, _HALF, "bilinear", fit="squash"),
)
HUGGING_FACE_DINOV2 = Layout(
    "Hugging Face DINOv2",
    _OUTER + rf"(?:{_HUGGING_FACE_MODELS})?encoder\.layer\.0\.layer_scale1\.lambda1",
    {
        r"embeddings\.register_tokens": "reg_token",
        r"encoder\.layer\.(\d+)\.(norm[12])\.": r"blocks.\1.\2.",
        r"encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1": r"blocks.\1.ls\2.gamma",
        r"encoder\.layer\.(\d+)\.mlp\.(fc[12])\.": r"blocks.\1.mlp.\2.",
        r"encoder\.layer\.(\d+)\.mlp\.weights_in\.": r"blocks.\1.mlp.fc1.",
        r"encoder\.layer\.(\d+)\.mlp\.weights_out\.": r"blocks.\1.mlp.fc2.",
        **_HUGGING_FACE_EMBEDDINGS,
    },
    preprocessing=Preprocessing(crop_fraction=224 / 256),
)
TORCHVISION = Layout(
    "torchvision",
    _OUTER + r"conv_proj\.weight",
    {
        r"class_token": "cls_token",
        r"conv_proj\.": "patch_embed.proj.",
        r"encoder\.pos_embedding": "pos_embed",
        r"encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.": r"blocks.\1.norm\2.",
        r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_": r"blocks.\1.attn.qkv.",
        r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.": r"blocks.\1.attn.proj.",
        r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:0|linear_1)\.": r"blocks.\1.mlp.fc1.",
        r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:3|linear_2)\.": r"blocks.\1.mlp.fc2.",
        r"encoder\.ln\.": "norm.",
        r"heads\.(?:head\.|0\.)?": "head.",
    },
    preprocessing=Preprocessing(interpolation="bilinear", crop_fraction=224 / 256),
)
LAYOUTS = (HUGGING_FACE_VIT, HUGGING_FACE_DINOV2, TORCHVISION, TIMM)


def recognise(weights: Mapping[str, Tensor], file: str) -> tuple[Layout | None, dict[str, Tensor]]:
    """Find out how weights are named, and give them timm's names.

    Args:
        weights: tensors by key, as in the file.
        file: what to call it in messages.

    Returns:
        The layout, None if the keys are of no known one; and the weights. Keys that a known layout does not have keep
        their names, so that whoever checks them can say so.

    Raises:
        ModelError: if the file holds several models.
    """
    weights = {key.replace("_orig_mod.", ""): value for key, value in weights.items()}  # torch.compile's
    for layout in LAYOUTS:
        found = {match["outer"] for match in (re.fullmatch(layout.signature, key) for key in weights) if match}
        if len(found) > 1:
            prefixes = ", ".join(repr(prefix) for prefix in sorted(found))
            raise ModelError(f"{file!r} holds several models, under {prefixes}; save the one that you want to see.")
        if found:
            outer = found.pop()
            return layout, _renamed({key.removeprefix(outer): value for key, value in weights.items()}, layout)
    return None, _without_common(weights, ("module.", "model."))


def _renamed(weights: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    renamed = {}
    for key, value in weights.items():
        name = _timm_name(re.sub(f"^{_HUGGING_FACE_MODELS}", "", key), layout.renames)
        if name:
            renamed[name] = value
    if layout in (HUGGING_FACE_VIT, HUGGING_FACE_DINOV2):
        renamed = _with_joined_attention(renamed)
    if layout is HUGGING_FACE_DINOV2 and "reg_token" in renamed:
        _fold_class_position(renamed)
    # DeiT's distillation token is a register like any other, unless a second classifier reads it.
    if layout is HUGGING_FACE_VIT and {"reg_token", "head_dist.weight"} <= renamed.keys():
        renamed["dist_token"] = renamed.pop("reg_token")
    return renamed


def _timm_name(key: str, renames: Mapping[str, str]) -> str:
    for pattern, name in renames.items():
        renamed, count = re.subn(f"^{pattern}", name, key)
        if count:
            return renamed if name else ""
    return key


def _with_joined_attention(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put queries, keys and values into one matrix, as timm has them; what is incomplete is left as it is."""
    joined = {}
    for key, value in weights.items():
        found = re.fullmatch(r"(blocks\.\d+\.attn)\.(query|key|value)\.(weight|bias)", key)
        before, part, after = found.groups() if found else ("", "", "")
        parts = [weights.get(f"{before}.{name}.{after}") for name in ("query", "key", "value")]
        if any(other is None or other.shape != value.shape for other in parts):
            joined[key] = value
        elif part == "query":
            joined[f"{before}.qkv.{after}"] = torch.cat(parts)
    return joined


def _fold_class_position(weights: dict[str, Tensor]) -> None:
    """Add the class token's position to the token itself: then positions are of patches alone, as timm has them."""
    positions = weights["pos_embed"]
    weights["cls_token"] = weights["cls_token"] + positions[:, :1]
    weights["pos_embed"] = positions[:, 1:]


def _without_common(weights: Mapping[str, Tensor], prefixes: Iterable[str]) -> dict[str, Tensor]:
    for prefix in prefixes:
        if all(key.startswith(prefix) for key in weights):
            weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    return dict(weights)
