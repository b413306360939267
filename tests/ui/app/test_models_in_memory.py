"""Models that sessions keep in memory: no more than the limit."""

import gc
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support.app_pages import NAMES, opened
from vitviz import zoo
from vitviz.trace.trace import Trace
from vitviz.trace.vision_transformer import VisionTransformer
from vitviz.ui.app import cache, state
from vitviz.zoo.model_cache import ModelCache


@pytest.fixture
def three_models(tmp_path, monkeypatch):
    """A server with three checkpoints that keeps one model."""
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 1))
    cache.shared.clear()
    for seed in range(3):
        torch.manual_seed(seed)
        model = TimmViT(img_size=64, patch_size=16, embed_dim=192, depth=2, num_heads=3, num_classes=2)
        torch.save(model.state_dict(), tmp_path / f"{seed}.pth")
    return [f"{seed}.pth" for seed in range(3)]


def kept() -> int:
    """Number of traces whose queries and keys are in memory."""
    gc.collect()
    return sum(isinstance(one, Trace) and "_queries" in one.__dict__ for one in gc.get_objects())


def alive() -> list[VisionTransformer]:
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is VisionTransformer and one.config.num_classes == 2]


@pytest.mark.parametrize("page", NAMES[1:])
def test_no_session_keeps_a_model_or_a_trace(page, three_models):
    models, traces = len(alive()), kept()
    sessions = [opened(page, model=name) for name in three_models[:2]]
    assert not any(session.exception for session in sessions)
    assert len(alive()) <= models + 1
    cache.shared.clear()
    assert kept() <= traces
    assert len(sessions) == 2


def test_a_trace_of_a_page_finds_its_model_and_its_parts_again(three_models):
    opened("explore", model=three_models[0])
    choice = state.Choice(state.Picked("cat", state.samples()["cat"], True), three_models[0], 64, "crop")
    trace = state.trace(choice)
    keys = trace.keys(1)
    zoo._model_cache = ModelCache(lambda: 2)  # as if other models had been loaded meanwhile
    cache.shared.clear()
    gc.collect()
    again = trace.with_recorded({})
    assert again.model.name == "0"
    assert np.array_equal(again.keys(1), keys)
    assert replace(again, edits=()).model is again.model


def test_a_trace_is_not_looked_at_with_the_weights_of_another_file(three_models, tmp_path):
    choice = state.Choice(state.Picked("cat", state.samples()["cat"], True), three_models[0], 64, "crop")
    trace = state.trace(choice)
    zoo._model_cache = ModelCache(lambda: 2)
    gc.collect()
    (tmp_path / three_models[0]).write_bytes((tmp_path / three_models[1]).read_bytes())
    with pytest.raises(vitviz.ModelError, match=re.escape(repr(three_models[0]))):
        _ = trace.model


def test_what_the_cache_keeps_of_a_pass_holds_no_model(three_models):
    opened("explore", model=three_models[0])
    passes = [result for result, _ in cache.shared._results.values() if isinstance(result, Trace)]
    assert [kept.model for kept in passes] == [None]
