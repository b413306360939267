"""What can be loaded, and from where.

    load("dinov2-small")                            # shipped: read from disk, no network
    load("vit_tiny_patch16_224.augreg_in21k_ft_in1k")  # timm's: from the Hugging Face cache, or downloaded to it
    load("run7/best.safetensors", classes="labels.txt")  # your own

`SHIPPED` and `CURATED` are the catalogue; `search` finds the rest of timm's plain ViTs and `facts` describes them.
"""

import warnings
from functools import partial
from pathlib import Path

from ..arguments import of_kind, shown, typed
from ..errors import ModelError, VitvizWarning
from ..model import VisionTransformer
from ..precision import plain_arithmetic
from .checkpoint import FOLDER_FILES, SUFFIXES
from .class_names import Classes, taken
from .curated import CURATED, TimmEntry
from .hub import Progress, can_reach_hub
from .offered import checkpoints, is_offered, load_offered, version
from .options import Options
from .pretrained import facts, is_tag, load_pretrained, search, source_of, why_refused
from .repository import load_repository, repository_of
from .restore import load_checkpoint
from .shelf import ModelShelf, max_models
from .shipped import SHIPPED, ZooEntry, assets, load_shipped

__all__ = [
    "CURATED",
    "SHIPPED",
    "ModelShelf",
    "TimmEntry",
    "ZooEntry",
    "assets",
    "can_reach_hub",
    "checkpoints",
    "facts",
    "is_loaded",
    "is_offered",
    "is_on_disk",
    "load",
    "load_offered",
    "loaded",
    "search",
    "shared",
    "version",
    "why_refused",
]


@plain_arithmetic()
def load(
    name: str | Path,
    *,
    arch: str | None = None,
    classes: Classes | None = None,
    heads: int | None = None,
    prefix: str | None = None,
    progress: Progress | None = None,
) -> VisionTransformer:
    """Load a model: a shipped one, a pretrained one of timm, or your own checkpoint.

    Args:
        name: a shipped model, such as `"dinov2-small"`, which is read from disk and needs no network; the name of a
            pretrained timm model, which is downloaded if it is not in the Hugging Face cache; or the path of a
            checkpoint (.safetensors, .pth, .pt, .bin, .ckpt, or a folder with config.json and model.safetensors, as a
            Hugging Face training run leaves behind); or a repository on the Hugging Face hub, such as
            `"facebook/dinov2-small"`. Weights may be named as by timm, torchvision, or Hugging Face's ViT, DeiT and
            DINOv2.
        arch: of a checkpoint: timm's name of the architecture. Needed only where the file does not tell it.
        classes: of a checkpoint: the class names, as a text file with one a line, as names in order (a list, an array)
            or as a dictionary from number to name or from name to number; or how many there are; 0 leaves the
            classifier out.
        heads: of a checkpoint: how many attention heads a block has. Needed only where nothing tells it: no weight
            does.
        prefix: of a checkpoint that holds several models: what the keys of the wanted one begin with.
        progress: is called during a download with the bytes that are here and the bytes in all (0: not known).

    Returns:
        The model in evaluation mode, float32, on the CPU. A checkpoint's pixels are prepared as its
        preprocessor_config.json says, else as the architecture's pretrained weights want them. What was assumed is in
        `notes`, and each note is given as a `VitvizWarning`.

    Raises:
        ModelError: if the name is unknown (the message gives the three nearest), the weights cannot be had or read, or
            the model cannot be represented exactly.
    """
    if not isinstance(name, str | Path):
        raise ModelError(f"A model is loaded by its name, not by {shown(name)}; try {next(iter(SHIPPED))!r}.")
    of_kind(progress, Progress | None, "progress", ModelError)
    model = _load(name, Options(arch, taken(classes), heads, prefix), progress)
    for note in model.notes:
        warnings.warn(note, VitvizWarning, stacklevel=3)  # past `plain_arithmetic`
    return model


def _load(name: str | Path, options: Options, progress: Progress | None) -> VisionTransformer:
    if _is_path(name):
        repository = None if isinstance(name, Path) or _exists(name) else repository_of(name)
        if repository is None:
            return load_checkpoint(name, options)
        owner, _, model = repository.name.partition("/")
        if owner != "timm" or repository.revision or not is_tag(model):
            return load_repository(repository, options, progress)
        name = model
    if options.any_given:
        raise ModelError(
            f"{shown(name)} is a model and not a file, so its architecture and classes are known; leave them out."
        )
    return load_model(name, progress)


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
    return looks_like_one or _is_file(name, ".pt") or any(_is_file(f"{name}/{file}") for file in FOLDER_FILES)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # as in `_is_file`
        return False


def _is_file(path: str, suffix: str = "") -> bool:
    try:
        return path.endswith(suffix) and Path(path).is_file()
    except (OSError, ValueError):  # such as that of a name that no file system can hold
        return False


_shelf = ModelShelf(max_models)
