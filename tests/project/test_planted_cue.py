"""Attribution methods on a planted cue: the measurement of the table in docs/limits.md."""

import numpy as np
import pytest
import torch

import vitviz
from scripts import planted_cue
from scripts.digits import CONFIG, load_split


def test_the_cue_is_one_patch_in_a_corner():
    image = load_split()["held-out"].images[0]
    plain = planted_cue.as_picture(image)
    for row, column in planted_cue.CORNERS:
        changed = np.argwhere((planted_cue.with_cue(image, (row, column)) != plain).any(axis=2))
        assert {(int(y) // CONFIG.patch_size, int(x) // CONFIG.patch_size) for y, x in changed} == {(row, column)}


def test_cases_are_digits_of_other_classes():
    found = planted_cue.cases(load_split()["held-out"])
    assert len(found) == planted_cue.CASES
    assert {place for _, place in found} == set(planted_cue.CORNERS)


def test_a_model_that_does_not_follow_the_cue_measures_nothing():
    with pytest.raises(AssertionError, match="cue"):
        planted_cue.measured(vitviz.load("digits"))


@pytest.mark.exhaustive
def test_methods_that_ask_what_decides_find_the_cue():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = planted_cue.measured(planted_cue.cued_classifier(epochs=2))
    finally:
        torch.set_num_threads(threads)
    for method in ("occlusion", "integrated_gradients"):
        assert found[method].first >= 0.9 * planted_cue.CASES, method
    assert found["attention"].first < 0.6 * planted_cue.CASES
    assert planted_cue.table(found, found).count("\n") == 1 + len(found)
