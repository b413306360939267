"""Random linear heads, and sessions of the app that use them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest
from timm.models.vision_transformer import VisionTransformer as TimmViT

from vitviz import zoo
from vitviz.trace.saved_weights import fingerprint
from vitviz.ui.app import class_choice, taught
from vitviz.zoo.heads import LinearHead, preprocessing_of, with_pooling

ACT = "act_of_a_test"  # key in the session: function to call at the beginning of the next run
LABELS = ("mug", "glass", "spoon")
BASE = "run7/best.pth"


def write_base(folder: Path) -> None:
    """Write the checkpoint `BASE`, which has no classes."""
    torch.manual_seed(0)
    model = TimmViT(img_size=64, patch_size=16, embed_dim=192, depth=2, num_heads=3, num_classes=0)
    (folder / BASE).parent.mkdir()
    torch.save(model.state_dict(), folder / BASE)


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """A server's own checkpoint without classes, whose name in its file is not the one on the server."""
    write_base(tmp_path)
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    return tmp_path


def random_head(
    base: str,
    *labels: str,
    name: str = "mugs",
    pooling: str = "token",
    kind: str = "classes",
    seed: int = 0,
    size: int | None = None,
    fit: str | None = None,
) -> LinearHead:
    """A head of a model of the app with random weights, as if fitted on images with this size and fit."""
    model, labels = zoo.shared(base), labels or LABELS
    random, width = np.random.default_rng(seed), with_pooling(model, pooling).config.feature_dim
    return LinearHead(
        name=name,
        labels=labels,
        weight=random.normal(size=(len(labels), width)),
        bias=random.normal(size=len(labels)),
        pooling=pooling,
        output_kind=kind,
        model=model.name,
        fingerprint=fingerprint(model),
        preprocessing=preprocessing_of(model, size, fit),
        counts=(3,) * len(labels),
    )


@pytest.fixture
def sessions_act(monkeypatch):
    """Let `act` work: each run first calls the function that the session holds, as Streamlit calls a callback."""
    check = class_choice.check

    def begin() -> None:
        st.session_state.pop(ACT, lambda: None)()
        check()

    monkeypatch.setattr(class_choice, "check", begin)


def act(app: AppTest, function: Callable[[], object]) -> AppTest:
    """The app after a run at whose beginning the function was called in its session."""
    app.session_state[ACT] = function
    return app.run()


def teach(app: AppTest, head: LinearHead) -> AppTest:
    """The app after its session has begun to use a head."""
    return act(app, lambda: taught.use_head(head))
