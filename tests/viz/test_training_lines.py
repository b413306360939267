"""vitviz.viz.training_lines: charts show the given numbers, and mark the present checkpoint."""

import numpy as np
import pytest

from vitviz import ArgumentError
from vitviz.viz.training_lines import over_training

STEPS = ("step-0", "step-10", "step-100")


def test_the_numbers_in_order_and_the_present_one_is_larger():
    figure = over_training(np.array([5.0, 4.0, 1.5]), STEPS, 1, uniform=6.0)
    (line,) = figure.data
    assert list(line.y) == [5.0, 4.0, 1.5]
    assert list(line.text) == list(STEPS)
    sizes = list(line.marker.size)
    assert sizes[1] > sizes[0] == sizes[2]
    assert [shape.y0 for shape in figure.layout.shapes] == [6.0]
    low, high = figure.layout.yaxis.range
    assert low == 0
    assert high > 6


@pytest.mark.parametrize(("values", "low"), [([-0.5, 0.2, 0.9], -0.5), ([np.nan, 0.2, 0.9], 0), ([0.0, 0.0, 0.0], 0)])
def test_the_axis_contains_all_numbers(values, low):
    first, last = over_training(np.array(values), STEPS, 0).layout.yaxis.range
    assert first == low
    assert last > first


def test_a_limit_is_kept():
    assert over_training(np.array([0.1, 0.2, 0.3]), STEPS, 0, limit=1.05).layout.yaxis.range[1] == 1.05


@pytest.mark.parametrize(
    ("steps", "title", "numbers"),
    [
        (["step-00000", "step-00030", "step-01000"], "training step", ["0", "30", "1,000"]),
        (["vit16_epoch_1", "vit16_epoch_2", "vit16_epoch_10"], "epoch", ["1", "2", "10"]),
        (["checkpoint-500", "checkpoint-1000", "checkpoint-1500"], "checkpoint", ["500", "1,000", "1,500"]),
        (["7", "8", "9"], "checkpoint", ["7", "8", "9"]),
        (["e1-step-5", "e2-step-10", "e3-step-15"], "checkpoint", []),
        (["first", "last2", "other"], "checkpoint", []),
    ],
)
def test_the_axis_counts_what_the_names_count(steps, title, numbers):
    axis = over_training(np.arange(3.0), steps, 1).layout.xaxis
    assert axis.title.text == title
    assert dict(zip(axis.tickvals, axis.ticktext, strict=True)) == dict(enumerate(numbers))


@pytest.mark.parametrize("shown", range(8))
def test_the_labels_of_the_axis_have_room_and_name_the_marked_checkpoint(shown):
    at = over_training(np.arange(8.0), [f"step-{10 * i}" for i in range(8)], shown).layout.xaxis.tickvals
    assert shown in at
    assert np.diff(at).min() >= 2


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="one for each"):
        over_training(np.array([1.0, 2.0]), STEPS, 0)
    with pytest.raises(IndexError, match="there are 3"):
        over_training(np.array([1.0, 2.0, 3.0]), STEPS, 3)
