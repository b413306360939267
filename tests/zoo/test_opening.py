"""Models with which the app may open: those that need no download."""

import pytest
from huggingface_hub import constants

from tests.support.facts import assert_mentions
from vitviz import zoo
from vitviz.errors import ModelError


@pytest.mark.parametrize("name", [*zoo.SHIPPED, "digits-run/step-00100"])
def test_shipped_models_are_there(name):
    zoo.check_opening(name)


def test_an_offered_checkpoint_is_there_and_no_other_file(tmp_path, monkeypatch):
    (tmp_path / "best.pth").write_bytes(b"weights")
    (tmp_path / "inner").mkdir()
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    zoo.check_opening("best.pth")
    for name in ("other.pth", str(tmp_path / "best.pth"), "inner/../best.pth"):
        with pytest.raises(ModelError) as caught:
            zoo.check_opening(name)
        assert_mentions(str(caught.value), "best.pth")


@pytest.mark.parametrize("name", ["", "nonsense", "../digits", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "a\nb"])
def test_what_is_not_there_is_refused_in_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        zoo.check_opening(name)
    assert "\n" not in str(caught.value)
