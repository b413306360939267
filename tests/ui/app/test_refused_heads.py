"""Heads that the app refuses, in one sentence and without any change."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support.app_pages import explore, query
from tests.support.facts import assert_mentions
from tests.support.taught_heads import BASE, act, offered, random_head, sessions_act, teach  # noqa: F401
from vitviz import zoo
from vitviz.ui.app import taught
from vitviz.zoo.heads import head_bytes

pytestmark = pytest.mark.usefixtures("empty_model_cache", "offered", "sessions_act")


def refused(app: AppTest, head: zoo.LinearHead) -> str:
    """Message with which the session refuses a head; nothing else may change."""
    before, kept = query(app), app.session_state.get("taught")
    messages = []

    def use() -> None:
        try:
            taught.use_head(head)
        except vitviz.ModelError as error:
            messages.append(str(error))

    act(app, use)
    assert not app.exception
    assert query(app) == before
    assert app.session_state.get("taught") is kept
    (message,) = messages
    return message


def test_a_head_that_does_not_fit_is_refused_in_a_sentence_and_changes_nothing():
    head = random_head(BASE)
    app = teach(explore(model=BASE), head)
    others = {
        replace(head, fingerprint="0" * 64): ("mugs", "best"),
        replace(head, fingerprint="0" * 64, model="digits"): ("mugs", "digits"),
        replace(head, fingerprint="0" * 64, model="../../etc/passwd"): ("mugs", "../../etc/passwd"),
        replace(head, weight=np.ones((3, 5))): ("mugs", 5, 192),
        replace(head, pooling="token+mean"): ("mugs", 192, 384),
        random_head(BASE, size=16 * 100): ("1600 px",),
        replace(head, preprocessing=replace(head.preprocessing, size=65)): ("mugs", 65, 16),
        replace(head, preprocessing=replace(head.preprocessing, mean=(0.25,) * 3)): ("mugs", "best"),
    }
    for other, facts in others.items():
        message = refused(app, other)
        assert_mentions(message, *facts)
        assert message.endswith(".")


def test_a_head_finds_the_checkpoint_that_it_was_fitted_on():
    app = explore()
    teach(app, random_head(BASE))
    assert query(app)["model"] == BASE


def test_a_head_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(taught, "MOST_BYTES", 1000)
    with pytest.raises(vitviz.ModelError) as caught:
        taught.read(head_bytes(random_head(BASE)), "mugs.safetensors")
    assert_mentions(str(caught.value), "mugs", 3)


@pytest.mark.parametrize("data", [b"", b"no head", b"\x80\x04K\x01.", b"PK\x03\x04", bytes(64)])
def test_a_file_that_is_no_head_is_refused(data):
    with pytest.raises(vitviz.ModelError) as caught:
        taught.read(data, "mugs.safetensors")
    assert_mentions(str(caught.value), "mugs.safetensors")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mugs.safetensors", "mugs"),
        ("<b>\u202e\ntxt.safetensors", "-b>--txt"),
        ("m" * 300 + ".safetensors", "m" * 100),
        (".safetensors", "head"),
    ],
)
def test_a_file_is_read_under_a_name_that_can_be_shown(file, name):
    head = random_head(BASE)
    found = taught.read(head_bytes(head), file)
    assert found.name == name
    assert found.digest == head.digest
