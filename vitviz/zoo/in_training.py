"""Copies of models that are being trained, and folders with their weights that `vitviz.load` reads.

Neither changes the model, its mode, its gradients or the state of the random number generators.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, VitvizWarning
from ..errors.arguments import shown
from ..images import Preprocessing
from ..model.hooks import without_hooks
from ..model.precision import plain_arithmetic
from ..model.vit import ViT
from ..trace.vision_transformer import VisionTransformer
from .architecture import is_known
from .convert import as_built, build
from .convert.frameworks import is_foreign
from .convert.preprocessing import FITS_OF_TIMM
from .convert.shape import refuse_other_models
from .folders import WHOLE_FILES
from .in_memory import from_timm
from .restore import load_checkpoint

_TOLERANCE = 1e-4  # relative to the largest output; rounding errors are about 1e-6
_ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "quick_gelu": "quick_gelu", "silu": "silu"}


@contextmanager
def isolated() -> Iterator[None]:
    """Keep the state of the CPU's random number generator, and ignore autocast, gradients, captures and edits."""
    with torch.random.fork_rng(devices=[]), plain_arithmetic(), torch.no_grad(), without_hooks():
        yield


def find_model(module: nn.Module, name: str | None = None) -> nn.Module:
    """Find the Vision Transformer in a module, such as the module of a training loop or a wrapper of it.

    Args:
        module: the Vision Transformer itself, or a module that contains one.
        name: name of the submodule, such as `"backbone"` or `"student.vit"`; None if there is only one.

    Raises:
        ArgumentError: if there is no such submodule, no Vision Transformer, or more than one.
    """
    if name is not None:
        try:
            return module.get_submodule(name)
        except AttributeError as error:
            raise ArgumentError(
                f"{type(module).__name__} has no submodule {shown(name)}; give that of the Vision Transformer."
            ) from error
    found: list[str] = []
    for place, part in module.named_modules():
        inside = any(not outer or place.startswith(f"{outer}.") for outer in found)
        if not inside and _is_vit(part):
            found.append(place)
    if len(found) == 1:
        return module.get_submodule(found[0])
    if not found:
        raise ArgumentError(
            f"{type(module).__name__} contains no Vision Transformer that vitviz.from_timm converts; give one of timm, "
            "torchvision or transformers."
        )
    raise ArgumentError(
        f"{type(module).__name__} contains several Vision Transformers, such as {found[0]!r} and {found[1]!r}; choose "
        f"one with model={found[0]!r}."
    )


def _is_vit(module: nn.Module) -> bool:
    if isinstance(module, ViT) or is_foreign(module):
        return True
    if type(module).__name__ == "OptimizedModule":  # looks like the compiled module, which is found inside it
        return False
    try:
        refuse_other_models(module)
    except (ModelError, AttributeError):
        return False
    return True


def copy_of(model: nn.Module, preprocessing: Preprocessing | None = None) -> VisionTransformer:
    """Copy a model that is being trained: in evaluation mode, float32, on the CPU, without gradients.

    Args:
        model: model of vitviz, or one that `vitviz.from_timm` converts; on any device, in any mode and precision.
        preprocessing: preprocessing of the images in training; by default that of the model.

    Returns:
        The copy; its `notes` list what was assumed.

    Raises:
        ModelError: if the model has a part that cannot be represented exactly (the message names it).
    """
    with isolated(), warnings.catch_warnings():
        warnings.simplefilter("ignore", VitvizWarning)  # `notes` has the same sentences
        copied = _copied(model) if isinstance(model, ViT) else from_timm(model)
        if preprocessing is not None:
            copied.preprocessing = preprocessing
        return copied


def _copied(model: ViT) -> VisionTransformer:
    stem = None
    if model.patch_embed.backbone is not None:
        stem = copy.deepcopy(model.patch_embed.backbone).cpu().float().eval()
    copied = build(
        model.config,
        _on_cpu(model.state_dict()),
        name=model.name,
        preprocessing=model.preprocessing,
        labels=model.labels,
        output_kind=model.output_kind,
        stem=stem,
    )
    copied.set_preprocessing(model.preprocessing, model._preprocessing_notes)
    copied.linear_head = getattr(model, "linear_head", "")
    return copied


def _on_cpu(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy weights to float32 on the CPU; integers keep their type."""
    own = {key: value.detach().cpu() for key, value in weights.items()}
    return {key: (value.float() if value.is_floating_point() else value).clone() for key, value in own.items()}


class CheckpointWriter:
    """Writer of the checkpoints of one training run, as folders that `vitviz.load` and `vitviz.load_run` read."""

    def __init__(self) -> None:
        self._with_architecture: bool | None = None  # chosen with the first checkpoint

    def write(self, folder: Path, model: nn.Module, copied: VisionTransformer) -> None:
        """Write the weights and a config.json into a folder.

        The first checkpoint is loaded again and compared with the model, so that a run that cannot be read is noticed
        at its beginning.

        Args:
            folder: existing folder.
            model: model that is being trained.
            copied: its copy, from `copy_of`.

        Raises:
            ModelError: if the weights and the configuration do not determine the model.
            OSError: if the files cannot be written.
        """
        with isolated():
            if self._with_architecture is not None:
                return _write(folder, model, copied, self._with_architecture)
            for with_architecture in (True, False):
                if with_architecture and not _architecture(model):
                    continue
                _write(folder, model, copied, with_architecture)
                if _is_read_again(folder, copied):
                    self._with_architecture = with_architecture
                    return None
        raise ModelError(
            f"The weights of {copied.name!r} alone do not determine the model, so that its checkpoints could not be "
            "loaded; use checkpoints=False, and save the model as you load it."
        )


def _architecture(model: nn.Module) -> str:
    """Name of a timm model's architecture; "" for models without one, and of other libraries."""
    if isinstance(model, ViT) or is_foreign(as_built(model)):
        return ""
    name = (getattr(as_built(model), "pretrained_cfg", None) or {}).get("architecture") or ""
    return name if is_known(name) else ""


def _write(folder: Path, model: nn.Module, copied: VisionTransformer, with_architecture: bool) -> None:
    weights = _on_cpu(as_built(model).state_dict()) if with_architecture else copied.state_dict()
    config = _config(copied) | ({"architecture": _architecture(model)} if with_architecture else {})
    save_file({key: value.contiguous() for key, value in weights.items()}, folder / WHOLE_FILES[0])
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def _config(model: VisionTransformer) -> dict:
    """Contents of a config.json, by the names of timm and of transformers."""
    config, used = model.config, model.preprocessing
    modes = {fit: mode for mode, fit in FITS_OF_TIMM.items()}
    pool = {"mean": "avg", "token": "token", "attention": "map"}.get(config.pooling)
    return {
        "num_classes": config.num_classes,
        "num_attention_heads": config.num_heads,
        "image_size": list(config.image_size),
        "hidden_act": _ACTIVATIONS[config.activation],
        "layer_norm_eps": config.norm_eps,
        **({"global_pool": pool} if pool else {}),
        "model_args": {"img_size": list(config.image_size), "num_heads": config.num_heads},
        "pretrained_cfg": {
            "mean": list(used.mean),
            "std": list(used.std),
            "interpolation": used.interpolation,
            "crop_pct": used.crop_fraction,
            **({"crop_mode": modes[used.fit]} if used.fit in modes else {}),
        },
        **({"label_names": list(model.labels)} if model.labels else {}),
    }


def _is_read_again(folder: Path, expected: VisionTransformer) -> bool:
    """Return whether a folder is read as a model with the configuration and the output of another."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VitvizWarning)
            found = load_checkpoint(folder)
    except ModelError:
        return False
    if found.config != expected.config:
        return False
    random = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, expected.config.in_chans, *expected.config.image_size, generator=random)
    output, wanted = found(pixels), expected(pixels)
    return bool((output - wanted).abs().max() <= _TOLERANCE * max(1e-6, float(wanted.abs().max())))
