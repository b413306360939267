"""Shared by the tests: the shipped model and its twin in timm, a small random model, photographs and traces of them."""

import gc
import os
from functools import cache as kept
from unittest.mock import MagicMock

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub: no test needs a network
os.environ["OMP_NUM_THREADS"] = "1"  # here and in the apps that tests start: several run at once, and wait for no core

import pytest
import timm
import torch
from safetensors.torch import load_file
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import app_test

import vitviz
from tests.support.checkpoints import original  # noqa: F401 - a fixture
from tests.support.command_line import vit, written  # noqa: F401 - fixtures
from tests.support.local_hub import cache, made, server  # noqa: F401 - fixtures
from vitviz import zoo
from vitviz.ui.app import cache as app_cache
from vitviz.zoo import SHIPPED, assets
from vitviz.zoo.model_cache import ModelCache


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="also what is too large for every day")


def pytest_collection_modifyitems(config, items):
    """Leave out what is marked `exhaustive`, unless all is asked for."""
    if not config.getoption("--all"):
        left_out = [item for item in items if item.get_closest_marker("exhaustive")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_collection_finish():
    """Take what stays for good, such as all modules, out of what the garbage collector looks through."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _installed_components_are_looked_up_once():
    """Streamlit's AppTest reads what every installed package says about itself, again for each app."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", kept(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session", autouse=True)
def _sessions_of_app_tests_are_connected():
    """The runtime of an AppTest is a mock, whose answers are made when they are first asked for: not in two threads."""

    def runtime(*args, **kwargs):
        mock = MagicMock(*args, **kwargs)
        mock.is_active_session.return_value = True
        return mock

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_test, "MagicMock", runtime)
        yield


@pytest.fixture(scope="session")
def photo():
    """The path of a sample photograph."""
    return assets() / "images" / "cat.jpg"


@pytest.fixture(scope="session")
def model():
    """The shipped model. Nothing that a test does may change it."""
    return vitviz.load("dinov2-small")


@pytest.fixture(scope="session")
def twin():
    """timm's own model with the shipped weights, which computes attention explicitly."""
    twin = timm.create_model("vit_small_patch14_dinov2", dynamic_img_size=True).eval().requires_grad_(False)
    weights = load_file(assets() / "models" / SHIPPED["dinov2-small"].weights)
    twin.load_state_dict({name: value.float() for name, value in weights.items()})
    for block in twin.blocks:
        block.attn.fused_attn = False
    return twin


SMALL = vitviz.ViTConfig(
    image_size=(32, 48),
    patch_size=8,
    embed_dim=24,
    depth=3,
    num_heads=3,
    head_dim=8,
    mlp_dim=48,
    num_classes=5,
    num_registers=2,
)


@pytest.fixture(scope="session")
def small():
    """A random model with registers and a classifier: 3 + 4 x 6 tokens."""
    model = vitviz.VisionTransformer(SMALL, "small")
    random = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random) / 2
    return model.requires_grad_(False)


@pytest.fixture(scope="session")
def small_trace(small):
    """The small model's view of noise."""
    return small.trace(torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(1)))


@pytest.fixture(scope="session")
def trace(model, photo):
    """The shipped model's view of the photograph: 1 + 16 x 16 tokens."""
    return model.trace(photo)


@pytest.fixture(scope="session")
def large_trace(model, photo):
    """The same at 518 pixels: 1 + 37 x 37 tokens."""
    return model.trace(photo, size=518)


@pytest.fixture
def stopped_after(monkeypatch):
    """Let the model be stopped, as by Ctrl-C, after so many passes."""

    def stop(passes: int) -> None:
        forward, left = vitviz.VisionTransformer.forward, iter(range(passes))

        def until(*arguments):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return forward(*arguments)

        monkeypatch.setattr(vitviz.VisionTransformer, "forward", until)

    return stop


@pytest.fixture
def empty_model_cache(monkeypatch):
    """Start with no model in memory and empty caches of results; keep none afterwards."""
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 2))
    app_cache.clear()
