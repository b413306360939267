"""Copies of models in training, and their checkpoints."""

import random
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch import nn

import vitviz
from tests.support.checkpoints import close
from tests.support.facts import assert_mentions
from tests.support.random_models import CONFIGS
from vitviz.errors import ArgumentError, ModelError
from vitviz.zoo.in_training import CheckpointWriter, copy_of, find_model

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def timm_model(**options):
    torch.manual_seed(0)
    return timm.create_model("test_vit", num_classes=3, **options)


def own_model(kind="plain", config=None):
    config = config or replace(CONFIGS["mean"], class_token=True, pooling="token")
    model = vitviz.VisionTransformer(config, kind, vitviz.Preprocessing(mean=(0.4,) * 3), ("a", "b", "c", "d", "e"))
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 4
    return model


def noise(model, count=2):
    size = model.config.image_size if hasattr(model, "config") else model.patch_embed.img_size
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(1))


def states():
    """States of all random number generators."""
    parts = [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]
    return [*(part.numpy().tobytes() for part in parts), np.random.get_state()[1].tobytes(), random.getstate()]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("build", [timm_model, own_model])
def test_the_model_is_as_before(build, dtype, device):
    model = build().to(device, dtype).train()
    model.blocks[1].eval()
    model(noise(model).to(device, dtype)).float().sum().backward()
    modes = [part.training for part in model.modules()]
    before = {name: (value, value.grad, value.clone(), value.grad.clone()) for name, value in model.named_parameters()}
    random_numbers = states()
    copied = copy_of(model)
    copied.trace(noise(model)[0])
    assert states() == random_numbers
    assert [part.training for part in model.modules()] == modes
    for name, value in model.named_parameters():
        same, gradient, old, old_gradient = before[name]
        assert value is same
        assert value.grad is gradient
        assert value.requires_grad
        assert value.device.type == device
        assert value.dtype == dtype
        assert torch.equal(value, old)
        assert torch.equal(value.grad, old_gradient)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("build", [timm_model, own_model])
def test_the_copy_computes_the_same_and_is_independent(build, device):
    model = build().to(device).eval()
    copied = copy_of(model)
    expected = model(noise(model).to(device)).detach().cpu()
    assert close(copied(noise(model)), expected)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1
    assert close(copied(noise(model)), expected)
    assert not any(parameter.requires_grad for parameter in copied.parameters())


@pytest.mark.parametrize("kind", CONFIGS)
def test_copies_of_own_models_of_all_kinds(kind):
    model = own_model(kind, CONFIGS[kind])
    copied = copy_of(model)
    assert copied.config == model.config
    assert copied.labels == model.labels
    assert copied.preprocessing == model.preprocessing
    assert copied.name == kind
    assert close(copied(noise(model)), model(noise(model)).detach())


def test_the_preprocessing_of_the_training_replaces_an_assumption():
    model = timm_model()
    assert copy_of(model).notes
    other = vitviz.Preprocessing(mean=(0.1,) * 3)
    copied = copy_of(model, other)
    assert copied.preprocessing == other
    assert not copied.notes


class Loop(nn.Module):
    """Module of a training loop."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.loss = nn.CrossEntropyLoss()


def test_the_model_is_found_in_a_module():
    vit, own = timm_model(), own_model()
    assert find_model(vit) is vit
    assert find_model(own) is own
    assert find_model(Loop(backbone=vit)) is vit
    assert find_model(nn.Sequential(Loop(backbone=own))) is own
    assert find_model(nn.DataParallel(Loop(net=vit))) is vit
    assert find_model(Loop(student=vit, teacher=own), "teacher") is own


@pytest.mark.exhaustive  # the first use of torch.compile takes seconds
def test_a_compiled_model_is_found():
    vit = timm_model()
    assert find_model(torch.compile(vit)) is vit
    assert find_model(Loop(net=torch.compile(vit))) is vit


def test_refusals_name_the_choice():
    with pytest.raises(ArgumentError) as raised:
        find_model(Loop(student=timm_model(), teacher=timm_model()))
    assert_mentions(str(raised.value), "student", "teacher", "model=")
    with pytest.raises(ArgumentError, match="Linear"):
        find_model(nn.Linear(2, 2))
    with pytest.raises(ArgumentError, match="backbone"):
        find_model(Loop(net=timm_model()), "backbone")


CHECKPOINTS = {
    "of timm": lambda: timm_model(img_size=96),
    "of timm, with registers": lambda: timm_model(reg_tokens=2, num_heads=4),
    "without the name of an architecture": lambda: TimmViT(
        img_size=(32, 48), patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=4
    ),
    "mean of the patches": lambda: TimmViT(
        img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=4, global_pool="avg", fc_norm=False
    ),
    "another activation": lambda: TimmViT(
        img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=4, act_layer="gelu_tanh"
    ),
    "own": own_model,
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_a_checkpoint_is_loaded_as_the_same_model(kind, tmp_path):
    model = CHECKPOINTS[kind]()
    used = vitviz.Preprocessing(mean=(0.3, 0.2, 0.1), std=(0.2,) * 3, interpolation="bilinear", fit="squash")
    copied = copy_of(model, used)
    (tmp_path / "epoch-00001").mkdir()
    CheckpointWriter().write(tmp_path / "epoch-00001", model, copied)
    loaded = vitviz.load(tmp_path / "epoch-00001")
    assert loaded.config == copied.config
    assert loaded.labels == copied.labels
    assert loaded.preprocessing == used
    assert not loaded.notes
    assert close(loaded(noise(copied)), model.eval()(noise(copied)).detach())


def test_a_checkpoint_that_cannot_be_loaded_is_refused(tmp_path):
    model = own_model("differential", CONFIGS["differential"])
    with pytest.raises(ModelError, match="checkpoints=False"):
        CheckpointWriter().write(tmp_path, model, copy_of(model))
