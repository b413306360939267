"""The command and a checkpoint: what its file does not tell can be said; what was assumed is shown."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

from .checkpoints import SHAPE, prefixed, randomised, zeros
from .command_line import CAT, objects, only_line


@pytest.fixture(scope="module")
def theirs():
    return randomised(TimmViT(**{**SHAPE, "embed_dim": 384, "num_heads": 12}))


def test_heads_that_are_assumed_are_said_once_and_can_be_given(vit, theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "best.pth")
    asked = ("attention", CAT, "-m", str(tmp_path / "best.pth"), "--format", "npz", "--json")
    assumed = vit(*asked)
    assert assumed.exit_code == 0
    assert assumed.stderr.count("heads=") == 1
    assert "Warning" not in assumed.stderr
    given = vit(*asked, "--heads", "12")
    assert "heads" not in given.stderr
    assert objects(given)[0]["files"] != objects(assumed)[0]["files"], "another question writes another file"


def test_one_of_several_models_and_the_vit_alone(vit, theirs, tmp_path):
    weights = theirs.state_dict()
    both = {**prefixed(zeros(weights), "left."), **prefixed(weights, "right.")}
    torch.save(both | {"right.head.1.weight": torch.zeros(2, 5)}, tmp_path / "best.pth")
    asked = ["attention", CAT, "-m", str(tmp_path / "best.pth"), "--heads", "12", "--json"]
    assert "prefix=" in only_line(vit(*asked[:-1]))
    asked += ["--prefix", "right."]
    assert "classes=0" in only_line(vit(*asked[:-3], "--prefix", "right."))
    assert vit(*asked, "--classes", "0").exit_code == 0


def test_class_names_from_a_file(vit, theirs, tmp_path):
    torch.save(theirs.state_dict(), tmp_path / "best.pth")
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\ndog\nfox\n")
    asked = ("explain", CAT, "-m", str(tmp_path / "best.pth"), "--heads", "12", "--method", "legrad", "--json")
    result = vit(*asked, "--classes", str(tmp_path / "names.txt"), "--target", "dog")
    assert result.exit_code == 0, result.stderr
    assert "dog" in str(objects(result)[0])
