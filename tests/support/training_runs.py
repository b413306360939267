"""Folders with the checkpoints of small training runs."""

from collections.abc import Iterable
from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

OPTIONS = "num_heads = 3\nmean = 0.5\nstd = 0.5\n"


def weights(seed: int, **changes: int) -> dict[str, torch.Tensor]:
    """Return random weights of a ViT with 2 x 2 patches and two classes."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = {"img_size": 32, "patch_size": 16, "embed_dim": 192, "depth": 2, "num_heads": 3, "num_classes": 2}
        return TimmViT(**config | changes).state_dict()


def write_run(folder: Path, names: Iterable[str]) -> Path:
    """Write a checkpoint with weights of its own for each name, and the options of all in vitviz.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        torch.save(weights(seed), folder / name)
    (folder / "vitviz.toml").write_text(OPTIONS)
    return folder
