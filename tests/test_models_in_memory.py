"""Models that sessions keep in memory: as many as the limit says, whatever was looked at."""

import gc

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

from vitviz import zoo
from vitviz.model import VisionTransformer
from vitviz.trace import Trace
from vitviz.ui import cache
from vitviz.zoo.shelf import ModelShelf

from .pages import opened

PAGES = ("explore", "tokens", "lens", "intervene", "attention", "sequence", "explain")


@pytest.fixture
def four_models(tmp_path, monkeypatch):
    """A server with four checkpoints that keeps two models."""
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    monkeypatch.setattr(zoo, "_shelf", ModelShelf(lambda: 2))
    cache.shared.clear()
    for seed in range(4):
        torch.manual_seed(seed)
        model = TimmViT(img_size=64, patch_size=16, embed_dim=192, depth=2, num_heads=3, num_classes=2)
        torch.save(model.state_dict(), tmp_path / f"{seed}.pth")
    return [f"{seed}.pth" for seed in range(4)]


def alive() -> list[VisionTransformer]:
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is VisionTransformer and one.config.classes == 2]


@pytest.mark.parametrize("page", PAGES)
def test_no_session_keeps_a_model(page, four_models):
    before = len(alive())
    sessions = [opened(page, model=name) for name in four_models]
    assert not any(session.exception for session in sessions)
    assert len(alive()) <= before + 2
    assert len(sessions) == 4


def test_what_the_cache_keeps_of_a_pass_holds_no_model(four_models):
    opened("explore", model=four_models[0])
    passes = [result for result, _ in cache.shared._results.values() if isinstance(result, Trace)]
    assert [kept.model for kept in passes] == [None]
