"""What can be loaded, and from where.

    load("dinov2-small")                            # shipped: read from disk, no network
    load("vit_tiny_patch16_224.augreg_in21k_ft_in1k")  # timm's: from the Hugging Face cache, or downloaded to it
    load("run7/best.safetensors", classes="names.txt", mean=0.5, std=0.5)  # your own

`SHIPPED` and `CURATED` are the catalogue; `search` finds the rest of timm's plain ViTs and `facts` describes them.
"""

import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import ModelError, VitvizWarning
from ..errors.arguments import of_kind, shown, typed
from ..errors.progress import Progress
from ..images import Size
from ..model.precision import plain_arithmetic
from ..trace.vision_transformer import VisionTransformer
from .class_names import Classes
from .curated import CURATED, TimmEntry
from .folders import FOLDER_FILES, SUFFIXES, checkpoint_file, parts_of
from .hub import can_reach_hub
from .model_cache import ModelCache, max_models
from .offered import checkpoints, is_offered, load_offered, not_offered, version
from .options import Colour, Options
from .pretrained import facts, is_tag, load_pretrained, search, source_of, why_refused
from .repository import Repository, load_repository, repository_of
from .restore import load_checkpoint
from .shipped import SHIPPED, ZooEntry, assets, load_shipped
from .sidecar import files_beside, sidecar_of

__all__ = [
    "CURATED",
    "SHIPPED",
    "SUFFIXES",
    "ModelCache",
    "TimmEntry",
    "ZooEntry",
    "assets",
    "can_reach_hub",
    "checkpoints",
    "facts",
    "files_of",
    "is_loaded",
    "is_offered",
    "is_on_disk",
    "load",
    "load_offered",
    "loaded",
    "not_offered",
    "search",
    "shared",
    "sidecar_of",
    "takes_options",
    "version",
    "why_refused",
]


@plain_arithmetic()
def load(
    name: str | Path,
    *,
    arch: str | None = None,
    arch_kwargs: Mapping[str, Any] | None = None,
    classes: Classes | None = None,
    heads: int | None = None,
    prefix: str | None = None,
    mean: Colour | None = None,
    std: Colour | None = None,
    interpolation: str | None = None,
    crop_pct: float | None = None,
    fit: str | None = None,
    size: Size | None = None,
    progress: Progress | None = None,
) -> VisionTransformer:
    """Load a model: a shipped one, a pretrained one of timm, or your own checkpoint.

    All arguments but `name` and `progress` are options of a checkpoint, for what its file does not tell; they win over
    what it tells. The same options, by the same names, may stand in a TOML file beside the checkpoint: `best.toml`
    beside `best.safetensors`, or a `vitviz.toml` for all checkpoints in its folder that have none of their own.

    Args:
        name: a shipped model, such as `"dinov2-small"`, which is read from disk and needs no network; the name of a
            pretrained timm model, which is downloaded if it is not in the Hugging Face cache; or the path of a
            checkpoint (.safetensors, .pth, .pt, .bin, .ckpt, or a folder with config.json and model.safetensors, as a
            Hugging Face training run leaves behind); or a repository on the Hugging Face hub, such as
            `"facebook/dinov2-small"`. Weights may be named as by timm, torchvision, or Hugging Face's ViT, DeiT and
            DINOv2.
        arch: timm's name of the architecture. Needed only where the file does not tell it.
        arch_kwargs: arguments of timm's `create_model` for that architecture, such as `{"global_pool": "avg"}`.
        classes: the class names, as a text file with one a line, as names in order (a list, an array) or as a
            dictionary from number to name or from name to number; or how many there are; 0 leaves the classifier out.
            By default those in the file, or in a `labels.txt` in its folder.
        heads: how many attention heads a block has. Needed only where nothing tells it: no weight does.
        prefix: what the keys of the wanted model begin with, where the file holds several.
        mean: mean of each channel in training, for pixel values from 0 to 1; or one number for all channels.
        std: standard deviation of each channel in training, or one number for all channels.
        interpolation: resampling of images in evaluation: `"bicubic"`, `"bilinear"`, `"nearest"`, `"lanczos"`, `"box"`
            or `"hamming"`.
        crop_pct: part of the resized image's shorter side that the centre crop keeps, 0.1 to 2.
        fit: how images that are not square were made to fit: `"crop"`, `"squash"`, `"pad"` or `"native"` (see
            `vitviz.images.prepare`).
        size: default input size of the model in pixels, which `trace` and the app use if no other is asked for: the
            side of a square, or (height, width); multiples of the patch side.
        progress: is called during a download with the bytes that are here and the bytes in all (0: not known).

    Returns:
        The model in evaluation mode, float32, on the CPU. A checkpoint's pixels are prepared as the options, its
        preprocessor_config.json or the arguments of its training say, else as the architecture's pretrained weights
        want them, else as for ImageNet. What was assumed is in `notes`, and each note is given as a `VitvizWarning`.

    Raises:
        ModelError: if the name is unknown (the message gives the three nearest), the weights cannot be had or read, an
            option is of the wrong kind or does not fit the weights, or the model cannot be represented exactly.
    """
    if isinstance(name, nn.Module):
        raise ModelError(f"{type(name).__name__} is a model in memory already; turn it with vitviz.from_timm(model).")
    if not isinstance(name, str | Path):
        raise ModelError(f"A model is loaded by its name, not by {shown(name)}; try {next(iter(SHIPPED))!r}.")
    of_kind(progress, Progress | None, "progress", ModelError)
    options = Options(
        arch=arch,
        arch_kwargs=arch_kwargs,
        classes=classes,
        heads=heads,
        prefix=prefix,
        mean=mean,
        std=std,
        interpolation=interpolation,
        crop_pct=crop_pct,
        fit=fit,
        size=size,
    )
    model = _load(name, options, progress)
    for note in model.notes:
        warnings.warn(note, VitvizWarning, stacklevel=3)  # past `plain_arithmetic`
    return model


def _load(name: str | Path, options: Options, progress: Progress | None) -> VisionTransformer:
    known = _known(name)
    if known is None:
        repository = _repository(name)
        return load_repository(repository, options, progress) if repository else load_checkpoint(name, options)
    if options.given:
        raise ModelError(
            f"{shown(known)} is a model and not a file: its architecture, classes and preprocessing are known; leave "
            f"{next(iter(options.given))}= out."
        )
    return load_model(known, progress)


@typed
def takes_options(name: str) -> bool:
    """True for a checkpoint or a repository on the hub; of other models everything is known.

    Raises:
        ModelError: if the name is that of a repository and makes no sense.
    """
    return _known(name) is None


def files_of(name: str) -> list[Path]:
    """Files that a checkpoint is read from, with those beside it that describe it; none of other models.

    Raises:
        ModelError: if the name makes no sense, or there is no such file.
    """
    if not takes_options(name) or _repository(name):
        return []
    file = checkpoint_file(Path(name))
    return [*parts_of(file), *files_beside(file)]


def _known(name: str | Path) -> str | None:
    """Name of the shipped model, or of timm's pretrained one, that is meant; None for a checkpoint or a repository."""
    if not _is_path(name):
        return name
    repository = _repository(name)
    owner, _, model = repository.name.partition("/") if repository else ("", "", "")
    return model if owner == "timm" and not repository.revision and is_tag(model) else None


def _repository(name: str | Path) -> Repository | None:
    """Repository on the hub of this name; None for a path on this disk."""
    return None if isinstance(name, Path) or _exists(name) else repository_of(name)


@typed
@plain_arithmetic()
def load_model(name: str, progress: Progress | None = None) -> VisionTransformer:
    """Load a shipped or pretrained model by name; never a path.

    Raises:
        ModelError: as `load`.
    """
    return load_shipped(SHIPPED[name]) if name in SHIPPED else load_pretrained(name, progress)


@typed
def is_on_disk(name: str) -> bool:
    """Whether a shipped or pretrained model can be loaded without a download.

    Raises:
        ModelError: if there is no such model.
    """
    return SHIPPED[name].path.is_file() if name in SHIPPED else source_of(name).on_disk() is not None


@typed
def shared(name: str, progress: Progress | None = None) -> VisionTransformer:
    """The model that all visitors of the app share, loaded if it is not in memory or its file has changed.

    Args:
        name: of a shipped or pretrained model, or one of `checkpoints()`; never a path.
        progress: see `load`.

    Raises:
        ModelError: as `load`.
    """
    changed = version(name)
    load = partial(load_offered, name) if changed else partial(load_model, name, progress)
    return _shelf.get(f"{name}@{changed}" if changed else name, load)


def loaded() -> tuple[str, ...]:
    """The shared models that are in memory, the least recently used first."""
    return tuple(key.partition("@")[0] for key in _shelf.names())


def is_loaded(model: VisionTransformer) -> bool:
    """Whether this very model is one of the shared ones in memory."""
    return _shelf.holds(model)


def _is_path(name: str | Path) -> bool:
    if isinstance(name, Path):
        return True
    # A few of timm's tags end in ".pt", so that suffix alone does not make a path.
    looks_like_one = name.endswith(tuple(set(SUFFIXES) - {".pt"})) or "/" in name or "\\" in name
    if looks_like_one or _is_file(name, ".pt") or any(_is_file(f"{name}/{file}") for file in FOLDER_FILES):
        return True
    return _is_folder(name) and name not in SHIPPED and not is_tag(name)  # which is told that it holds no weights


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # as in `_is_file`
        return False


def _is_folder(path: str) -> bool:
    try:
        return bool(path) and Path(path).is_dir()
    except (OSError, ValueError):  # as in `_is_file`
        return False


def _is_file(path: str, suffix: str = "") -> bool:
    try:
        return path.endswith(suffix) and Path(path).is_file()
    except (OSError, ValueError):  # such as that of a name that no file system can hold
        return False


_shelf = ModelCache(max_models)
