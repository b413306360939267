"""vitviz.predictions: by hand, and against torch's softmax."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vitviz import ModelError, VisionTransformer
from vitviz.predictions import Prediction, predictions

from .conftest import SMALL


def said(logits, labels=(), **more):
    """A trace whose model gave these logits."""
    model = SimpleNamespace(name="m", labels=labels, tells_classes=True, **more)
    return SimpleNamespace(model=model, output=np.array(logits, dtype=np.float32))


def test_by_hand():
    found = predictions(said(np.log([1, 6, 3]), ("cat", "dog", "owl")), count=2)
    assert [(one.index, one.label) for one in found] == [(1, "dog"), (2, "owl")]
    assert [one.probability for one in found] == pytest.approx([0.6, 0.3])


def test_classes_without_names_are_numbered_and_fewer_than_asked_for_are_all():
    assert predictions(said([0.0, 0.0])) == (Prediction(0, "class 0", 0.5), Prediction(1, "class 1", 0.5))


def test_huge_logits_do_not_overflow():
    assert predictions(said([1e30, 0.0, -1e30]))[0].probability == 1.0


def test_the_numbers_are_torchs(small, small_trace):
    expected = torch.tensor(small_trace.output).softmax(-1)
    for one in predictions(small_trace):
        assert one.probability == pytest.approx(expected[one.index].item(), abs=1e-6)
    assert sum(one.probability for one in predictions(small_trace)) == pytest.approx(1)


@pytest.mark.parametrize(("config", "embeds"), [(replace(SMALL, classes=0), False), (SMALL, True)])
def test_a_model_without_classes_predicts_none(config, embeds):
    model = VisionTransformer(config, "mute", embeds=embeds)
    assert not model.tells_classes
    with pytest.raises(ModelError, match="'mute' has no classes to predict"):
        predictions(model.trace(torch.zeros(3, 32, 48)))
