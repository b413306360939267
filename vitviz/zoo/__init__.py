"""Loading of models: shipped ones, pretrained models of timm, checkpoints and repositories on the Hugging Face hub.

    load("dinov2-small")                               # shipped: read from disk, no network needed
    load("vit_tiny_patch16_224.augreg_in21k_ft_in1k")  # timm: from the Hugging Face cache, or downloaded to it
    load("run7/best.safetensors", classes="names.txt", mean=0.5, std=0.5)  # your own checkpoint
    load_run("run7")                                   # all checkpoints of a training run

`SHIPPED` and `CURATED` are the catalogue. `search` finds the other plain ViTs of timm and `facts` describes them.
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
from ..model.precision import check_place, moved, plain_arithmetic
from ..notation.installation import assets
from ..notation.variables import DEVICE
from ..trace.vision_transformer import VisionTransformer
from .class_names import Classes
from .curated import CURATED, TimmEntry
from .folders import FOLDER_FILES, SUFFIXES, checkpoint_file, parts_of
from .heads import LinearHead, attached, base_of, check_head, held, hold, open_head, read_head, with_held_head
from .hub import can_reach_hub
from .model_cache import ModelCache, max_models
from .offered import checkpoints, is_offered, load_offered, not_offered, version
from .opening import check_opening
from .options import ChannelValues, Options
from .pretrained import facts, is_tag, load_pretrained, search, source_of, why_refused
from .repository import Repository, load_repository, repository_of
from .restore import load_checkpoint
from .run import Run, load_run, run_names, run_of, series_name, step_name
from .shipped import SHIPPED, ZooEntry, load_shipped
from .shipped_run import entry_of
from .sidecar import files_beside, sidecar_of

__all__ = [
    "CURATED",
    "SHIPPED",
    "SUFFIXES",
    "LinearHead",
    "ModelCache",
    "Run",
    "TimmEntry",
    "ZooEntry",
    "assets",
    "base_of",
    "can_reach_hub",
    "check_head",
    "check_opening",
    "checkpoints",
    "entry_of",
    "facts",
    "files_of",
    "held",
    "hold",
    "is_loaded",
    "is_offered",
    "is_on_disk",
    "load",
    "load_offered",
    "load_run",
    "loaded",
    "not_offered",
    "read_head",
    "run_names",
    "run_of",
    "search",
    "series_name",
    "shared",
    "sidecar_of",
    "step_name",
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
    num_heads: int | None = None,
    prefix: str | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
    interpolation: str | None = None,
    crop_pct: float | None = None,
    fit: str | None = None,
    size: Size | None = None,
    head: LinearHead | str | Path | None = None,
    device: str | None = None,
    dtype: str | None = None,
    progress: Progress | None = None,
) -> VisionTransformer:
    """Load a shipped model, a pretrained timm model, a checkpoint or a repository of the Hugging Face hub.

    The arguments from `arch` to `size` are options for a checkpoint or a repository. They supply
    information that is missing from the file, and override the information in it. The same options can be set in a TOML
    file in the folder of the checkpoint: `best.toml` for `best.safetensors`, or `vitviz.toml` for all checkpoints in
    the folder that have no TOML file of their own.

    Args:
        name: a shipped model, such as `"dinov2-small"` (needs no network), or a checkpoint of its training run, such as
            `"digits-run/step-00100"`; a pretrained timm model (downloaded if it is not in the Hugging Face cache); the
            path of a checkpoint (.safetensors, .pth, .pt, .bin, .ckpt, or the folder of a Hugging Face training run
            with config.json and model.safetensors); or a repository on the Hugging Face hub, such as
            `"facebook/dinov2-small"`. Weights may use the names of timm, torchvision, or Hugging Face's ViT, DeiT and
            DINOv2.
        arch: timm's name of the architecture; needed only if the file does not state it.
        arch_kwargs: arguments of timm's `create_model` for that architecture, such as `{"global_pool": "avg"}`.
        classes: class names: a text file with one name per line, a sequence of names, or a dictionary from index to
            name or from name to index; or the number of classes; 0 removes the classifier. Default: the names in the
            file, or in a `labels.txt` in its folder.
        num_heads: number of attention heads per block; needed only if the file does not state it, because it cannot be
            derived from the weights.
        prefix: common prefix of the keys of the model to load, if the file holds several.
        mean: mean of each channel in training, for pixel values from 0 to 1; or one number for all channels.
        std: standard deviation of each channel in training, or one number for all channels.
        interpolation: resampling of images in evaluation: `"bicubic"`, `"bilinear"`, `"nearest"`, `"lanczos"`, `"box"`
            or `"hamming"`.
        crop_pct: fraction of the resized image's shorter side that the centre crop keeps, 0.1 to 2.
        fit: treatment of images that are not square: `"crop"`, `"squash"`, `"pad"` or `"native"` (see
            `vitviz.images.prepare`).
        size: default input size in pixels of `trace` and the app: the side of a square, or (height, width); multiples
            of the patch size.
        head: linear head that replaces the classifier of the model: the result of `vitviz.fit_head`, or the path of a
            file that it was saved to.
        device: device of the model, `"cpu"` (default), `"cuda"`, `"cuda:1"` or `"mps"`. Traces and all results are on
            the CPU.
        dtype: dtype of the weights, `"float32"` (default), `"bfloat16"`, `"float16"` or `"float64"`. The passes of the
            model use it; attention weights are computed in float32 from the queries and keys of the pass.
        progress: function called during a download with the bytes downloaded so far and the total (0: not known).

    Returns:
        The model in evaluation mode. The preprocessing of a checkpoint comes from the options, its
        preprocessor_config.json or the arguments of its training script; otherwise from timm's configuration of the
        architecture, or else from ImageNet. `notes` lists every assumption; each is also issued as a `VitvizWarning`.

    Raises:
        ModelError: if the name is unknown (the message gives the three nearest), the weights are not available or
            cannot be read, an option has the wrong type or does not fit the weights, the model cannot be represented
            exactly, the head cannot be read or was fitted on another model, or there is no such device or dtype.
    """
    if isinstance(name, nn.Module):
        raise ModelError(
            f"{type(name).__name__} is already a model in memory; convert it with vitviz.from_timm(model)."
        )
    if not isinstance(name, str | Path):
        raise ModelError(f"The name of a model must be text, not {shown(name)}; try {next(iter(SHIPPED))!r}.")
    of_kind(progress, Progress | None, "progress", ModelError)
    of_kind(head, LinearHead | str | Path | None, "head", ModelError)
    options = Options(
        arch=arch,
        arch_kwargs=arch_kwargs,
        classes=classes,
        num_heads=num_heads,
        prefix=prefix,
        mean=mean,
        std=std,
        interpolation=interpolation,
        crop_pct=crop_pct,
        fit=fit,
        size=size,
    )
    check_place(device, dtype)
    given = head if head is None or isinstance(head, LinearHead) else open_head(head)  # before a download
    model = _load(name, options, progress)
    if given is not None:
        model = attached(model, given)
    model = moved(model, device, dtype)
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
            f"{shown(known)} is not a checkpoint, and its architecture, classes and preprocessing are known; leave out "
            f"{next(iter(options.given))}=."
        )
    return load_model(known, progress)


@typed
def takes_options(name: str) -> bool:
    """Return True for a checkpoint or a repository on the hub; other models take no options.

    Raises:
        ModelError: if the name is not valid.
    """
    return _known(name) is None


def files_of(name: str) -> list[Path]:
    """Files that a checkpoint is read from, and the files in its folder that describe it; [] for other models.

    Raises:
        ModelError: if the name is not valid, or there is no such file.
    """
    if not takes_options(name) or _repository(name):
        return []
    file = checkpoint_file(Path(name))
    return [*parts_of(file), *files_beside(file)]


def _known(name: str | Path) -> str | None:
    """Name of a shipped or pretrained model; None for a checkpoint or a repository."""
    if not _is_path(name) or (isinstance(name, str) and entry_of(name)):
        return name
    repository = _repository(name)
    owner, _, model = repository.name.partition("/") if repository else ("", "", "")
    return model if owner == "timm" and not repository.revision and is_tag(model) else None


def _repository(name: str | Path) -> Repository | None:
    """Repository of this name on the hub; None for a path on this disk."""
    return None if isinstance(name, Path) or _exists(name) else repository_of(name)


@typed
@plain_arithmetic()
def load_model(name: str, progress: Progress | None = None) -> VisionTransformer:
    """Load a shipped or pretrained model by name; never a path.

    Raises:
        ModelError: as `load`.
    """
    entry = entry_of(name)
    return load_shipped(entry) if entry else load_pretrained(name, progress)


@typed
def is_on_disk(name: str) -> bool:
    """Return whether a shipped or pretrained model can be loaded without a download.

    Raises:
        ModelError: if there is no such model.
    """
    entry = entry_of(name)
    return entry.path.is_file() if entry else source_of(name).on_disk() is not None


@typed
def shared(name: str, progress: Progress | None = None) -> VisionTransformer:
    """Return the model that all users of the app share; load it if it is not in memory or its file has changed.

    Args:
        name: name of a shipped or pretrained model, or one of `checkpoints()`; never a path. With the head of a user,
            see `vitviz.zoo.heads.held_heads`, the model shares the weights of its base model.
        progress: see `load`.

    Raises:
        ModelError: as `load`; or if the head is not in memory, or was fitted on another model.
    """
    base = base_of(name)
    if base != name:
        return with_held_head(shared(base, progress), name)
    changed = version(name)
    load = partial(load_offered, name) if changed else partial(load_model, name, progress)
    place = DEVICE.value()
    return _model_cache.get(f"{name}@{changed}" if changed else name, lambda: moved(load(), place, None))


def loaded() -> tuple[str, ...]:
    """Names of the shared models in memory, least recently used first."""
    return tuple(key.partition("@")[0] for key in _model_cache.names())


def is_loaded(model: VisionTransformer) -> bool:
    """Return whether this object is one of the shared models in memory."""
    return _model_cache.holds(model)


def _is_path(name: str | Path) -> bool:
    if isinstance(name, Path):
        return True
    # The names of a few pretrained timm models end in ".pt", so the suffix alone does not identify a path.
    looks_like_one = name.endswith(tuple(set(SUFFIXES) - {".pt"})) or "/" in name or "\\" in name
    if looks_like_one or _is_file(name, ".pt") or any(_is_file(f"{name}/{file}") for file in FOLDER_FILES):
        return True
    return (
        _is_folder(name) and name not in SHIPPED and not is_tag(name)
    )  # load_checkpoint then reports that it holds no weights


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
    except (OSError, ValueError):  # for example, a name that is too long for the file system
        return False


_model_cache = ModelCache(max_models)
