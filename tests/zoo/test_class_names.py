"""Class names given by the caller: all supported types, in the order of their indices."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmViT

import vitviz
from tests.errors.test_public_errors import check_message
from tests.support import hugging_face
from tests.support.checkpoints import SHAPE, randomised, saved, trainer_folder
from tests.support.facts import mentions
from vitviz import ModelError

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
    """torchvision's ImageFolder sorts folders by their names as text."""
    folders = {"0": 0, "1": 1, "10": 2, "2": 3, "3": 4}
    assert vitviz.load(path, classes=folders).labels == ("0", "1", "10", "2", "3")
    assert vitviz.load(path, classes={0: 8, 2: 6, 1: 7, 4: 4, 3: 5}).labels == ("8", "7", "6", "5", "4")


@pytest.mark.parametrize("number", [np.int64(5), np.uint8(5), np.array(5), torch.tensor(5)], ids=repr)
def test_how_many_classes_in_any_whole_number(number, path):
    assert vitviz.load(path, classes=number).labels == ()
    assert vitviz.load(path, classes=number * 0).config.num_classes == 0
    with pytest.raises(ModelError, match=mentions("classes", 6, 5)):
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


@pytest.mark.parametrize(
    "classes",
    [
        [*NAMES[:4], "a\0b"],
        [*NAMES[:4], "\x1b[31m"],
        [*NAMES[:4], "\ud800"],
        [*NAMES[:4], "x" * 10**6],
        [*NAMES[:4], True],
        [*NAMES[:4], 10**5000],
        [*NAMES[:4], object()],
        {"9" * 5000: "dog"},
        10**5000,
        itertools.repeat("dog"),
    ],
    ids=range(10),
)
def test_names_that_nobody_can_read_are_refused_in_a_sentence(classes, path):
    with pytest.raises(ModelError, match=r"^classes ") as caught:
        vitviz.load(path, classes=classes)
    check_message(caught.value)


def test_only_line_ends_end_a_line(path, tmp_path):
    file = tmp_path / "labels.txt"
    file.write_bytes("dog\u2028hot\r\ncat\x1cbig\nbird\tsmall \nant\x0bred\rfox\x85old\n\n".encode())
    assert vitviz.load(path, classes=file).labels == ("dog hot", "cat big", "bird small", "ant red", "fox old")
    assert vitviz.load(path, classes=["a  b", "cat\n", *NAMES[2:]]).labels == ("a  b", "cat", *NAMES[2:])


def test_names_in_a_file_that_nobody_can_read_are_not_used(tmp_path):
    names = {str(number): f"{name}\0" for number, name in enumerate(NAMES)}
    folder = trainer_folder(tmp_path / "run", hugging_face.random_weights(), {"id2label": names})
    ours = vitviz.load(folder)
    assert ours.labels == ()
    assert any("config.json" in note and "class names" in note for note in ours.notes)
