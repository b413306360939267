"""Checkpoints for tests, and the small model from which they are made."""

import json

import pytest
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer as TimmViT

SHAPE = {"img_size": 64, "patch_size": 16, "embed_dim": 192, "depth": 2, "num_heads": 3, "num_classes": 5}


def randomised(model):
    """Randomise a model so that all parts have an effect."""
    random = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random) / 5
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def original():
    """A small timm model."""
    return randomised(TimmViT(**SHAPE))


def pixels(side=64):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2))


def close(ours, expected):
    assert (expected[0] - expected[1]).abs().max() > 0.01
    return torch.allclose(ours, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def saved(path, weights):
    """Save in the format of the suffix; return the path as text."""
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in weights.items()}, path)
    else:
        torch.save(weights, path)
    return str(path)


def prefixed(weights, prefix):
    return {prefix + key: value for key, value in weights.items()}


def zeros(weights):
    return {key: torch.zeros_like(value) for key, value in weights.items()}


def trainer_folder(path, weights, config=None, preprocessor=None):
    """Write the folder of a training run with transformers' Trainer."""
    path.mkdir()
    saved(path / "model.safetensors", weights)
    for name, said in (("config.json", config), ("preprocessor_config.json", preprocessor)):
        if said is not None:
            (path / name).write_text(json.dumps(said))
    return path
