"""From the weights of a training run to a model: what the keys tell, what only a person can tell, and the check.

The model is first built in timm, and then converted as any other timm model is.
"""

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..config import Meaning
from ..convert import build as build_model
from ..convert import from_timm, mismatch
from ..convert.labels import labels_of
from ..convert.preprocessing import from_hugging_face, from_timm_config
from ..errors import ModelError
from ..images import Preprocessing
from ..model import VisionTransformer
from .checkpoint import Checkpoint, read_checkpoint
from .class_names import Classes, read_labels
from .layouts import HUGGING_FACE_DINOV2, TIMM, Layout, recognise

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

# No key tells how many heads there are; these are what ViTs of these widths nearly always have. Wider ones differ.
USUAL_HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16}

_PLAIN_KEYS = re.compile(
    r"(cls_token|reg_token|dist_token|pos_embed|patch_embed\.proj\.(weight|bias)|(norm|fc_norm|head|head_dist)\.(weight|bias)"
    r"|blocks\.\d+\.((norm1|norm2|attn\.qkv|attn\.proj|mlp\.fc1|mlp\.fc2)\.(weight|bias)|ls[12]\.gamma))"
)
# What the outputs are, in the words of a Hugging Face training run.
_MEANINGS: dict[str, Meaning] = {"multi_label_classification": "independent", "regression": "values"}
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}


def load_checkpoint(path: str | Path, arch: str | None = None, classes: Classes | None = None) -> VisionTransformer:
    """Load the weights of a training run.

    Args:
        path: a .safetensors, .pth, .pt, .bin or .ckpt file, or a folder with config.json and model.safetensors.
        arch: timm's name of the architecture, where the file does not tell it.
        classes: the class names, see `vitviz.load`; 0 leaves the classifier out.

    Raises:
        ModelError: if the file cannot be read, its architecture cannot be told, or its keys are not those of the
            architecture; the message says which.
    """
    checkpoint = read_checkpoint(path)
    with _plain_refusals(checkpoint.name):
        return _restored(checkpoint, arch, classes)


@contextmanager
def _plain_refusals(name: str) -> Iterator[None]:
    """Turn what nonsense in a file or in the JSON beside it makes Python raise into one sentence."""
    try:
        yield
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, AssertionError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{name!r}, or a JSON file beside it, makes no sense: {reason}; save it again.") from error


def _restored(checkpoint: Checkpoint, arch: str | None, classes: Classes | None) -> VisionTransformer:
    layout, weights = recognise(checkpoint.weights, checkpoint.name)
    without_head = classes == 0 and not isinstance(classes, bool)
    if without_head:
        weights = {key: value for key, value in weights.items() if not key.startswith(("head.", "head_dist."))}
    wide_head = _wide_head(weights, layout, checkpoint.name)
    name = arch or _known(checkpoint.config.get("architecture")) or _known(checkpoint.arch)
    config: dict[str, Any] = {}
    if name and layout in (None, TIMM):
        build, config = _architecture(name, weights)
    else:
        if layout in (None, TIMM):
            _refuse_unknown_parts(weights, layout, checkpoint.name)
        build = partial(_plain_vit, **_plain_options(weights, layout or TIMM, checkpoint, arch))
    model = from_timm(_filled(build, weights, checkpoint.name))
    if wide_head:
        model = _with_wide_head(model, wide_head)
    model.name = checkpoint.name
    model.preprocessing = _preprocessing(checkpoint, layout, config)
    outputs = model.config.classes
    model.labels = read_labels(classes, outputs, checkpoint.name) or _labels(checkpoint.config, outputs)
    # Names make classes of what the architecture alone would take for an embedding.
    meaning = _MEANINGS.get(str(checkpoint.config.get("problem_type"))) or ("classes" if model.labels else None)
    if meaning:
        model.meaning = meaning
    return model


# ---------------------------------------------------------------- an architecture by name


def _known(name: object) -> str:
    import timm

    return name if isinstance(name, str) and timm.is_model(name.partition(".")[0]) else ""


def _architecture(name: str, weights: Mapping[str, Tensor]) -> "tuple[Callable[[], nn.Module], dict[str, Any]]":
    """How to build a timm architecture so that the weights fit, and its pretrained configuration."""
    import timm

    if not _known(name):
        nearest = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0)
        raise ModelError(f"timm has no architecture {name!r}; the nearest names are {', '.join(nearest)}.")
    with torch.device("meta"):  # shapes only
        model = timm.create_model(name)
    config = dict(model.pretrained_cfg)
    heads = config.get("classifier") or "head"
    head = weights.get(f"{heads if isinstance(heads, str) else heads[0]}.weight")
    options: dict[str, Any] = {"num_classes": 0 if head is None else len(head)}
    embed = weights.get("patch_embed.proj.weight")
    if embed is not None and embed.ndim == 4 and embed.shape[1] != 3:
        options["in_chans"] = embed.shape[1]
    side = _other_side(model, weights)
    if side:
        options["img_size"] = side
    return partial(timm.create_model, name, **options), config


def _other_side(model: "nn.Module", weights: Mapping[str, Tensor]) -> int | None:
    """The side of the square input that the positions in the weights are for; None if it is the model's own."""
    own, found = getattr(model, "pos_embed", None), weights.get("pos_embed")
    if own is None or found is None or found.ndim != 3 or own.ndim != 3 or own.shape[1] == found.shape[1]:
        return None
    rows, columns = model.patch_embed.grid_size
    side = math.isqrt(max(0, found.shape[1] - (own.shape[1] - rows * columns)))
    return side * model.patch_embed.patch_size[0] or None


# ---------------------------------------------------------------- a plain ViT, from its keys


def _plain_options(
    weights: Mapping[str, Tensor], layout: Layout, checkpoint: Checkpoint, arch: str | None
) -> dict[str, Any]:
    """The shape of a plain ViT as timm's `VisionTransformer` takes it.

    Raises:
        ModelError: if the keys leave something open.
    """
    name, config = checkpoint.name, checkpoint.config
    embed, positions, hidden = (
        _needed(weights, key, name) for key in ("patch_embed.proj.weight", "pos_embed", "blocks.0.mlp.fc1.weight")
    )
    width, channels, patch, _ = embed.shape
    head = weights.get("head.weight")
    registers = weights["reg_token"].shape[1] if "reg_token" in weights else 0
    prefix = ("cls_token" in weights) + ("dist_token" in weights) + registers
    side, with_prefix = _grid(positions.shape[1], prefix, config, patch, name)
    gated = len(hidden) != _needed(weights, "blocks.0.mlp.fc2.weight", name).shape[1]
    if gated and layout is not HUGGING_FACE_DINOV2:
        raise _ask(name, "its MLPs are gated, and no key tells with which activation")
    return {
        "distilled": "dist_token" in weights,
        "img_size": side,
        "patch_size": patch,
        "in_chans": channels,
        "embed_dim": width,
        "depth": _depth(weights, name),
        "num_heads": _heads(width, config, arch, name),
        "mlp_ratio": (len(hidden) + 0.5) / width,  # timm rounds down
        "gated": gated,
        "qkv_bias": "blocks.0.attn.qkv.bias" in weights,
        "init_values": 1e-5 if "blocks.0.ls1.gamma" in weights else None,
        "class_token": "cls_token" in weights,
        "reg_tokens": registers,
        "no_embed_class": not with_prefix,
        "num_classes": 0 if head is None else len(head),
        "mean_pooled": "fc_norm.weight" in weights or "cls_token" not in weights,
        "fc_norm": "fc_norm.weight" in weights,
        "activation": _activation(config),
        "norm_eps": float(config.get("layer_norm_eps", layout.norm_eps)),
    }


def _plain_vit(
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
        raise _ask(name, f"{key} is missing or not of a ViT's shape")
    return weights[key]


def _depth(weights: Mapping[str, Tensor], name: str) -> int:
    layers = {int(found[1]) for key in weights if (found := re.match(r"blocks\.(\d+)\.", key))}
    if layers != set(range(len(layers))):
        raise _ask(name, "layers are missing between its first and its last")
    return len(layers)


def _heads(width: int, config: Mapping[str, Any], arch: str | None, name: str) -> int:
    if isinstance(config.get("num_attention_heads"), int):
        return config["num_attention_heads"]
    if arch:
        build, _ = _architecture(arch, {})
        with torch.device("meta"):
            return build().blocks[0].attn.num_heads
    if width not in USUAL_HEADS:
        raise _ask(name, f"no key tells how many heads it has, and at a width of {width} there is no usual number")
    return USUAL_HEADS[width]


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
    raise _ask(name, f"its {tokens} positions are not of a square grid")


def _activation(config: Mapping[str, Any]) -> str:
    said = config.get("hidden_act", "gelu")
    if said not in _ACTIVATIONS:
        raise ModelError(f"config.json names the activation {said!r}; known are {', '.join(_ACTIVATIONS)}.")
    return _ACTIVATIONS[said]


def _refuse_unknown_parts(weights: Mapping[str, Tensor], layout: Layout | None, name: str) -> None:
    """Guess only about plain ViTs: other parts have variants that share their keys."""
    others = [key for key in weights if not _PLAIN_KEYS.fullmatch(key)]
    if layout is None or others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        raise _ask(name, f"a plain ViT has no {', '.join(others[:5])}{more}")


def _wide_head(weights: dict[str, Tensor], layout: Layout | None, name: str) -> dict[str, Tensor]:
    """Take out the classifier of Hugging Face's Dinov2ForImageClassification, which no model of timm has.

    It reads the class token and the mean of the patches side by side.
    """
    if layout is not HUGGING_FACE_DINOV2 or "head.weight" not in weights:
        return {}
    if "reg_token" in weights:
        raise ModelError(
            f"The classifier of {name!r} reads the class token and a mean, and versions of its framework differ in "
            "whether that includes the registers; load it with classes=0 to leave the classifier out."
        )
    return {key: weights.pop(key) for key in ("head.weight", "head.bias") if key in weights}


def _with_wide_head(model: VisionTransformer, head: Mapping[str, Tensor]) -> VisionTransformer:
    config = replace(model.config, pooling="token+mean", classes=len(head["head.weight"]))
    weights = model.state_dict() | {key: value.float().clone() for key, value in head.items()}
    return build_model(config, weights, name=model.name, preprocessing=model.preprocessing)


def _ask(name: str, why: str) -> ModelError:
    return ModelError(
        f"The architecture of {name!r} cannot be told: {why}; pass timm's name of it, such as "
        "arch='vit_small_patch16_224', or build it with timm and use vitviz.from_timm."
    )


# ---------------------------------------------------------------- the weights go in


def _filled(build: "Callable[[], nn.Module]", weights: Mapping[str, Tensor], name: str) -> "nn.Module":
    """The timm model with these weights.

    Raises:
        ModelError: if a key is missing or left over, or a shape differs.
    """
    with torch.device("meta"):  # shapes only
        problem = mismatch(build(), weights)
    if problem:
        raise ModelError(f"The weights in {name!r} are not those of its architecture: {problem}.")
    model = build()
    model.load_state_dict(weights)
    return model.eval()


# ---------------------------------------------------------------- what else is known


def _preprocessing(checkpoint: Checkpoint, layout: Layout | None, config: Mapping[str, Any]) -> Preprocessing:
    """The best that is known: beside the file, of the architecture, of the layout, ImageNet's."""
    if checkpoint.preprocessor:
        return from_hugging_face(checkpoint.preprocessor)
    said = checkpoint.config.get("pretrained_cfg")
    if isinstance(said, dict):
        return from_timm_config({**config, **said})
    if config:
        return from_timm_config(config)
    return layout.preprocessing if layout else Preprocessing()


def _labels(config: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    """The class names in a config.json of Hugging Face or timm; () if they are missing or made up by a program."""
    names = config.get("id2label")
    if isinstance(names, dict) and len(names) == outputs and all(str(i) in names for i in range(outputs)):
        labels = tuple(str(names[str(i)]) for i in range(outputs))
        return () if labels == tuple(f"LABEL_{i}" for i in range(outputs)) else labels
    if isinstance(config.get("label_names"), list) and outputs:
        descriptions = config.get("label_descriptions")
        return labels_of({**config, "num_classes": outputs, "label_descriptions": descriptions})
    return ()
