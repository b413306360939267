"""Live probabilities of the page "Teach", without a browser: they are the library's, and no frame is kept."""

import numpy as np
import pytest

import vitviz
from tests.support.app_pages import picture
from tests.support.taught_images import images
from vitviz.analysis import classifier
from vitviz.ui.app import cache
from vitviz.ui.pages.teach import live
from vitviz.ui.pages.teach.image_features import FeatureSetup


@pytest.fixture(scope="module")
def head():
    return vitviz.fit_head(vitviz.load("digits"), [*images(0, 3), *images(1, 3)], ["bars"] * 3 + ["lines"] * 3)


@pytest.fixture
def setup(head):
    return FeatureSetup("digits", vitviz.load("digits").config.image_size[0], head.preprocessing.fit, head.pooling)


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setattr(live.st, "session_state", {})
    return live.st.session_state


def test_a_frame_is_answered_as_the_library_does(session, setup, head):
    frame, before = images(1, 4)[3], len(cache.results)
    live._answer(setup, head, frame)
    (answer,) = session.values()
    feature = classifier.features(vitviz.load("digits"), [frame], head.pooling)[0]
    logits = head.weight @ feature + head.bias
    expected = np.exp(logits - logits.max())
    assert [one.label for one in answer.predictions] == list(head.labels)
    assert [one.probability for one in answer.predictions] == pytest.approx(expected / expected.sum(), abs=1e-5)
    assert len(cache.results) == before


@pytest.mark.parametrize("frame", [b"", b"\xff\xd8\xff no image", picture(8, "JPEG")[:60]])
def test_a_frame_that_is_no_image_is_answered_with_a_sentence(session, setup, head, frame):
    live._answer(setup, head, frame)
    (answer,) = session.values()
    assert answer.problem
    assert not answer.predictions
