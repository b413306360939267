"""Read Vision Transformers of torchvision and transformers in memory.

A model is compared with a new one that its framework builds from the same configuration: it must have the same modules
with the same attributes, and run only the framework's code. Its weights are then read like those of a checkpoint file.
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
_ADVICE = "only an unmodified model of its framework can be represented exactly"
_USUAL_EPS = 1e-6  # default of torchvision's norms
_PLAIN = (bool, int, float, str, type(None))
# Attributes without effect in evaluation mode.
_FOR_TRAINING = ("training", "p", "inplace", "gradient_checkpointing", "num_labels", "num_classes")


@dataclass(frozen=True)
class Foreign:
    """Model of another framework, described like a checkpoint file.

    Attributes:
        name: name of the model.
        weights: tensors by the framework's names, float32 on the CPU.
        config: contents of its config.json.
        output: function that runs the framework's model on a batch of pixels.
    """

    name: str
    weights: dict[str, Tensor]
    config: dict[str, Any]
    output: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Kind:
    """Supported class of another framework.

    Attributes:
        classifiers: attributes with its classifiers, and the prefix of each in the weights.
        inner: attribute with the ViT; "" if the class itself is the ViT.
        unused: modules that the output does not depend on.
    """

    classifiers: Mapping[str, str]
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
    """Return whether a model is a ViT of torchvision or transformers, or of a subclass of one."""
    return _kind_of(model) is not None


def read_foreign(model: nn.Module) -> Foreign:
    """Read a ViT of torchvision or transformers, without changing it.

    Raises:
        ModelError: if a part of it is not as its framework builds it; the message names the part.
    """
    kind = _kind_of(model)
    refuse_changed_code(model, _THEIRS)
    classifiers = {name: single_layer(getattr(model, name, None), name) for name in kind.classifiers}
    for name, classifier in classifiers.items():
        if type(classifier).__name__ not in ("Linear", "Identity"):
            raise ModelError(
                f"{name} is {type(classifier).__name__}; only one Linear, with or without dropout, can be represented "
                "exactly."
            )
        if isinstance(classifier, nn.Identity) and kind.inner:
            raise ModelError(f"{name} is missing; pass the model without a classifier, model.{kind.inner}.")
    _refuse_other_parts(model, _rebuilt(model), kind)
    weights = {key: value for key, value in model.state_dict().items() if not _within(key, kind.classifiers)}
    for name, key in kind.classifiers.items():
        weights |= {f"{key}.{part}": value for part, value in classifiers[name].state_dict().items()}
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


def _rebuilt(model: nn.Module) -> nn.Module:
    """Build the same model anew with its framework, without weights."""
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
        raise ModelError(f"{own.__name__} cannot be built from its own settings ({reason}); {_ADVICE}.") from error


def _refuse_other_parts(model: nn.Module, expected: nn.Module, kind: _Kind) -> None:
    """Refuse differences from the model that the framework builds, except in the classifier."""
    unused = tuple(f"{kind.inner}.{part}".lstrip(".") for part in (kind.unused or _POOLER))
    own, theirs = (
        {name: part for name, part in one.named_modules() if not _within(name, (*kind.classifiers, *unused))}
        for one in (model, expected)
    )
    for name in own.keys() ^ theirs.keys():
        raise ModelError(f"{name} is {'missing from' if name in theirs else 'an addition to'} this model; {_ADVICE}.")
    for name, part in own.items():
        found, built = class_of(part, _THEIRS), type(theirs[name])
        if found.__name__ in PASS_ON and built.__name__ in PASS_ON:
            continue
        if found is not built:
            raise ModelError(f"{name or 'The model'} is {found.__name__} and not {built.__name__}; {_ADVICE}.")
        for key, value in vars(theirs[name]).items():
            given = vars(part).get(key, value)
            if _affects_forward(key, value) and (type(given) is not type(value) or given != value):
                raise ModelError(f"{f'{name}.{key}'.lstrip('.')} is {given!r:.60} and not {value!r:.60}; {_ADVICE}.")


def _affects_forward(key: str, value: object) -> bool:
    """Return whether an attribute of a module can affect its output in evaluation mode."""
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
    return json.loads(json.dumps(model.config.to_dict(), default=str))  # as in config.json


def _name(model: nn.Module) -> str:
    name = getattr(getattr(model, "config", None), "name_or_path", "")
    return name if isinstance(name, str) and name else type(model).__name__


def _output(model: nn.Module, pixels: Tensor) -> Tensor:
    """Logits, or the class token after the final norm, of a copy of the model in evaluation mode, float32, CPU."""
    found = copy.deepcopy(model).cpu().float().eval()(pixels)
    if isinstance(found, Tensor):
        return found
    logits = getattr(found, "logits", None)
    return found.last_hidden_state[:, 0] if logits is None else logits
