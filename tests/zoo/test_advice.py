"""The advice in error messages about files works."""

import re

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.support.checkpoints import SHAPE, close, pixels, prefixed, randomised, saved
from tests.support.image_files import assert_one_sentence
from vitviz import ModelError
from vitviz.ui.app import link, models


@pytest.mark.parametrize("key", ["num_heads", "h" * 500])
def test_broken_toml_is_refused_with_its_line(key, original, tmp_path):
    path = saved(tmp_path / "best.pth", original.state_dict())
    (tmp_path / "best.toml").write_text(f"mean = 0.5\n{key} = 3\n{key} = 4\nstd = 0,5\n")
    with pytest.raises(ModelError, match="line 3") as caught:
        vitviz.load(path)
    assert_one_sentence(str(caught.value))


@pytest.mark.parametrize("files", [["best.pth"], ["best.pth", "last.pth"]])
def test_a_folder_with_weights_of_another_name_names_one(files, original, tmp_path):
    paths = [saved(tmp_path / file, original.state_dict()) for file in files]
    with pytest.raises(ModelError) as caught:
        vitviz.load(tmp_path)
    assert repr(paths[0]) in str(caught.value)
    assert close(vitviz.load(paths[0])(pixels()), original(pixels()))


def test_the_note_on_several_models_tells_how_to_take_the_other(original, tmp_path):
    other = randomised(TimmViT(**SHAPE | {"depth": 1}))
    weights = {"state_dict": prefixed(other.state_dict(), "model."), "ema": original.state_dict()}
    path = saved(tmp_path / "best.pth", weights)
    ours = vitviz.load(path)
    assert close(ours(pixels()), original(pixels()))
    (prefix,) = re.findall(r"prefix='(.*?)'", " ".join(ours.notes))
    assert close(vitviz.load(path, prefix=prefix)(pixels()), other(pixels()))


def test_a_model_in_memory_is_not_loaded_but_turned(original):
    with pytest.raises(ModelError, match=r"vitviz\.from_timm\(model\)"):
        vitviz.load(original)


def test_a_link_to_a_checkpoint_that_is_not_here_tells_what_is(original, tmp_path, monkeypatch):
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    (tmp_path / "run7").mkdir()
    torch.save(original.state_dict(), tmp_path / "run7" / "best.pth")
    with pytest.raises(ModelError, match=r"run7/best\.pth"):
        vitviz.zoo.load_offered("best.pth")
    with pytest.raises(ModelError, match=r"run7/best\.pth"):
        models.describe("best.pth")
    with pytest.raises(ValueError, match=r"run7/best\.pth"):
        link._model("run7")
