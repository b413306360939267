"""Convert the weight names of training frameworks to timm's names.

Sources: Hugging Face transformers' `modeling_vit.py`, `modeling_deit.py`, `modeling_dinov2.py` and
`modeling_dinov2_with_registers.py`, of versions 4 and 5; torchvision's `vision_transformer.py`; the published files of
DINOv2. Only the names differ, with two exceptions: Hugging Face has separate weights for queries, keys and values, and
DINOv2 adds the register tokens after the position embedding.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ModelError
from ..images import Preprocessing
from ..model.config import Resampling

_MEAN_AND_STD = (0.5, 0.5, 0.5)
_OUTER = r"(?P<outer>(?:.*?\.)??)"


@dataclass(frozen=True)
class Layout:
    """Naming scheme of weights.

    Attributes:
        name: name of the layout in messages.
        signature: regular expression for keys that only this layout has; its group `outer` is the prefix of all keys.
        renames: timm's names by regular expressions for keys; "" for weights not used in the forward pass.
        names: attributes that hold the ViT in the framework's classifier models.
        classifiers: attributes that hold the linear classifiers in those models.
        norm_eps: default epsilon of the layer norms, if config.json does not state it.
        resampling: interpolation of the position embedding to other grids; None if it is timm's.
        preprocessing: default preprocessing, if there is no preprocessor_config.json.
    """

    name: str
    signature: str
    renames: Mapping[str, str]
    names: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    norm_eps: float = 1e-6
    resampling: Resampling | None = None
    preprocessing: Preprocessing = Preprocessing()  # noqa: RUF009 - it is frozen


_HUGGING_FACE_CLASSIFIERS = ("classifier", "cls_classifier", "distillation_classifier")
_HUGGING_FACE = {
    r"embeddings\.cls_token": "cls_token",
    r"embeddings\.position_embeddings": "pos_embed",
    r"embeddings\.patch_embeddings\.projection\.": "patch_embed.proj.",
    r"embeddings\.mask_token": "",  # replaces masked patches in training
    r"(?:encoder\.layer|layers)\.([0-9]+)\.attention\.attention\.(query|key|value)\.": r"blocks.\1.attn.\2.",
    r"(?:encoder\.layer|layers)\.([0-9]+)\.attention\.q_proj\.": r"blocks.\1.attn.query.",
    r"(?:encoder\.layer|layers)\.([0-9]+)\.attention\.k_proj\.": r"blocks.\1.attn.key.",
    r"(?:encoder\.layer|layers)\.([0-9]+)\.attention\.v_proj\.": r"blocks.\1.attn.value.",
    r"(?:encoder\.layer|layers)\.([0-9]+)\.attention\.(?:output\.dense|o_proj)\.": r"blocks.\1.attn.proj.",
    r"(?:encoder\.layer|layers)\.([0-9]+)\.mlp\.(fc[12])\.": r"blocks.\1.mlp.\2.",
    r"layernorm\.": "norm.",
    r"pooler\.dense\.": "",  # applied to the class token, but not used by classifiers
    r"(?:cls_)?classifier\.": "head.",
    r"distillation_classifier\.": "head_dist.",
}

# Also used in the code of many papers.
TIMM = Layout(
    "timm", _OUTER + r"(?:patch_embed\.(?:proj\.weight|backbone\..*)|embeds\.proj\.weight)", {r"mask_token$": ""}
)
DINOV2 = Layout(
    "DINOv2",  # published names that differ from timm's
    _OUTER + r"(?:register_tokens|blocks\.0\.mlp\.w12\.weight)",
    {
        r"mask_token$": "",
        r"register_tokens$": "reg_token",
        r"blocks\.([0-9]+)\.mlp\.w12\.": r"blocks.\1.mlp.fc1.",
        r"blocks\.([0-9]+)\.mlp\.w3\.": r"blocks.\1.mlp.fc2.",
    },
)
HUGGING_FACE_VIT = Layout(
    "Hugging Face ViT",
    _OUTER + r"(?:encoder\.layer|layers)\.0\.layernorm_before\.weight",
    {
        r"embeddings\.distillation_token": "reg_token",
        r"encoder\.layer\.([0-9]+)\.intermediate\.dense\.": r"blocks.\1.mlp.fc1.",
        r"encoder\.layer\.([0-9]+)\.output\.dense\.": r"blocks.\1.mlp.fc2.",
        r"(?:encoder\.layer|layers)\.([0-9]+)\.layernorm_before\.": r"blocks.\1.norm1.",
        r"(?:encoder\.layer|layers)\.([0-9]+)\.layernorm_after\.": r"blocks.\1.norm2.",
        **_HUGGING_FACE,
    },
    ("vit", "deit"),
    _HUGGING_FACE_CLASSIFIERS,
    norm_eps=1e-12,
    resampling=Resampling(antialias=False),
    preprocessing=Preprocessing(_MEAN_AND_STD, _MEAN_AND_STD, "bilinear", fit="squash", centre="floor"),
)
HUGGING_FACE_DINOV2 = Layout(
    "Hugging Face DINOv2",
    _OUTER + r"(?:encoder\.layer|layers)\.0\.layer_scale1\.lambda1",
    {
        r"embeddings\.register_tokens": "reg_token",
        r"(?:encoder\.layer|layers)\.([0-9]+)\.(norm[12])\.": r"blocks.\1.\2.",
        r"(?:encoder\.layer|layers)\.([0-9]+)\.layer_scale([12])\.lambda1": r"blocks.\1.ls\2.gamma",
        r"(?:encoder\.layer|layers)\.([0-9]+)\.mlp\.weights_in\.": r"blocks.\1.mlp.fc1.",
        r"(?:encoder\.layer|layers)\.([0-9]+)\.mlp\.(?:weights_out|down_proj)\.": r"blocks.\1.mlp.fc2.",
        r"(?:encoder\.layer|layers)\.([0-9]+)\.mlp\.(gate|up)_proj\.": r"blocks.\1.mlp.\2.",
        **_HUGGING_FACE,
    },
    ("dinov2", "dinov2_with_registers"),
    _HUGGING_FACE_CLASSIFIERS,
    resampling=Resampling(antialias=False),
    preprocessing=Preprocessing(crop_fraction=224 / 256, centre="floor"),
)
TORCHVISION = Layout(
    "torchvision",
    _OUTER + r"conv_proj\.weight",
    {
        r"class_token": "cls_token",
        r"conv_proj\.": "patch_embed.proj.",
        r"encoder\.pos_embedding": "pos_embed",
        r"encoder\.layers\.encoder_layer_([0-9]+)\.ln_([12])\.": r"blocks.\1.norm\2.",
        r"encoder\.layers\.encoder_layer_([0-9]+)\.self_attention\.in_proj_": r"blocks.\1.attn.qkv.",
        r"encoder\.layers\.encoder_layer_([0-9]+)\.self_attention\.out_proj\.": r"blocks.\1.attn.proj.",
        r"encoder\.layers\.encoder_layer_([0-9]+)\.mlp\.(?:0|linear_1)\.": r"blocks.\1.mlp.fc1.",
        r"encoder\.layers\.encoder_layer_([0-9]+)\.mlp\.(?:3|linear_2)\.": r"blocks.\1.mlp.fc2.",
        r"encoder\.ln\.": "norm.",
        r"heads\.(?:head\.)?": "head.",
    },
    # torchvision's models accept a single size; its `interpolate_embeddings` converts weights to another.
    resampling=Resampling(antialias=False, align_corners=True),
    preprocessing=Preprocessing(interpolation="bilinear", crop_fraction=224 / 256),
)
LAYOUTS = (HUGGING_FACE_VIT, HUGGING_FACE_DINOV2, TORCHVISION, TIMM, DINOV2)  # the last match takes precedence


def renamed(weights: Mapping[str, Tensor], layout: Layout, file: str) -> dict[str, Tensor]:
    """Convert the keys of a ViT's weights to timm's names.

    Args:
        weights: tensors by the layout's keys, without the prefixes of wrappers.
        layout: naming scheme of the keys.
        file: name of the file for messages.

    Returns:
        The weights. Unknown keys keep their names, so that the later check of the keys reports them.

    Raises:
        ModelError: if two keys have the same timm name.
    """
    found: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for key, value in weights.items():
        name = _timm_name(key, layout.renames)
        if name in origin:
            raise ModelError(
                f"{origin[name]!r} and {key!r} in {file!r} are both {name!r} in a ViT; save only the weights of the "
                "ViT, with torch.save(vit.state_dict(), path)."
            )
        if name:
            found[name], origin[name] = value, key
    if layout in (HUGGING_FACE_VIT, HUGGING_FACE_DINOV2):
        found = _join(found, "attn", ("query", "key", "value"), "qkv")
        found = _join(found, "mlp", ("gate", "up"), "fc1")
    if layout in (HUGGING_FACE_DINOV2, DINOV2) and {"reg_token", "cls_token", "pos_embed"} <= found.keys():
        _fold_class_position(found)
    # DeiT's distillation token acts as a register token, unless a second classifier reads it.
    if layout is HUGGING_FACE_VIT and {"reg_token", "head_dist.weight"} <= found.keys():
        found["dist_token"] = found.pop("reg_token")
    return found


def _timm_name(key: str, renames: Mapping[str, str]) -> str:
    for pattern, name in renames.items():
        new, count = re.subn(f"^{pattern}", name, key)
        if count:
            return new if name else ""
    return key


def _join(weights: dict[str, Tensor], part: str, names: tuple[str, ...], joint: str) -> dict[str, Tensor]:
    """Concatenate weights that timm stores in a single tensor, in this order; keep incomplete sets as they are."""
    joined = {}
    for key, value in weights.items():
        found = re.fullmatch(rf"(blocks\.[0-9]+\.{part})\.({'|'.join(names)})\.(weight|bias)", key)
        before, name, after = found.groups() if found else ("", "", "")
        parts = [weights.get(f"{before}.{name}.{after}") for name in names]
        if any(other is None or other.shape != value.shape for other in parts):
            joined[key] = value
        elif name == names[0]:
            joined[f"{before}.{joint}.{after}"] = torch.cat(parts)
    return joined


def _fold_class_position(weights: dict[str, Tensor]) -> None:
    """Add the class token's position embedding to the token, because timm then stores that of the patches only."""
    positions = weights["pos_embed"]
    weights["cls_token"] = weights["cls_token"] + positions[:, :1]
    weights["pos_embed"] = positions[:, 1:]
