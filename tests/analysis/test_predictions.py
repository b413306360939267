"""vitviz.analysis.predictions: hand calculations, and comparison with torch.softmax."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import SMALL
from tests.support.facts import mentions
from tests.support.stand_ins import stand_in
from vitviz import ModelError, Trace, VisionTransformer
from vitviz.analysis.predictions import Prediction, predictions


def said(logits, labels=(), output_kind="classes"):
    """Return a trace with given logits."""
    model = stand_in(VisionTransformer, labels=labels, is_classifier=True, output_kind=output_kind)
    model.name = "m"
    return stand_in(Trace, model=model, output=np.array(logits, dtype=np.float32))


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


@pytest.mark.parametrize(
    ("config", "meaning"), [(replace(SMALL, num_classes=0), "classes"), (SMALL, "embedding"), (SMALL, "values")]
)
def test_a_model_without_classes_predicts_none(config, meaning):
    model = VisionTransformer(config, "mute", output_kind=meaning)
    assert not model.is_classifier
    with pytest.raises(ModelError, match="'mute'"):
        predictions(model.trace(torch.zeros(3, 32, 48)))


def test_classes_that_are_questions_of_their_own():
    found = predictions(said([0.0, np.log(3), -1e4], output_kind="independent"))
    assert [(one.index, one.probability) for one in found] == [(1, pytest.approx(0.75)), (0, 0.5), (2, 0.0)]
    assert predictions(said([np.log(4)]))[0].probability == pytest.approx(0.8), "a single class is yes or no"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_no_prediction(value):
    with pytest.raises(ModelError, match=mentions("'m'", "finite")):
        predictions(said([0.0, value]))
