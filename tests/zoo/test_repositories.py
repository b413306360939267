"""Models by the name of their repository on the hub, with a local server as the hub."""

import json

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save

import vitviz
from tests.support import hugging_face
from tests.support.checkpoints import close, pixels
from tests.support.facts import mentions
from tests.support.local_hub import FILE, NAME, point_at
from vitviz import ModelError
from vitviz.zoo.repository import repository_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::vitviz.VitvizWarning")]
CONFIG = {"model_type": "vit", "num_attention_heads": 3, "layer_norm_eps": 0.1, "image_size": 64}


def stored(server, repository, **files):
    """Store files in a repository of the hub."""
    for name, data in files.items():
        path = f"/{repository}/resolve/main/{name.replace('__', '.').replace('_index', '.index')}"
        server.files[path] = data if isinstance(data, bytes) else json.dumps(data).encode()


@pytest.mark.parametrize("name", ["someone/vit-tiny", "hf-hub:someone/vit-tiny", "someone/vit-tiny@main"])
def test_a_repository_is_read_with_what_describes_it(name, server):
    weights = hugging_face.random_weights()
    preprocessor = {"image_mean": [0.4] * 3, "image_std": [0.2] * 3, "size": {"height": 64, "width": 64}}
    stored(server, "someone/vit-tiny", model__safetensors=save(weights), config__json=CONFIG)
    server.files["/someone/vit-tiny/resolve/main/preprocessor_config.json"] = json.dumps(preprocessor).encode()
    ours = vitviz.load(name)
    assert close(ours(pixels()), hugging_face.forward(weights, pixels(), eps=0.1))
    assert (ours.name, ours.preprocessing.mean) == ("vit-tiny", (0.4,) * 3)


def test_a_repository_in_shards(server):
    weights = hugging_face.random_weights()
    names = {f"model-0000{i + 1}-of-00002.safetensors": sorted(weights)[i::2] for i in range(2)}
    index = {"weight_map": {key: name for name, keys in names.items() for key in keys}}
    for name, keys in names.items():
        server.files[f"/someone/large/resolve/main/{name}"] = save({key: weights[key] for key in keys})
    server.files["/someone/large/resolve/main/model.safetensors.index.json"] = json.dumps(index).encode()
    assert close(vitviz.load("someone/large")(pixels()), hugging_face.forward(weights, pixels()))


def test_what_is_in_the_cache_needs_no_hub(server, monkeypatch):
    weights = hugging_face.random_weights()
    stored(server, "someone/vit-tiny", model__safetensors=save(weights), config__json=CONFIG)
    vitviz.load("someone/vit-tiny")
    point_at(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert close(vitviz.load("someone/vit-tiny")(pixels()), hugging_face.forward(weights, pixels(), eps=0.1))


@pytest.mark.parametrize("name", [f"timm/{NAME}", f"hf-hub:timm/{NAME}", f"hf_hub:timm/{NAME}"])
def test_timms_repositories_are_its_models(name, server, made):
    image = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    ours = vitviz.load(name)
    assert torch.allclose(ours(image), made(image), rtol=1e-4, atol=1e-5)
    assert (ours.name, ours.labels[281]) == (NAME, "tabby")
    assert [path for method, path in server.asked if method == "GET"] == [FILE]


@pytest.mark.parametrize("name", [f"timm/{NAME}", "someone/vit-tiny", "hf-hub:someone/vit-tiny"])
def test_a_name_of_the_hub_is_no_path_when_there_is_no_network(name, cache, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError) as caught:
        vitviz.load(name)
    before_any_file = str(caught.value).partition("file")[0]
    assert "hub" in before_any_file


def test_a_repository_without_weights_is_said(server):
    stored(server, "someone/data", config__json=CONFIG)
    with pytest.raises(ModelError, match=mentions("someone/data", "model.safetensors")):
        vitviz.load("hf-hub:someone/data")


def test_a_path_that_exists_is_a_path(tmp_path, monkeypatch, original):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    torch.save(original.state_dict(), tmp_path / "runs" / "best")
    assert close(vitviz.load("runs/best")(pixels()), original(pixels()))


@pytest.mark.parametrize(
    "name", ["./runs/best", "../best", "/etc/passwd", "a/b/c", "runs\\best", "a/", "/b", "a//b", "é/b"]
)
def test_what_no_repository_can_be_called(name):
    assert repository_of(name) is None


def test_options_go_with_a_repository(server):
    weights = hugging_face.random_weights(classes=2)
    stored(server, "someone/two", model__safetensors=save(weights), config__json=CONFIG)
    assert vitviz.load("someone/two", classes=["cat", "dog"]).labels == ("cat", "dog")
    assert vitviz.load("someone/two", classes=0).config.num_classes == 0
