"""Notes on what makes a linear classifier less trustworthy, and the nearest images of other classes."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.support.classifiers import certain
from tests.support.facts import assert_mentions
from tests.support.image_files import noise
from vitviz import ArgumentError
from vitviz.analysis.classifier import appearance, nearest_other, notes_on
from vitviz.images import prepare, read_image


def pictures(colours, seed=0):
    """Prepared images of noise, each with a border of this colour."""
    found = []
    for i, colour in enumerate(colours):
        image = noise(64, 64, seed + i)
        image.paste(noise(40, 40, seed + i + 100), (12, 12))
        framed = Image.new("RGB", (64, 64), colour) if colour else image
        framed.paste(image.crop((12, 12, 52, 52)), (12, 12))
        found.append(prepare(read_image(framed), 64, 8))
    return found


def test_there_is_no_note_on_good_data():
    truth = np.arange(40) % 2
    result = certain(truth, truth)
    appearances = np.stack([appearance(image) for image in pictures([None] * 40)])
    assert notes_on(result) == ()
    assert notes_on(result, appearances) == ()


def test_few_images_are_noted():
    truth = np.array([0] * 3 + [1] * 12)
    (note,) = notes_on(certain(truth, truth))
    assert_mentions(note, 10, "a", 3)
    assert "“b”" not in note
    many = np.repeat(np.arange(6), 2)
    (note,) = notes_on(certain(many, many, 6))
    assert_mentions(note, "a", 2, "c", 2, 3)


def test_classes_that_are_alike_are_noted():
    truth = np.arange(60) % 3
    mixed = np.where(truth == 2, 2, np.arange(60) // 3 % 2)
    (note,) = notes_on(certain(truth, mixed, 3))
    assert_mentions(note, "a", "b", 20, 40)
    right = int((mixed == truth)[truth < 2].sum())
    assert_mentions(note, right, 40)


def test_a_rare_class_that_is_never_found_is_noted():
    truth = np.array([0] * 30 + [1] * 10)
    assert len(notes_on(certain(truth, np.zeros(40, int)))) == 1, "although 30 of 40 are right"
    assert notes_on(certain(truth, truth)) == ()
    two = np.array([0, 0, 1, 1])
    assert len(notes_on(certain(two, two))) == 1, "few, but not alike"


def test_a_shortcut_by_the_colour_of_the_border_is_noted():
    truth = np.arange(24) % 2
    result = certain(truth, truth)
    colours = [("darkgreen", "tan")[one] for one in truth]
    appearances = np.stack([appearance(image) for image in pictures(colours)])
    (note,) = notes_on(result, appearances)
    assert_mentions(note, 24, 24)
    with pytest.raises(ArgumentError):
        notes_on(result, appearances[:5])


def test_the_appearance_by_hand():
    (image,) = pictures(["#336699"])
    found = appearance(image)
    grey = image.pixels.astype(float).mean(axis=-1) / 255
    assert found[:3] == pytest.approx([0x33 / 255, 0x66 / 255, 0x99 / 255])
    assert found[3:] == pytest.approx([grey.mean(), grey.std()])
    inside = np.array(image.pixels)
    inside[12:52, 12:52] = 0
    assert appearance(replace(image, pixels=inside))[:3] == pytest.approx(found[:3])
    assert appearance(replace(image, pixels=image.pixels[..., :1])).shape == (3,)


def test_the_nearest_image_of_another_class():
    x = np.array([[1, 0], [3, 0.1], [0, 2], [1, 1], [-1, 0.5]])
    assert list(nearest_other(x, ["a", "a", "b", "b", "b"])) == [3, 3, 1, 1, 1]
