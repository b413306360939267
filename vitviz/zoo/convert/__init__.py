"""A timm model -> our `VisionTransformer` with the same weights; or a refusal that names the part that differs.

Differences that are only storage are removed here (`weights`), so that the forward pass does not know them; what is
left is read into a `ViTConfig` (`shape`). timm itself is not imported: whoever has a timm model has imported it.
"""

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...errors import ModelError, VitvizWarning
from ...images import Preprocessing
from ...model.config import Meaning, ViTConfig
from ...model.precision import plain_arithmetic
from ...model.vit import VisionTransformer
from ..class_names import Classes, read_labels, taken
from .changes import as_built, refuse_changed_code, refuse_other_parts
from .frameworks import is_foreign
from .labels import is_embedding, own_labels
from .preprocessing import assumption, from_timm_config
from .shape import config_of, refuse_other_models
from .stem import stem_of
from .weights import weights_of

__all__ = ["build", "config_of", "converted", "from_timm", "mismatch"]


def from_timm(model: nn.Module, *, classes: Classes | None = None) -> VisionTransformer:
    """Turn a timm model that is already in memory into ours. The original is left untouched; weights are copied.

    Args:
        model: a model of timm's `vision_transformer`, `vision_transformer_hybrid`, `deit`, `beit`, `eva` or `naflexvit`
            modules, for example from a training run; or torchvision's `VisionTransformer`; or a ViT, DeiT or DINOv2 of
            transformers. Wrappers (averaged, parallel or compiled models) are taken off, adapters of peft are merged.
        classes: class names: a text file with one a line, names in order, or a dictionary from number to name or from
            name to number; by default those that the model has.

    Returns:
        A model that computes the same numbers, in evaluation mode, float32, on the CPU. Of a transformers model without
        a classifier, the output is the class token of its `last_hidden_state`. Its pixels are prepared as the model's
        `pretrained_cfg` says; what was assumed is in `notes`, and each note is given as a `VitvizWarning`.

    Raises:
        ModelError: if the model has a part that cannot be represented exactly (the message names it), or the class
            names do not fit its classifier.
    """
    classes = taken(classes)
    ours = converted(model)
    if classes is not None:
        ours.labels = read_labels(classes, ours.config.classes, ours.name)
        ours.meaning = "classes" if ours.labels else ours.meaning
    for note in ours.notes:
        warnings.warn(note, VitvizWarning, stacklevel=2)
    return ours


def converted(model: nn.Module) -> VisionTransformer:
    """Convert a timm model as `from_timm` does, without class names of a caller and without warnings.

    Raises:
        ModelError: if the model has a part that cannot be represented exactly.
    """
    with plain_arithmetic(), torch.no_grad():
        model = as_built(model)
        if is_foreign(model):
            from ..in_memory import from_framework  # which uses this module

            return from_framework(model)
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
            labels=own_labels(_pretrained(model), config.classes),
            meaning="embedding" if is_embedding(_pretrained(model), config.classes) else "classes",
            stem=stem_of(model) if config.stem else None,
            refusal=f"{name_of(model)!r} is not as timm builds it",
        )
        ours.assume(ours.preprocessing, _assumed_of_pixels(model, ours))
        return ours


def build(
    config: ViTConfig,
    weights: Mapping[str, Tensor],
    *,
    name: str,
    preprocessing: Preprocessing,
    labels: tuple[str, ...] = (),
    meaning: Meaning = "classes",
    stem: nn.Module | None = None,
    refusal: str = "",
) -> VisionTransformer:
    """Make a model of these weights, which it keeps without copying (unless they were made in `inference_mode`).

    Raises:
        ModelError: if a key is missing or left over, or a shape differs from the configuration's.
    """
    with torch.inference_mode(False), torch.no_grad():
        with torch.device("meta"):  # shapes only: the parameters are about to be replaced
            model = VisionTransformer(config, name, preprocessing, labels, meaning, stem)
        problem = mismatch(model, weights)
        if problem:
            raise ModelError(f"{refusal or f'These are not the weights of {name!r}'}: {problem}.")
        # Gradients cannot flow past tensors of inference_mode, later and elsewhere; their copies are ordinary ones.
        kept = {key: value.clone() if value.is_inference() else value for key, value in weights.items()}
        model.load_state_dict(kept, assign=True)
        return model.requires_grad_(False)


def mismatch(model: nn.Module, weights: Mapping[str, Tensor]) -> str:
    """Which weights are missing, left over or of another shape: the first five, and how many more; empty if none."""
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    problems = (
        [f"{key} is missing" for key in wanted if key not in found]
        + [f"{key} is not expected" for key in found if key not in wanted]
        + [f"{key} is {found[key]}, not {wanted[key]}" for key in wanted if found.get(key, wanted[key]) != wanted[key]]
    )
    more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
    return "; ".join(problems[:5]) + more


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
    if not assumed and classes and ours.config.classes not in (0, classes):
        assumed, source = ["mean", "std", "interpolation", "crop_pct", "fit"], f"timm's {name_of(model)}"
    return assumption(source, assumed, assumed, ours.preprocessing, "set model.preprocessing")


def _pretrained(model: nn.Module) -> dict:
    return dict(getattr(model, "pretrained_cfg", None) or {})
