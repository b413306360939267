"""Weights from the hub: a short request first, downloads with progress, and the cache. No test needs a network."""

import re
import ssl
import threading
from urllib.error import HTTPError, URLError

import pytest
import timm
import torch
from huggingface_hub import constants

import vitviz
from tests.support.facts import mentions
from tests.support.local_hub import FILE, NAME, point_at
from tests.zoo.test_loading import in_a_new_process
from vitviz import ModelError, zoo
from vitviz.zoo import hub
from vitviz.zoo.pretrained import source_of

pytestmark = pytest.mark.slow


def downloads(server):
    return [path for method, path in server.asked if method == "GET"]


# --- From the hub ----------------------------------------------------------------------------------------------------


def test_a_model_is_downloaded_once_with_progress(server, made):
    told = []
    assert not zoo.is_on_disk(NAME)
    ours = vitviz.load(NAME, progress=lambda done, total: told.append((done, total)))
    pixels = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ours(pixels), made(pixels), rtol=1e-4, atol=1e-5)
    size = len(server.files[FILE])
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert told == sorted(told)

    assert zoo.is_on_disk(NAME)
    server.asked.clear()
    again = vitviz.load(NAME, progress=lambda *_: pytest.fail("nothing is downloaded"))
    assert torch.equal(again(pixels), ours(pixels))
    assert server.asked == []  # no request


def test_what_comes_with_a_downloaded_model(server):
    ours = vitviz.load(NAME)
    assert ours.name == NAME
    assert ours.labels[281] == "tabby"
    assert len(ours.labels) == ours.config.num_classes == 1000
    assert ours.preprocessing.crop_fraction == timm.get_pretrained_cfg(NAME).crop_pct


def test_a_name_without_a_tag_means_the_default_weights(server):
    vitviz.load("test_vit")
    assert downloads(server) == [FILE]
    assert zoo.is_on_disk("test_vit")
    assert zoo.is_on_disk(NAME)


def test_a_cached_model_needs_no_hub(server, monkeypatch, made):
    vitviz.load(NAME)
    point_at(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert vitviz.load(NAME).config.embed_dim == made.embed_dim


def test_a_pickle_on_the_hub_is_read_without_running_it(server, made, tmp_path):
    torch.save(made.state_dict(), tmp_path / "weights")
    server.files = {FILE.replace("model.safetensors", "pytorch_model.bin"): (tmp_path / "weights").read_bytes()}
    pixels = torch.ones(1, 3, 160, 160)
    assert torch.allclose(vitviz.load(NAME)(pixels), made(pixels), rtol=1e-4, atol=1e-5)
    torch.save({"code": torch.nn.Linear(2, 2)}, tmp_path / "weights")
    source_of(NAME).on_disk().write_bytes((tmp_path / "weights").read_bytes())
    with pytest.raises(ModelError, match=mentions("torch.nn.modules.linear.Linear")):
        vitviz.load(NAME)


def test_a_broken_download_is_said_and_the_next_one_works(server, made):
    server.cut = [1000]
    with pytest.raises(ModelError, match=mentions("download", f"'{NAME}'")):
        vitviz.load(NAME)
    assert not zoo.is_on_disk(NAME)
    server.status = {}
    assert vitviz.load(NAME).config.embed_dim == made.embed_dim


def stop(done, total):
    raise OSError("stopped")  # as a broken network is said, too


def test_what_progress_raises_stops_a_download_and_reaches_the_caller(server, made):
    with pytest.raises(OSError, match="stopped"):
        vitviz.load(NAME, progress=stop)
    assert not zoo.is_on_disk(NAME)
    assert vitviz.load(NAME).config.embed_dim == made.embed_dim


@pytest.mark.parametrize("status", [401, 403])
def test_weights_that_need_a_licence_say_what_to_do(status, server):
    server.status = {"HEAD": 0, "GET": 0}
    server.files[FILE] = b""
    real = hub._responds
    hub_says = {"HEAD": status}

    def reachable(url, timeout):
        answer = real(url, timeout)
        server.status = hub_says  # after the request that checks whether the hub can be reached
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "_responds", reachable)
        with pytest.raises(ModelError) as caught:
            vitviz.load(NAME)
    assert f"https://huggingface.co/timm/{NAME} " in str(caught.value)
    assert "HF_TOKEN" in str(caught.value)


def test_a_repository_without_weights(server):
    server.files = {}
    with pytest.raises(ModelError, match=mentions(f"timm/{NAME}", "model.safetensors", "pytorch_model.bin")):
        vitviz.load(NAME)


def test_damaged_weights_are_said(server):
    vitviz.load(NAME)
    source_of(NAME).on_disk().write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match=mentions(f"'{NAME}'", "damaged")):
        vitviz.load(NAME)


def test_a_model_that_cannot_be_converted_is_not_downloaded(server):
    with pytest.raises(ModelError, match=mentions("ResNet")):
        vitviz.load("resnet18")
    assert server.asked == []


# --- Weights that are not on the hub ---------------------------------------------------------------------------------


def test_weights_from_elsewhere(server, cache):
    server.files["/weights.pth"] = bytes(range(256)) * 4096
    told, source = [], hub.Source("", url=f"{server.url}/weights.pth")
    path = hub.weights_of("x", source, lambda *numbers: told.append(numbers))
    assert path.read_bytes() == server.files["/weights.pth"]
    assert path == cache / "torch" / "hub" / "checkpoints" / "weights.pth" == source.on_disk()
    assert told[-1] == (1 << 20, 1 << 20)
    server.asked.clear()
    assert hub.weights_of("x", source) == path
    assert server.asked == []


def test_a_stopped_download_from_elsewhere_leaves_nothing_behind(server, cache):
    server.files["/weights.pth"] = bytes(1000)
    with pytest.raises(OSError, match="stopped"):
        hub.weights_of("x", hub.Source("", url=f"{server.url}/weights.pth"), stop)
    assert list((cache / "torch" / "hub" / "checkpoints").iterdir()) == []


def test_a_broken_download_from_elsewhere_leaves_nothing_behind(server, cache):
    server.files["/weights.pth"] = bytes(1000)
    server.cut = [500]
    with pytest.raises(ModelError, match=mentions("download", "'x'")):
        hub.weights_of("x", hub.Source("", url=f"{server.url}/weights.pth"))
    assert list((cache / "torch" / "hub" / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vit_tiny_patch16_224", hub.Source("timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k")),
        ("vit_small_patch16_lingbot.robbyant", hub.Source("belfner/vit_small_patch16_lingbot.robbyant")),
        (
            "vit_huge_patch14_gap_224.in1k_ijepa",
            hub.Source("", url="https://dl.fbaipublicfiles.com/ijepa/IN1K-vit.h.14-300e.pth.tar"),
        ),
    ],
)
def test_where_weights_are_published(name, expected):
    assert source_of(name) == expected


# --- Without a network -----------------------------------------------------------------------------------------------


def unreachable(name):
    """Regular expression for the error of a model whose weights are neither on this disk nor to be had."""
    return mentions(repr(name), *zoo.SHIPPED)


@pytest.mark.parametrize("name", [NAME, "vit_tiny_patch16_224", "vit_small_patch8_224.dino"])
def test_a_closed_port_is_said(name, cache):
    with pytest.raises(ModelError, match=unreachable(name)):
        vitviz.load(name)


def test_a_model_that_is_not_here_is_not_asked_for_when_offline(cache, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_responds", lambda *_: pytest.fail("the network is off"))
    with pytest.raises(ModelError, match=unreachable(NAME)):
        vitviz.load(NAME)
    assert not zoo.can_reach_hub()


@pytest.fixture
def silence(monkeypatch):
    """A network that never answers, such as a DNS server that is down."""
    asked, end = [], threading.Event()

    def never(*asking, **_):
        asked.append(asking)
        end.wait()
        raise OSError

    monkeypatch.setattr("socket.getaddrinfo", never)
    yield asked
    end.set()


def test_a_lookup_that_never_returns_is_given_up(cache, monkeypatch, silence):
    point_at(monkeypatch, "https://hub.invalid")
    with pytest.raises(ModelError, match=unreachable(NAME)):
        vitviz.load(NAME)
    assert [asked[0] for asked in silence] == ["hub.invalid"]


def test_the_answer_is_waited_for_no_longer_than_the_deadline(cache, monkeypatch):
    waited = []

    class Queue:
        def put(self, answer):
            pass

        def get(self, timeout):
            waited.append(timeout)
            raise hub.queue.Empty

    monkeypatch.setattr(hub.queue, "SimpleQueue", Queue)
    monkeypatch.setattr(hub, "_responds", lambda url, timeout: waited.append((url, timeout)))
    assert not zoo.can_reach_hub(timeout=0.5)
    assert not zoo.can_reach_hub()
    assert [wait for wait in waited if not isinstance(wait, tuple)] == [0.5, 2.0]


def error(code):
    return HTTPError("http://x", code, "", {}, None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, True),
        (error(404), True),
        (error(401), True),
        (error(502), False),
        (error(504), False),
        (URLError(ConnectionRefusedError()), False),
        (URLError(ssl.SSLCertVerificationError()), True),
        (TimeoutError(), False),
        (ValueError("no URL"), False),
    ],
)
def test_what_counts_as_an_answer(said, expected, cache, monkeypatch):
    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    def ask(request, timeout):
        assert (request.method, timeout) == ("HEAD", 2.0)
        if said:
            raise said
        return Answer()

    monkeypatch.setattr(hub, "urlopen", ask)
    assert zoo.can_reach_hub() is expected


def test_a_hub_that_is_there_is_reached(server):
    assert zoo.can_reach_hub(timeout=60)
    assert server.asked == [("HEAD", "/")]


def test_names_that_cannot_be_loaded_are_said_offline_too(tmp_path):
    code = """
import vitviz
for name in ("vit_tiny_patch16_224", "deit_tiny_patch16_224.fb_in1k", "resnet18"):
    try:
        vitviz.load(name)
    except vitviz.ModelError as error:
        print(error)
"""
    said = in_a_new_process(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path), TORCH_HOME=str(tmp_path)).splitlines()
    assert re.search(unreachable("vit_tiny_patch16_224"), said[0])
    assert re.search(unreachable("deit_tiny_patch16_224.fb_in1k"), said[1])
    assert "ResNet" in said[2]


def test_the_curated_list_says_what_is_on_disk_without_timm(tmp_path):
    code = """
import sys
from vitviz import zoo
print([name for name in (*zoo.SHIPPED, *zoo.CURATED) if zoo.is_on_disk(name)], "timm" in sys.modules)
"""
    said = in_a_new_process(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path), TORCH_HOME=str(tmp_path))
    assert "'dinov2-small'" in said
    assert "vit_" not in said
    assert said.endswith("False\n")
