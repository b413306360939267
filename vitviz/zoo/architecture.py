"""Build a timm architecture by name, with the options that a file states or its weights imply."""

import ast
import difflib
import inspect
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..errors.arguments import LONGEST, shown
from ..images import Size
from .convert import mismatch
from .plain import MAX_DEPTH

if TYPE_CHECKING:
    from torch import nn

_MAX_TEXT = 10_000  # characters of options given as text
_MAX_ITEMS = 16  # of an option that is a list or a mapping
# Arguments of a training script or a config.json that affect loading or training, but not the forward pass.
_NOT_ARCHITECTURE = {"device", "dtype", "weight_init", "fix_init", "strict_img_size", "head_init_scale", "scriptable"}
_NOT_ARCHITECTURE |= {"exportable", "no_jit", "pretrained", "pretrained_cfg", "pretrained_strict", "cache_dir"}
# Arguments of a training script that have the same name in timm.
_OF_SCRIPTS = ("num_heads", "global_pool", "act_layer", "qk_norm")


@dataclass(frozen=True)
class Architecture:
    """A timm architecture with the options that a set of weights needs.

    Attributes:
        build: function that builds the model with random weights, with all options that the weights imply.
        as_stated: the same, but with only the depth implied by the weights; for weights that timm has yet to rename.
        pretrained_cfg: `pretrained_cfg` of the timm model.
    """

    build: "Callable[[], nn.Module]"
    as_stated: "Callable[[], nn.Module]"
    pretrained_cfg: Mapping[str, Any]


def is_known(name: object) -> bool:
    """Return whether timm has an architecture of this name, with or without the tag of pretrained weights."""
    import timm

    return isinstance(name, str) and timm.is_model(name.partition(".")[0])


def architecture(
    name: str, weights: Mapping[str, Tensor], stated: Mapping[str, Any], trained: Size | None = None
) -> Architecture:
    """Find the architecture of this name and the options that the weights need.

    Args:
        name: timm's name.
        weights: tensors by timm's names; their shapes override contradicting options in `stated`.
        stated: options stated by the file, see `options_of`.
        trained: input size in training, in pixels, if known; used if the position embeddings have this size.

    Raises:
        ModelError: if timm has no such architecture, or cannot build it with the stated options.
    """
    import timm

    model = created(name, stated)
    embed_dim, own = _embed_dim(weights), _embed_dim(model.state_dict())
    if embed_dim and own and embed_dim != own and "embed_dim" not in stated:
        if "num_heads" not in stated:  # the architecture's number of heads belongs to its own embed_dim
            raise other_embed_dim(embed_dim, name, own)
        stated = {**stated, "embed_dim": embed_dim}
        model = created(name, stated)
    accepted = {name for kind in type(model).__mro__[:-1] for name in inspect.signature(kind).parameters}
    implied = {
        key: value for key, value in _implied_options(model, weights, stated, trained).items() if key in accepted
    }
    depth = {key: value for key, value in implied.items() if key == "depth"}
    builds = (partial(timm.create_model, name, **{**stated, **given}) for given in (implied, depth))
    return Architecture(*builds, dict(model.pretrained_cfg))


def other_embed_dim(embed_dim: int, arch: str, expected: int) -> ModelError:
    """Error for weights whose embed_dim is not that of the architecture."""
    return ModelError(
        f"The weights have embed_dim {embed_dim} and {arch} has {expected}; pass num_heads= with the number of heads "
        "used in training, which cannot be derived from the weights, or arch= with the architecture used in training."
    )


def contradicted(stated: Mapping[str, Any], build: "Callable[[], nn.Module]") -> list[str]:
    """Options that the weights contradict, each as a phrase with the value in the weights.

    Args:
        stated: options stated by the file or the caller.
        build: function of an `Architecture` that built a model which fits the weights.
    """
    used = build.keywords if isinstance(build, partial) else {}
    others = {key: used[key] for key, value in stated.items() if key in used and not _same(key, value, used[key])}
    return [f"{key}={shown(stated[key])}, where the weights have {_rounded(value)}" for key, value in others.items()]


def _same(option: str, stated: object, used: object) -> bool:
    if option in ("img_size", "patch_size"):
        stated, used = (tuple(value) if isinstance(value, list | tuple) else (value, value) for value in (stated, used))
    return stated == used


def _rounded(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else shown(value)


def created(name: str, stated: Mapping[str, Any] = MappingProxyType({})) -> "nn.Module":
    """Create a timm model on the meta device, with shapes but without weights.

    Raises:
        ModelError: if timm has no such architecture, or cannot build it with these options.
    """
    import timm

    if not is_known(name):
        nearest = difflib.get_close_matches(name[:LONGEST], timm.list_models(), n=3, cutoff=0)
        raise ModelError(f"timm has no architecture {shown(name)}; the nearest names are {', '.join(nearest)}.")
    try:
        with torch.device("meta"):
            return timm.create_model(name, **stated)
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError, ArithmeticError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"The architecture {name!r} cannot be built with the options {stated}: {reason}.") from error


def _embed_dim(weights: Mapping[str, Tensor]) -> int:
    embed = weights.get("patch_embed.proj.weight")
    return 0 if embed is None or embed.ndim not in (2, 4) else len(embed)


def options_of(config: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """Read the options that a model was created with from the settings that timm saves with its weights.

    Args:
        config: `config.json` as written by timm's `save_for_hf`, with `model_args` and `global_pool`.
        args: arguments of timm's train.py, such as `gp`, `in_chans` and `model_kwargs`.

    Raises:
        ModelError: if an option is not one of a plain ViT of timm.
    """
    of_script = {key: args[key] for key in _OF_SCRIPTS if isinstance(args.get(key), str | int)}
    stated = {**of_script, **_mapping(args.get("model_kwargs")), **_mapping(config.get("model_args"))}
    pool = args.get("gp") or config.get("global_pool")
    if isinstance(pool, str):
        stated.setdefault("global_pool", pool)
    stated = checked_options(stated, "The model was made with")
    odd = next((key for key, value in stated.items() if not _is_plain(value)), None)
    if odd is not None:
        raise ModelError(
            f"The model was made with {shown(stated[odd])} as {shown(odd)}, which is not supported here; build the "
            "model with timm and use vitviz.from_timm."
        )
    return stated


def _is_plain(value: object, nested: bool = False) -> bool:
    """Return whether an option is a short value, or a few of them; a file can nest others without end."""
    if isinstance(value, list | tuple | dict):
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        return not nested and len(value) <= _MAX_ITEMS and all(_is_plain(one, True) for one in inner)
    return value is None or (isinstance(value, bool | int | float | str) and len(shown(value)) <= LONGEST)


def checked_options(stated: Mapping[str, Any], before: str) -> dict[str, Any]:
    """Return the options that affect the forward pass of a plain timm ViT.

    Args:
        stated: arguments of timm's `create_model`.
        before: beginning of the error message for an unsupported option.

    Raises:
        ModelError: if one is not an option of a plain ViT.
    """
    stated = {key: value for key, value in stated.items() if key not in _NOT_ARCHITECTURE and not key.endswith("_rate")}
    unknown = [key for key in stated if key not in _options()]
    if unknown or not isinstance(stated.get("depth", 1), int) or stated.get("depth", 1) > MAX_DEPTH:
        raise ModelError(
            f"{before} {shown(unknown[0]) if unknown else repr('depth')}, which is not supported here; build the model "
            "with timm and use vitviz.from_timm."
        )
    if isinstance(stated.get("img_size"), list):
        stated["img_size"] = tuple(stated["img_size"])
    return stated


def _mapping(value: object) -> dict[str, Any]:
    """Convert options to a dictionary, from a mapping, its text, or command-line texts such as "num_heads=12"."""
    if isinstance(value, list | tuple) and all(isinstance(part, str) and "=" in part for part in value):
        return {key: _literal(text) for key, _, text in (part.partition("=") for part in value)}
    value = _literal(value) if isinstance(value, str) else value
    return {str(key): inner for key, inner in value.items()} if isinstance(value, Mapping) else {}


def _literal(text: str) -> object:
    """Parse a text as a Python literal; return the text itself if it is not one."""
    try:
        return ast.literal_eval(text) if len(text) < _MAX_TEXT else text
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _options() -> set[str]:
    """Names of all arguments of timm's plain ViTs."""
    from timm.models.beit import Beit
    from timm.models.eva import Eva
    from timm.models.naflexvit import NaFlexVit
    from timm.models.vision_transformer import VisionTransformer

    kinds = (VisionTransformer, Beit, Eva, NaFlexVit)
    return {"use_naflex"} | {name for kind in kinds for name in inspect.signature(kind).parameters}


def _implied_options(
    model: "nn.Module", weights: Mapping[str, Tensor], stated: Mapping[str, Any], trained: Size | None
) -> dict[str, Any]:
    """Options implied by the weights that differ from those of the model."""
    own = model.state_dict()
    implied: dict[str, Any] = {"num_classes": 0}
    name = model.pretrained_cfg.get("classifier") or "head"
    head = weights.get(f"{name if isinstance(name, str) else name[0]}.weight")
    if head is not None:
        implied["num_classes"] = len(head)
    embed = weights.get("patch_embed.proj.weight")
    if embed is not None and embed.ndim == 4 and embed.shape != own.get("patch_embed.proj.weight", embed).shape:
        implied |= {"in_chans": embed.shape[1], "patch_size": embed.shape[2]}
    implied |= _size_options(model, weights, implied.get("patch_size"), stated, trained)
    scaled = {"blocks.0.ls1.gamma", "blocks.0.gamma_1"}
    if bool(scaled & own.keys()) != bool(scaled & weights.keys()):
        implied["init_values"] = 1e-5 if scaled & weights.keys() else None
    if "fc_norm.weight" in weights and "fc_norm.weight" not in own:
        implied["global_pool"] = "avg"
    if "fc_norm.weight" in own and "norm.weight" in weights and "fc_norm.weight" not in weights:
        implied |= {"fc_norm": False, "use_fc_norm": False} if "global_pool" in stated else {}
    for option, key in {
        "class_token": "cls_token",
        "qk_norm": "blocks.0.attn.q_norm.weight",
        "pre_norm": "norm_pre.weight",
    }.items():
        if (key in weights) != (key in own):
            implied[option] = key in weights
    if "blocks.0.attn.qkv.weight" in weights and "blocks.0.attn.q_bias" not in {*own, *weights}:
        key = "blocks.0.attn.qkv.bias"
        if (key in weights) != (key in own):
            implied["qkv_bias"] = key in weights
    registers = weights["reg_token"].shape[1] if "reg_token" in weights else 0
    if registers != (own["reg_token"].shape[1] if "reg_token" in own else 0):
        implied |= {"reg_tokens": registers, "num_reg_tokens": registers}
    depth = len({found[1] for key in weights if (found := re.match(r"blocks\.([0-9]+)\.", key))})
    if 0 < depth <= MAX_DEPTH and depth != len(model.blocks):
        implied["depth"] = depth
    hidden = weights.get("blocks.0.mlp.fc1.weight")
    if hidden is not None and hidden.ndim == 2 and hidden.shape != own.get("blocks.0.mlp.fc1.weight", hidden).shape:
        implied["mlp_ratio"] = (len(hidden) + 0.5) / hidden.shape[1]  # timm rounds down
    return implied


def _size_options(
    model: "nn.Module",
    weights: Mapping[str, Tensor],
    patch: int | None,
    stated: Mapping[str, Any],
    trained: Size | None,
) -> dict[str, Any]:
    """Options for the input size of the position embeddings in the weights, if that of the model differs."""
    own, found = getattr(model, "pos_embed", None), weights.get("pos_embed")
    rows, columns = model.patch_embed.grid_size if hasattr(model, "patch_embed") else (0, 0)
    stride = model.patch_embed.img_size[0] // rows if rows else 0  # not the patch_size of a hybrid's patch_embed
    table = next((value for key, value in weights.items() if key.endswith("relative_position_bias_table")), None)
    if own is None and table is not None and table.ndim == 2:  # BEiT: (2 rows - 1) (2 columns - 1) + 3 entries
        side = (math.isqrt(max(0, len(table) - 3)) + 1) // 2
        is_other = (2 * rows - 1) * (2 * columns - 1) + 3 != len(table)
        return {"img_size": (side * stride,) * 2} if side and is_other else {}
    if own is None or found is None or found.ndim != 3 or own.ndim != 3:
        return {}
    size = stated.get("img_size", (rows * stride, columns * stride))
    patch = patch or stride
    size = (size, size) if isinstance(size, int) else size
    registers = weights["reg_token"].shape[1] if "reg_token" in weights else 0
    prefix = ("cls_token" in weights) + ("dist_token" in weights) + registers
    with_prefix = own.shape[1] > rows * columns
    for includes_prefix in (with_prefix, not with_prefix):
        patches = found.shape[1] - (prefix if includes_prefix else 0)
        side = math.isqrt(max(0, patches))
        options = {} if includes_prefix == with_prefix else {"no_embed_class": not includes_prefix}
        if math.prod(length // patch for length in size) == patches:
            return options
        sides = trained if isinstance(trained, tuple) else (trained, trained)
        if trained and "img_size" not in stated and math.prod(length // patch for length in sides) == patches:
            return options | {"img_size": sides}
        if side and side * side == patches:
            return options | {"img_size": (side * patch, side * patch)}
    return {}


def renamed_by_timm(model: "nn.Module", weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Rename weights with timm's `checkpoint_filter_fn` for this model; return them unchanged if that fails.

    Args:
        model: timm model on the meta device.
        weights: tensors by the names of the code published with the paper.
    """
    rename = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if rename is None:
        return weights
    options = {"adapt_layer_scale": True} if "adapt_layer_scale" in inspect.signature(rename).parameters else {}
    try:
        found = rename(dict(weights), model, **options)
    except (KeyError, RuntimeError, ValueError, AttributeError, TypeError, IndexError):
        return weights
    # checkpoint_filter_fn also resizes weights, which would change the model.
    is_resized = any(key in weights and value.numel() != weights[key].numel() for key, value in found.items())
    return weights if is_resized or mismatch(model, found) else found
