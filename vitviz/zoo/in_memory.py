"""Models that are in memory: of timm, and of other frameworks through the names of their weights."""

import warnings

import torch
from torch import nn

from ..errors import ModelError, VitvizWarning
from ..model.precision import plain_arithmetic
from ..trace.vision_transformer import VisionTransformer
from .class_names import Classes, read_labels, taken
from .convert import as_built, converted
from .convert.frameworks import Foreign, is_foreign, read_foreign
from .restore import restored_from_memory

_WITHIN = 1e-3  # of the largest number of the output; other arithmetic differs by 1e-6


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
    with plain_arithmetic(), torch.no_grad():
        model = as_built(model)
        ours = from_framework(model) if is_foreign(model) else converted(model)
    if classes is not None:
        ours.labels = read_labels(classes, ours.config.num_classes, ours.name)
        ours.output_kind = "classes" if ours.labels else ours.output_kind
    for note in ours.notes:
        warnings.warn(note, VitvizWarning, stacklevel=2)
    return ours


def from_framework(model: nn.Module) -> VisionTransformer:
    """Turn a ViT of torchvision or transformers that is in memory into ours; see `vitviz.from_timm`.

    Raises:
        ModelError: if a part of it is not as its framework builds it, or cannot be represented exactly.
    """
    foreign = read_foreign(model)
    ours = restored_from_memory(foreign.name, foreign.weights, foreign.config)
    _refuse_other_numbers(ours, foreign)
    return ours


def _refuse_other_numbers(ours: VisionTransformer, foreign: Foreign) -> None:
    """Compare the two on one image of noise: versions of a framework may compute the same weights differently."""
    config = ours.config
    random = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, config.in_chans, *config.image_size, generator=random)
    with torch.no_grad():
        found, expected = ours(pixels), foreign.output(pixels)
    same = found.shape == expected.shape and torch.allclose(
        found, expected, rtol=0, atol=_WITHIN * max(1e-6, float(expected.abs().max()))
    )
    if not same:
        raise ModelError(
            f"{foreign.name!r} computes other numbers than its weights do here, so this version of its framework, or a "
            "setting of it, cannot be represented; build it with timm and use vitviz.from_timm."
        )
