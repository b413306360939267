"""Convert models of timm, torchvision and transformers that are in memory."""

import warnings

import torch
from torch import nn

from ..errors import ModelError, VitvizWarning
from ..model.precision import plain_arithmetic
from ..trace.vision_transformer import VisionTransformer
from .class_names import Classes, parse_classes, read_labels
from .convert import as_built, converted
from .convert.frameworks import Foreign, is_foreign, read_foreign
from .restore import restore_from_memory

_TOLERANCE = 1e-3  # relative to the largest output; rounding errors are about 1e-6


def from_timm(model: nn.Module, *, classes: Classes | None = None) -> VisionTransformer:
    """Convert a model in memory to a `VisionTransformer`. The weights are copied and the original is not changed.

    Args:
        model: model of timm's `vision_transformer`, `vision_transformer_hybrid`, `deit`, `beit`, `eva` or `naflexvit`
            modules, for example from a training run; torchvision's `VisionTransformer`; or a ViT, DeiT or DINOv2 of
            transformers. Wrappers (averaged, parallel or compiled models) are removed, and peft adapters are merged.
        classes: class names: a text file with one name per line, a sequence of names, or a dictionary from index to
            name or from name to index; by default those of the model.

    Returns:
        A model with the same output, in evaluation mode, float32, on the CPU. The output of a transformers model
        without a classifier is the class token of its `last_hidden_state`. The preprocessing is that of the model's
        `pretrained_cfg`. `notes` lists every assumption; each is also issued as a `VitvizWarning`.

    Raises:
        ModelError: if the model has a part that cannot be represented exactly (the message names it), or the class
            names do not fit its classifier.
    """
    classes = parse_classes(classes)
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
    """Convert a ViT of torchvision or transformers in memory; see `vitviz.from_timm`.

    Raises:
        ModelError: if a part of it was modified, or cannot be represented exactly.
    """
    foreign = read_foreign(model)
    ours = restore_from_memory(foreign.name, foreign.weights, foreign.config)
    _refuse_other_numbers(ours, foreign)
    return ours


def _refuse_other_numbers(ours: VisionTransformer, foreign: Foreign) -> None:
    """Compare the outputs for a noise image, because the forward pass may differ between versions of a framework."""
    config = ours.config
    random = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, config.in_chans, *config.image_size, generator=random)
    with torch.no_grad():
        found, expected = ours(pixels), foreign.output(pixels)
    same = found.shape == expected.shape and torch.allclose(
        found, expected, rtol=0, atol=_TOLERANCE * max(1e-6, float(expected.abs().max()))
    )
    if not same:
        raise ModelError(
            f"The output of {foreign.name!r} differs from that of the converted model, so this version or a setting of "
            "its framework is not supported; build the model with timm and use vitviz.from_timm."
        )
