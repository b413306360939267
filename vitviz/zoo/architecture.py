"""Build a timm architecture by its name, with the options that the file states or that its weights imply."""

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

if TYPE_CHECKING:
    from torch import nn

_MAX_TEXT = 10_000  # letters of options that are written as text
_MAX_DEPTH = 256  # blocks; building more takes long, and no model has them
# Arguments of a training script or a config.json that change how a model is loaded or trained, not what it computes.
_NOT_ARCHITECTURE = {"device", "dtype", "weight_init", "fix_init", "strict_img_size", "head_init_scale", "scriptable"}
_NOT_ARCHITECTURE |= {"exportable", "no_jit", "pretrained", "pretrained_cfg", "pretrained_strict", "cache_dir"}
# Arguments of a training script that are called as timm calls them.
_OF_SCRIPTS = ("num_heads", "global_pool", "act_layer", "qk_norm")


@dataclass(frozen=True)
class Architecture:
    """A timm architecture with the options that a set of weights needs.

    Attributes:
        build: function that builds the model with random weights, with options that the weights tell.
        as_said: the same with no such option but the depth, for weights that timm has yet to rename.
        pretrained_cfg: `pretrained_cfg` of the timm model.
    """

    build: "Callable[[], nn.Module]"
    as_said: "Callable[[], nn.Module]"
    pretrained_cfg: Mapping[str, Any]


def is_known(name: object) -> bool:
    """Return whether timm has an architecture of this name, with or without the tag of pretrained weights."""
    import timm

    return isinstance(name, str) and timm.is_model(name.partition(".")[0])


def architecture(
    name: str, weights: Mapping[str, Tensor], said: Mapping[str, Any], trained: Size | None = None
) -> Architecture:
    """Find the architecture of this name and the options that the weights need.

    Args:
        name: timm's name.
        weights: tensors by timm's names; where their shapes contradict `said`, the shapes win.
        said: options that the file states, see `options_of`.
        trained: input size in training, pixels, if it is known; used if the position embeddings are for it.

    Raises:
        ModelError: if timm has no such architecture, or cannot build it with the options that the file states.
    """
    import timm

    model = created(name, said)
    width, own = _width(weights), _width(model.state_dict())
    if width and own and width != own and "embed_dim" not in said:
        if "num_heads" not in said:  # those of the name are for its own width
            raise ModelError(
                f"The weights are {width} wide and {name} is {own}; pass heads= with the number of heads in training, "
                "which no weight tells, or the arch= that it was trained as."
            )
        said = {**said, "embed_dim": width}
        model = created(name, said)
    taken = {name for kind in type(model).__mro__[:-1] for name in inspect.signature(kind).parameters}
    told = {key: value for key, value in _told(model, weights, said, trained).items() if key in taken}
    depth = {key: value for key, value in told.items() if key == "depth"}
    builds = (partial(timm.create_model, name, **{**said, **given}) for given in (told, depth))
    return Architecture(*builds, dict(model.pretrained_cfg))


def contradicted(said: Mapping[str, Any], build: "Callable[[], nn.Module]") -> list[str]:
    """Options that the weights contradict, each as a phrase with what the weights have instead.

    Args:
        said: options that somebody states.
        build: the function of an `Architecture` that made a model which the weights fit.
    """
    used = build.keywords if isinstance(build, partial) else {}
    others = {key: used[key] for key, value in said.items() if key in used and not _same(key, value, used[key])}
    return [f"{key}={shown(said[key])}, where the weights have {_rounded(value)}" for key, value in others.items()]


def _same(option: str, said: object, used: object) -> bool:
    if option in ("img_size", "patch_size"):
        said, used = (tuple(value) if isinstance(value, list | tuple) else (value, value) for value in (said, used))
    return said == used


def _rounded(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else shown(value)


def created(name: str, said: Mapping[str, Any] = MappingProxyType({})) -> "nn.Module":
    """The timm model of this name with these options, on the meta device: shapes only.

    Raises:
        ModelError: if timm has no such architecture, or cannot build it so.
    """
    import timm

    if not is_known(name):
        nearest = difflib.get_close_matches(name[:LONGEST], timm.list_models(), n=3, cutoff=0)
        raise ModelError(f"timm has no architecture {shown(name)}; the nearest names are {', '.join(nearest)}.")
    try:
        with torch.device("meta"):
            return timm.create_model(name, **said)
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError, ArithmeticError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"The architecture {name!r} cannot be built with the options {said}: {reason}.") from error


def _width(weights: Mapping[str, Tensor]) -> int:
    embed = weights.get("patch_embed.proj.weight")
    return 0 if embed is None or embed.ndim not in (2, 4) else len(embed)


def options_of(config: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """Read the options that a model was created with from the settings that timm saves with its weights.

    Args:
        config: `config.json` as timm's `save_for_hf` writes it: `model_args`, and `global_pool`.
        args: the arguments of timm's train.py: `gp`, `in_chans`, `model_kwargs`.

    Raises:
        ModelError: if an option is not one of a plain ViT of timm.
    """
    of_script = {key: args[key] for key in _OF_SCRIPTS if isinstance(args.get(key), str | int)}
    said = {**of_script, **_mapping(args.get("model_kwargs")), **_mapping(config.get("model_args"))}
    pool = args.get("gp") or config.get("global_pool")
    if isinstance(pool, str):
        said.setdefault("global_pool", pool)
    return checked_options(said, "The model was made with")


def checked_options(said: Mapping[str, Any], before: str) -> dict[str, Any]:
    """Options that change what a plain ViT of timm computes, without those that do not.

    Args:
        said: arguments of timm's `create_model`.
        before: beginning of the sentence if one of them cannot be followed.

    Raises:
        ModelError: if one is not an option of a plain ViT.
    """
    said = {key: value for key, value in said.items() if key not in _NOT_ARCHITECTURE and not key.endswith("_rate")}
    unknown = [key for key in said if key not in _options()]
    if unknown or not isinstance(said.get("depth", 1), int) or said.get("depth", 1) > _MAX_DEPTH:
        raise ModelError(
            f"{before} {shown(unknown[0]) if unknown else repr('depth')}, which cannot be followed here; build it "
            "with timm and use vitviz.from_timm."
        )
    if isinstance(said.get("img_size"), list):
        said["img_size"] = tuple(said["img_size"])
    return said


def _mapping(value: object) -> dict[str, Any]:
    """Options as a mapping, also from a text of one, or from texts such as "num_heads=12" on a command line."""
    if isinstance(value, list | tuple) and all(isinstance(part, str) and "=" in part for part in value):
        return {key: _literal(text) for key, _, text in (part.partition("=") for part in value)}
    value = _literal(value) if isinstance(value, str) else value
    return {str(key): inner for key, inner in value.items()} if isinstance(value, Mapping) else {}


def _literal(text: str) -> object:
    """The value that a text writes as Python does; the text itself if it does not."""
    try:
        return ast.literal_eval(text) if len(text) < _MAX_TEXT else text
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _options() -> set[str]:
    """Names of all options that determine the shape of a plain ViT of timm."""
    from timm.models.beit import Beit
    from timm.models.eva import Eva
    from timm.models.naflexvit import NaFlexVit
    from timm.models.vision_transformer import VisionTransformer

    kinds = (VisionTransformer, Beit, Eva, NaFlexVit)
    return {"use_naflex"} | {name for kind in kinds for name in inspect.signature(kind).parameters}


def _told(
    model: "nn.Module", weights: Mapping[str, Tensor], said: Mapping[str, Any], trained: Size | None
) -> dict[str, Any]:
    """Options that the weights imply, as far as they differ from those of the model."""
    own = model.state_dict()
    told: dict[str, Any] = {"num_classes": 0}
    name = model.pretrained_cfg.get("classifier") or "head"
    head = weights.get(f"{name if isinstance(name, str) else name[0]}.weight")
    if head is not None:
        told["num_classes"] = len(head)
    embed = weights.get("patch_embed.proj.weight")
    if embed is not None and embed.ndim == 4 and embed.shape != own.get("patch_embed.proj.weight", embed).shape:
        told |= {"in_chans": embed.shape[1], "patch_size": embed.shape[2]}
    told |= _positions(model, weights, told.get("patch_size"), said, trained)
    scaled = {"blocks.0.ls1.gamma", "blocks.0.gamma_1"}
    if bool(scaled & own.keys()) != bool(scaled & weights.keys()):
        told["init_values"] = 1e-5 if scaled & weights.keys() else None
    if "fc_norm.weight" in weights and "fc_norm.weight" not in own:
        told["global_pool"] = "avg"
    if "fc_norm.weight" in own and "norm.weight" in weights and "fc_norm.weight" not in weights:
        told |= {"fc_norm": False, "use_fc_norm": False} if "global_pool" in said else {}
    for option, key in {
        "class_token": "cls_token",
        "qk_norm": "blocks.0.attn.q_norm.weight",
        "pre_norm": "norm_pre.weight",
    }.items():
        if (key in weights) != (key in own):
            told[option] = key in weights
    if "blocks.0.attn.qkv.weight" in weights and "blocks.0.attn.q_bias" not in {*own, *weights}:
        key = "blocks.0.attn.qkv.bias"
        if (key in weights) != (key in own):
            told["qkv_bias"] = key in weights
    registers = weights["reg_token"].shape[1] if "reg_token" in weights else 0
    if registers != (own["reg_token"].shape[1] if "reg_token" in own else 0):
        told |= {"reg_tokens": registers, "num_reg_tokens": registers}
    depth = len({found[1] for key in weights if (found := re.match(r"blocks\.([0-9]+)\.", key))})
    if 0 < depth <= _MAX_DEPTH and depth != len(model.blocks):
        told["depth"] = depth
    hidden = weights.get("blocks.0.mlp.fc1.weight")
    if hidden is not None and hidden.ndim == 2 and hidden.shape != own.get("blocks.0.mlp.fc1.weight", hidden).shape:
        told["mlp_ratio"] = (len(hidden) + 0.5) / hidden.shape[1]  # timm rounds down
    return told


def _positions(
    model: "nn.Module",
    weights: Mapping[str, Tensor],
    patch: int | None,
    said: Mapping[str, Any],
    trained: Size | None,
) -> dict[str, Any]:
    """Options for the input size of the position embeddings in the weights, if the model has another one."""
    own, found = getattr(model, "pos_embed", None), weights.get("pos_embed")
    rows, columns = model.patch_embed.grid_size if hasattr(model, "patch_embed") else (0, 0)
    stride = model.patch_embed.img_size[0] // rows if rows else 0  # a hybrid's is not the side of its patches
    table = next((value for key, value in weights.items() if key.endswith("relative_position_bias_table")), None)
    if own is None and table is not None and table.ndim == 2:  # BEiT's has (2 rows - 1) (2 columns - 1) + 3 numbers
        side = (math.isqrt(max(0, len(table) - 3)) + 1) // 2
        is_other = (2 * rows - 1) * (2 * columns - 1) + 3 != len(table)
        return {"img_size": (side * stride,) * 2} if side and is_other else {}
    if own is None or found is None or found.ndim != 3 or own.ndim != 3:
        return {}
    size = said.get("img_size", (rows * stride, columns * stride))
    patch = patch or stride
    size = (size, size) if isinstance(size, int) else size
    registers = weights["reg_token"].shape[1] if "reg_token" in weights else 0
    prefix = ("cls_token" in weights) + ("dist_token" in weights) + registers
    with_prefix = own.shape[1] > rows * columns
    for places in (with_prefix, not with_prefix):
        patches = found.shape[1] - (prefix if places else 0)
        side = math.isqrt(max(0, patches))
        options = {} if places == with_prefix else {"no_embed_class": not places}
        if math.prod(length // patch for length in size) == patches:
            return options
        sides = trained if isinstance(trained, tuple) else (trained, trained)
        if trained and "img_size" not in said and math.prod(length // patch for length in sides) == patches:
            return options | {"img_size": sides}
        if side and side * side == patches:
            return options | {"img_size": (side * patch, side * patch)}
    return {}


def in_timms_names(model: "nn.Module", weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Rename weights with timm's own `checkpoint_filter_fn` for this model; unchanged if it cannot read them.

    Args:
        model: timm model on the meta device.
        weights: tensors by the names in the code that was published with the paper.
    """
    rename = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if rename is None:
        return weights
    options = {"adapt_layer_scale": True} if "adapt_layer_scale" in inspect.signature(rename).parameters else {}
    try:
        found = rename(dict(weights), model, **options)
    except (KeyError, RuntimeError, ValueError, AttributeError, TypeError, IndexError):
        return weights
    # It also resizes, which would be another model than the file's.
    is_resized = any(key in weights and value.numel() != weights[key].numel() for key, value in found.items())
    return weights if is_resized or mismatch(model, found) else found
