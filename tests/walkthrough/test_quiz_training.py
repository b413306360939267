"""Question about a training run: the right answer is the one computed from the curves, and no other option is."""

import numpy as np
import pytest

from tests.support.facts import assert_mentions
from vitviz.analysis import attention
from vitviz.analysis.training import LOCAL, TrainingCurves
from vitviz.walkthrough.quiz import local_head_question
from vitviz.walkthrough.quiz.training import NEVER

UNIFORM = (8 + 8 + 8 * 2**0.5) / 4  # of 2 x 2 patches of 8 px


def made(*lowest: float, grid=(2, 2)) -> TrainingCurves:
    """Curves of two layers of two heads; one head has these distances, relative to uniform attention."""
    uniform = attention.patch_distances(grid, 8).mean(axis=1)
    distance = np.full((len(lowest), 2, 2, len(uniform)), uniform.mean())
    distance[:, 1, 0] = uniform.mean() * np.array(lowest)[:, None]
    entropy = np.full((len(lowest), 2, 2, 1 + len(uniform)), 2.25)
    steps = tuple(f"step-{10**at}" for at in range(len(lowest)))
    return TrainingCurves(steps, None, distance, entropy, None, uniform, prefix=1)


@pytest.mark.parametrize(
    ("lowest", "answer"),
    [
        ((1, 0.95, 0.8, 0.7, 0.2), "step-1000"),
        ((1, 0.75, 0.8, 0.9), "step-10"),
        ((0.1, 0.1, 0.1), "step-1"),
        ((1, 0.9, 0.8, 0.76), NEVER),
        ((1, 0.2), "step-10"),
    ],
)
def test_the_answer_is_computed(lowest, answer):
    question = local_head_question(made(*lowest))
    assert question.right.answer == answer
    assert [option.right for option in question.options].count(True) == 1
    assert len({option.answer for option in question.options}) == len(question.options) >= 3
    assert_mentions(question.text, "2.25 bit", f"{np.log2(5):.2f} bit", f"{LOCAL * UNIFORM:.1f} px")
    if answer != NEVER:
        at = int(np.log10(int(answer.removeprefix("step-"))))
        assert_mentions(question.right.explanation, "layer 2, head 1", f"{lowest[at] * UNIFORM:.1f} px")


def test_wrong_answers_do_not_give_the_right_one_away():
    question = local_head_question(made(1, 0.95, 0.8, 0.7, 0.2))
    for option in question.options:
        if not option.right:
            assert question.right.answer not in option.explanation
    assert question.right.answer not in question.hint


def test_an_image_of_one_patch_has_no_distances():
    assert local_head_question(made(1, 1, grid=(1, 1))) is None
