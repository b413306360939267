"""Class names that a caller gives: every usual way to write them down, in the order of their numbers."""

import numpy as np
import pandas as pd
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from vitviz import ModelError

from .checkpoints import SHAPE, randomised, saved

NAMES = ("dog", "cat", "bird", "ant", "fox")
BACKWARDS = list(enumerate(NAMES))[::-1]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A checkpoint with five classes."""
    return saved(tmp_path_factory.mktemp("classes") / "best.safetensors", randomised(TimmViT(**SHAPE)).state_dict())


@pytest.mark.parametrize(
    "classes",
    [
        np.array(NAMES),
        np.array(NAMES, dtype=object),
        NAMES,
        (name for name in NAMES),
        dict.fromkeys(NAMES).keys(),
        pd.Series(NAMES),
        pd.Series(dict(BACKWARDS)),
        pd.Index(NAMES),
        pd.Categorical(NAMES),
        dict(BACKWARDS),
        {str(number): name for number, name in BACKWARDS},
        {np.int64(number): np.str_(name) for number, name in BACKWARDS},
        {name: number for number, name in BACKWARDS},
        {name: np.int64(number) for number, name in BACKWARDS},
        {name: str(number) for number, name in BACKWARDS},
        pd.Series({name: number for number, name in BACKWARDS}),
    ],
    ids=lambda classes: type(classes).__name__,
)
def test_class_names_by_order_or_by_number(classes, path):
    assert vitviz.load(path, classes=classes).labels == NAMES


def test_folders_called_by_numbers_are_names(path):
    """As torchvision's ImageFolder numbers them: in the order of their names as text."""
    folders = {"0": 0, "1": 1, "10": 2, "2": 3, "3": 4}
    assert vitviz.load(path, classes=folders).labels == ("0", "1", "10", "2", "3")
    assert vitviz.load(path, classes={0: 8, 2: 6, 1: 7, 4: 4, 3: 5}).labels == ("8", "7", "6", "5", "4")


@pytest.mark.parametrize("number", [np.int64(5), np.uint8(5), np.array(5), torch.tensor(5)], ids=repr)
def test_how_many_classes_in_any_whole_number(number, path):
    assert vitviz.load(path, classes=number).labels == ()
    assert vitviz.load(path, classes=number * 0).config.classes == 0
    with pytest.raises(ModelError, match="classes gives 6"):
        vitviz.load(path, classes=number + 1)


@pytest.mark.parametrize(
    "classes",
    [
        True,
        np.bool_(False),
        5.0,
        np.float64(5),
        b"labels.txt",
        set(NAMES),
        np.array([NAMES]),
        pd.DataFrame({"name": NAMES}),
        [*NAMES[:4], None],
        [*NAMES[:4], float("nan")],
        list(zip(range(5), NAMES, strict=True)),
        {**dict(BACKWARDS[1:]), 7: "fox"},
        dict(enumerate(NAMES, start=1)),
        dict.fromkeys(NAMES, 0),
        {name: name for name in NAMES},
        pd.Series(NAMES, index=[0, 1, 2, 3, 3]),
        object(),
    ],
    ids=lambda classes: type(classes).__name__,
)
def test_what_is_no_list_of_classes_is_refused_as_such(classes, path):
    with pytest.raises(ModelError, match=r"^classes "):
        vitviz.load(path, classes=classes)
