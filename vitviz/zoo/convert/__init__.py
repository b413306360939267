"""Convert a timm model to a `VisionTransformer` with the same weights, or refuse it and name the part that differs.

`shape` reads the `ViTConfig`. `weights` converts the weights to one layout, so that the forward pass does not depend on
the layout in timm. timm is not imported here: the caller already has a timm model.
"""

import torch
from torch import nn

from ...errors import ModelError
from ...images import Preprocessing
from ...model.precision import plain_arithmetic
from ...trace.vision_transformer import VisionTransformer
from .build import build, mismatch
from .changes import as_built, refuse_changed_code, refuse_other_parts
from .labels import is_embedding, own_labels
from .preprocessing import assumption, from_timm_config
from .shape import config_of, refuse_other_models
from .stem import stem_of
from .weights import weights_of

__all__ = ["as_built", "build", "config_of", "converted", "mismatch"]


def converted(model: nn.Module) -> VisionTransformer:
    """Convert an unmodified timm model (see `as_built`); `vitviz.from_timm` accepts models of other frameworks too.

    Raises:
        ModelError: if the model has a part that cannot be represented exactly.
    """
    with plain_arithmetic(), torch.no_grad():
        refuse_other_models(model)
        refuse_changed_code(model)
        try:
            config = config_of(model)
            refuse_other_parts(model)
            found = weights_of(model, config)
        except (KeyError, AttributeError) as error:
            part = error.args[0] if isinstance(error, KeyError) else error.name
            raise ModelError(f"This model has no {part!r}, so it is not as timm builds it.") from error
        weights = {name: value.detach().cpu().float().clone() for name, value in found.items()}
        ours = build(
            config,
            weights,
            name=name_of(model),
            preprocessing=preprocessing_of(model),
            labels=own_labels(_pretrained(model), config.num_classes),
            output_kind="embedding" if is_embedding(_pretrained(model), config.num_classes) else "classes",
            stem=stem_of(model) if config.stem else None,
            refusal=f"{name_of(model)!r} is not as timm builds it",
        )
        ours.set_preprocessing(ours.preprocessing, _preprocessing_note(model, ours))
        return ours


def name_of(model: nn.Module) -> str:
    """Name of a timm model: its architecture."""
    return _pretrained(model).get("architecture") or type(model).__name__


def preprocessing_of(model: nn.Module) -> Preprocessing:
    """Preprocessing of a timm model from its pretrained configuration; that of ImageNet if it has none."""
    pretrained = _pretrained(model)
    return from_timm_config(pretrained) if pretrained else Preprocessing()


def _preprocessing_note(model: nn.Module, ours: VisionTransformer) -> list[str]:
    """Note on a preprocessing that is not stated, or that is stated for weights with another number of classes.

    timm's configuration of an architecture describes its pretrained weights, even if a model has other weights.
    """
    pretrained = _pretrained(model)
    assumed = [name for name in ("mean", "std") if not pretrained.get(name)]
    source = "ImageNet"
    classes = pretrained.get("num_classes")
    if not assumed and classes and ours.config.num_classes not in (0, classes):
        assumed, source = ["mean", "std", "interpolation", "crop_pct", "fit"], f"timm's {name_of(model)}"
    return assumption(source, assumed, assumed, ours.preprocessing, "set model.preprocessing")


def _pretrained(model: nn.Module) -> dict:
    return dict(getattr(model, "pretrained_cfg", None) or {})
