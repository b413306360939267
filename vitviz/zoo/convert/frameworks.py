"""Vision Transformers of torchvision and transformers that are in memory, read through their own names.

What makes them plain is checked against a model that their framework builds anew: the same modules in the same places,
with the same settings, and no code but the framework's. Their weights are then read as those in a file are.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import ModelError
from .changes import PASS_ON, class_of, refuse_changed_code, single_layer

_TORCHVISION = "torchvision.models.vision_transformer"
_TRANSFORMERS = "transformers.models."
_THEIRS = ("torch.nn.modules.", "torchvision.", "transformers.")
_ADVICE = "only the model as its framework builds it can be represented exactly"
_USUAL_EPS = 1e-6  # of torchvision's norms
_PLAIN = (bool, int, float, str, type(None))
# Attributes that change nothing in evaluation mode.
_FOR_TRAINING = ("training", "p", "inplace", "gradient_checkpointing", "num_labels", "num_classes")


@dataclass(frozen=True)
class Foreign:
    """A model of another framework, in the words of a file of weights.

    Attributes:
        name: what to call it.
        weights: its tensors by the framework's names, float32 on the CPU.
        config: what a config.json would say of it.
        output: function of a batch of pixels that returns what the framework's model makes of them.
    """

    name: str
    weights: dict[str, Tensor]
    config: dict[str, Any]
    output: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Kind:
    """A class of another framework.

    Attributes:
        heads: the attributes that hold its classifiers, and what their layer is called among the weights.
        inner: the attribute that holds the ViT alone; "" if this is the ViT alone.
        unused: parts that no output of ours depends on.
    """

    heads: Mapping[str, str]
    inner: str = ""
    unused: tuple[str, ...] = ()


_POOLER = ("pooler", "embeddings.mask_token")
_KINDS = {
    f"{_TORCHVISION}.VisionTransformer": _Kind({"heads": "heads.head"}),
    f"{_TRANSFORMERS}vit.modeling_vit.ViTModel": _Kind({}, unused=_POOLER),
    f"{_TRANSFORMERS}vit.modeling_vit.ViTForImageClassification": _Kind({"classifier": "classifier"}, "vit"),
    f"{_TRANSFORMERS}deit.modeling_deit.DeiTModel": _Kind({}, unused=_POOLER),
    f"{_TRANSFORMERS}deit.modeling_deit.DeiTForImageClassification": _Kind({"classifier": "classifier"}, "deit"),
    f"{_TRANSFORMERS}deit.modeling_deit.DeiTForImageClassificationWithTeacher": _Kind(
        {name: name for name in ("cls_classifier", "distillation_classifier")}, "deit"
    ),
    f"{_TRANSFORMERS}dinov2.modeling_dinov2.Dinov2Model": _Kind({}, unused=_POOLER),
    f"{_TRANSFORMERS}dinov2.modeling_dinov2.Dinov2ForImageClassification": _Kind(
        {"classifier": "classifier"}, "dinov2"
    ),
    f"{_TRANSFORMERS}dinov2_with_registers.modeling_dinov2_with_registers.Dinov2WithRegistersModel": _Kind(
        {}, unused=_POOLER
    ),
}


def is_foreign(model: object) -> bool:
    """Return True if this is a ViT of torchvision or transformers, or of a class that is derived from one."""
    return _kind_of(model) is not None


def read_foreign(model: nn.Module) -> Foreign:
    """Read a ViT of torchvision or transformers. It is not changed.

    Raises:
        ModelError: if a part of it is not as its framework builds it; the message names the part.
    """
    kind = _kind_of(model)
    refuse_changed_code(model, _THEIRS)
    heads = {name: single_layer(getattr(model, name, None), name) for name in kind.heads}
    for name, head in heads.items():
        if type(head).__name__ not in ("Linear", "Identity"):
            raise ModelError(
                f"{name} is {type(head).__name__}; only one Linear, and dropout, can be represented exactly."
            )
        if isinstance(head, nn.Identity) and kind.inner:
            raise ModelError(f"{name} is missing; give the model without a classifier, model.{kind.inner}.")
    _refuse_other_parts(model, _built_anew(model), kind)
    weights = {key: value for key, value in model.state_dict().items() if not _within(key, kind.heads)}
    for name, key in kind.heads.items():
        weights |= {f"{key}.{part}": value for part, value in heads[name].state_dict().items()}
    return Foreign(
        name=_name(model),
        weights={key: value.detach().cpu().float() for key, value in weights.items() if value.is_floating_point()},
        config=_config(model),
        output=partial(_output, model),
    )


def _kind_of(model: object) -> _Kind | None:
    names = (f"{base.__module__}.{base.__qualname__}" for base in type(model).__mro__)
    return next((_KINDS[name] for name in names if name in _KINDS), None)


def _is_torchvision(model: nn.Module) -> bool:
    return any(base.__module__ == _TORCHVISION for base in type(model).__mro__)


def _built_anew(model: nn.Module) -> nn.Module:
    """The same model as its framework builds it, without weights."""
    own = class_of(model, _THEIRS)
    try:
        with torch.device("meta"):
            if not _is_torchvision(model):
                return own(copy.deepcopy(model.config))
            return own(
                image_size=model.image_size,
                patch_size=model.patch_size,
                num_layers=len(model.encoder.layers),
                num_heads=model.encoder.layers[0].num_heads,
                hidden_dim=model.hidden_dim,
                mlp_dim=model.mlp_dim,
                norm_layer=partial(nn.LayerNorm, eps=getattr(model.encoder.ln, "eps", _USUAL_EPS)),
            )
    except (TypeError, ValueError, LookupError, AttributeError, AssertionError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ModelError(f"{own.__name__} cannot be built anew with its own settings ({reason}); {_ADVICE}.") from error


def _refuse_other_parts(model: nn.Module, wanted: nn.Module, kind: _Kind) -> None:
    """Refuse by name what differs from the model as its framework builds it, but for its classifier."""
    unused = tuple(f"{kind.inner}.{part}".lstrip(".") for part in (kind.unused or _POOLER))
    own, theirs = (
        {name: part for name, part in one.named_modules() if not _within(name, (*kind.heads, *unused))}
        for one in (model, wanted)
    )
    for name in own.keys() ^ theirs.keys():
        raise ModelError(f"{name} is {'missing from' if name in theirs else 'an addition to'} this model; {_ADVICE}.")
    for name, part in own.items():
        found, built = class_of(part, _THEIRS), type(theirs[name])
        if found.__name__ in PASS_ON and built.__name__ in PASS_ON:
            continue
        if found is not built:
            raise ModelError(f"{name or 'It'} is {found.__name__} and not {built.__name__}; {_ADVICE}.")
        for key, value in vars(theirs[name]).items():
            given = vars(part).get(key, value)
            if _counts(key, value) and (type(given) is not type(value) or given != value):
                raise ModelError(f"{f'{name}.{key}'.lstrip('.')} is {given!r:.60} and not {value!r:.60}; {_ADVICE}.")


def _counts(key: str, value: object) -> bool:
    """Return whether an attribute of a module can change what it computes."""
    if key.startswith("_") or "drop" in key or key in _FOR_TRAINING:
        return False
    is_plain = isinstance(value, (*_PLAIN, FunctionType))
    return is_plain or (isinstance(value, tuple | list) and all(isinstance(one, _PLAIN) for one in value))


def _within(name: str, places: Mapping[str, str] | tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def _config(model: nn.Module) -> dict[str, Any]:
    if _is_torchvision(model):
        return {
            "num_attention_heads": model.encoder.layers[0].num_heads,
            "layer_norm_eps": model.encoder.ln.eps,
            "image_size": model.image_size,
        }
    return json.loads(json.dumps(model.config.to_dict(), default=str))  # as it stands in a file


def _name(model: nn.Module) -> str:
    said = getattr(getattr(model, "config", None), "name_or_path", "")
    return said if isinstance(said, str) and said else type(model).__name__


def _output(model: nn.Module, pixels: Tensor) -> Tensor:
    """Logits, or the class token after the final norm, of a copy in evaluation mode, float32, on the CPU."""
    found = copy.deepcopy(model).cpu().float().eval()(pixels)
    if isinstance(found, Tensor):
        return found
    logits = getattr(found, "logits", None)
    return found.last_hidden_state[:, 0] if logits is None else logits
