"""A timm model -> our `VisionTransformer` with the same weights; or a refusal that names the part that differs.

Differences that are only storage are removed here (`weights`), so that the forward pass does not know them; what is
left is read into a `ViTConfig` (`shape`). timm itself is not imported: whoever has a timm model has imported it.
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
    """Convert a timm model that is as timm built it (see `as_built`); other frameworks' are for `vitviz.from_timm`.

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
            raise ModelError(f"This model has no {part!r}, so it is not built as timm builds it.") from error
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
        ours.set_preprocessing(ours.preprocessing, _assumed_of_pixels(model, ours))
        return ours


def name_of(model: nn.Module) -> str:
    """What a timm model is called: its architecture."""
    return _pretrained(model).get("architecture") or type(model).__name__


def preprocessing_of(model: nn.Module) -> Preprocessing:
    """How a timm model wants its pixels, from its pretrained configuration; ImageNet's if it has none."""
    pretrained = _pretrained(model)
    return from_timm_config(pretrained) if pretrained else Preprocessing()


def _assumed_of_pixels(model: nn.Module, ours: VisionTransformer) -> list[str]:
    """Sentence on a preprocessing that nothing states, or that is stated for weights with another classifier.

    timm describes an architecture by its pretrained weights, whether or not a model has them.
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
