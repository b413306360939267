"""Models with the head of a user: found by name while somebody keeps the head, and no copy of their base model."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support.taught_heads import random_head
from vitviz import zoo
from vitviz.trace.vision_transformer import VisionTransformer
from vitviz.zoo.heads import held_heads
from vitviz.zoo.model_cache import ModelCache

pytestmark = pytest.mark.usefixtures("empty_model_cache")


def test_the_model_with_a_head_computes_what_the_library_does():
    name, head = zoo.hold("digits", random_head("digits"))
    assert zoo.base_of(name) == "digits"
    assert zoo.held(name) is head
    wanted = vitviz.load("digits", head=head).trace(torch.zeros(3, 32, 32)).output
    assert np.array_equal(zoo.shared(name).trace(torch.zeros(3, 32, 32)).output, wanted)


@pytest.mark.parametrize("name", ["digits", "run+7/best.pth", "a+0123456789abcdef", "", "+", "x\n+" + "0" * 31])
def test_other_names_have_no_head(name):
    assert zoo.base_of(name) == name
    assert zoo.held(name) is None


def test_equal_heads_have_one_name_and_any_difference_makes_another():
    first = random_head("digits")
    others = (
        random_head("digits", seed=1),
        random_head("digits", "mug", "glass", "fork"),
        random_head("digits", kind="independent"),
        random_head("digits", pooling="token+mean"),
        replace(first, name="cups"),
        replace(first, counts=(3, 3, 4)),
        replace(first, correct=8),
        replace(first, preprocessing=replace(first.preprocessing, fit="pad")),
        replace(first, preprocessing=replace(first.preprocessing, mean=(0.25, 0.5, 0.5))),
    )
    names = [zoo.hold("digits", head)[0] for head in (first, *others)]
    assert len(set(names)) == len(names)
    assert zoo.hold("digits", random_head("digits")) == (names[0], first)


def test_a_head_is_known_for_as_long_as_somebody_keeps_it():
    name, head = zoo.hold("digits", random_head("digits"))
    zoo.shared(name)
    del head
    gc.collect()
    assert zoo.held(name) is None
    with pytest.raises(vitviz.ModelError):
        zoo.shared(name)


def test_heads_need_no_further_model_in_memory(monkeypatch):
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 1))
    kept = [zoo.hold("digits", random_head("digits", seed=seed)) for seed in range(5)]
    models = [zoo.shared(name) for name, _ in kept]
    assert zoo.loaded() == ("digits",)
    base = zoo.shared("digits")
    for model in models:
        theirs = dict(model.named_parameters())
        alike = [key for key, value in base.named_parameters() if theirs[key] is value]
        assert set(theirs) - set(alike) == {"head.weight", "head.bias"}
    assert all(zoo.shared(name) is model for (name, _), model in zip(kept, models, strict=True))


def test_an_evicted_model_is_not_kept_by_its_heads():
    name, _head = zoo.hold("digits", random_head("digits"))
    block = weakref.ref(zoo.shared(name).blocks[0])
    zoo._model_cache._models.clear()
    gc.collect()
    assert block() is None
    assert zoo.shared(name).labels == _head.labels, "it is loaded again"


def test_threads_get_one_model_and_its_weights_are_read_once(monkeypatch):
    read = []
    monkeypatch.setattr(held_heads, "fingerprint", lambda model: read.append(model) or wanted)
    name, head = zoo.hold("digits", random_head("digits"))
    wanted = head.fingerprint
    zoo.shared(name)
    other, _kept = zoo.hold("digits", random_head("digits", seed=1))
    with ThreadPoolExecutor(8) as threads:
        assert len({id(model) for model in threads.map(zoo.shared, [other] * 32)}) == 1
    assert len(read) == 1


def test_two_heads_in_threads_are_never_mixed():
    heads = {label: zoo.hold("digits", random_head("digits", label, "none", seed=ord(label))) for label in "abcdef"}
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    wanted = {label: vitviz.load("digits", head=head).trace(image).output for label, (_, head) in heads.items()}

    def look(label: str) -> bool:
        model = zoo.shared(heads[label][0])
        return model.labels[0] == label and np.array_equal(model.trace(image).output, wanted[label])

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(look, [*heads] * 20))


def test_a_head_of_another_model_is_refused():
    head = random_head("digits")
    other = VisionTransformer(zoo.shared("digits").config, "digits", labels=tuple("0123456789"))
    with pytest.raises(vitviz.ModelError, match="mugs"):
        zoo.check_head(head, other)
    zoo.check_head(head, zoo.shared("digits"))
    name, _head = zoo.hold("dinov2-small", head)
    with pytest.raises(vitviz.ModelError, match="mugs"):
        zoo.shared(name)


def test_a_checkpoint_that_was_written_again_is_another_model(tmp_path, monkeypatch):
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = TimmViT(img_size=32, patch_size=16, embed_dim=192, depth=1, num_heads=3, num_classes=0)
        torch.save(model.state_dict(), tmp_path / "a.pth")
        if seed == 0:
            name, _head = zoo.hold("a.pth", random_head("a.pth"))
            before = zoo.version(name)
            assert zoo.shared(name).is_classifier
    assert zoo.version(name) != before
    with pytest.raises(vitviz.ModelError, match="mugs"):
        zoo.shared(name)
