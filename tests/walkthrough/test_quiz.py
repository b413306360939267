"""Questions at the end of the lesson pages: correctness of the answers, and explanations of wrong ones."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import vitviz
from tests.support import random_models as kinds
from tests.support.explained_traces import ALL, explained
from tests.support.facts import assert_mentions
from vitviz.walkthrough.quiz import Option, attention_questions, sequence_questions
from vitviz.walkthrough.quiz.attention import about, two_keys
from vitviz.walkthrough.quiz.question import decimal, make_question, prefix_label, product
from vitviz.walkthrough.quiz.sequence import other_side

TRACES = {f"explained: {kind}": (explained, kind) for kind in ALL} | {
    f"kinds: {kind}": (kinds.trace_of, kind) for kind in kinds.CONFIGS
}


@pytest.fixture(params=TRACES)
def any_trace(request):
    made_by, kind = TRACES[request.param]
    return made_by(kind)


def some_patches(trace):
    """Return patches at the corners, at the edges and in the middle."""
    rows, columns = trace.grid
    return sorted({0, columns - 1, (rows - 1) * columns, rows * columns - 1, columns, rows * columns // 2 + 1})


def by_name(questions):
    return {question.name: question for question in questions}


def about_sequence(trace, patch):
    """Return the three questions to compute: tokens, row and larger image."""
    asked = by_name(sequence_questions(trace, patch))
    return asked["tokens"], asked["row"], asked["larger_image"]


def about_attention(trace, layer, head, query):
    """Return the three questions to compute: strongest token, ratio or sum of weights, and count."""
    asked = by_name(attention_questions(trace, layer, head, query))
    return asked["strongest"], asked.get("ratio") or asked["row_sum"], asked["count"]


def answers(question):
    return {option.answer for option in question.options}


def option_of(question, answer):
    return next(option for option in question.options if option.answer == answer)


# ---------------------------------------------------------------- what a question is


def test_a_question_drops_mistakes_that_lead_to_the_same_answer():
    wrong = [Option("1", "by luck"), Option("2", "first"), Option("2", "again"), Option("3", "x"), Option("4", "y")]
    question = make_question("count", "How many?", "Count.", Option("1", "reason", right=True), wrong)
    assert answers(question) == {"1", "2", "3", "4"}
    assert question.right.explanation == "reason"
    assert option_of(question, "2").explanation == "first"
    assert make_question("count", "How many?", "Count.", Option("1", "", right=True), wrong[:3]) is None
    assert (question.name, question.hint) == ("count", "Count.")


def test_the_order_is_the_same_whenever_asked_and_differs_between_questions():
    options = [Option(str(number), "", right=number == 0) for number in range(4)]
    asked, again = (
        [make_question("x", f"Question {number}?", "", options[0], options[1:]) for number in range(40)] for _ in "12"
    )
    assert asked == again
    places = [question.options.index(question.right) for question in asked]
    assert min(places.count(place) for place in range(4)) > 2
    # independent of `hash`, which differs between processes: answers must keep their order after a restart
    assert [option.answer for option in asked[0].options] == ["3", "2", "1", "0"]


def test_words():
    assert product(6, 257, 257) == ("6 × 257 × 257", "396,294")
    assert product(1, 257, 257) == product(257, 257) == ("257 × 257", "66,049")
    assert product(100_000, 100_000, 100_000)[1] == "1,000,000,000,000,000"
    assert [decimal(value) for value in (1.234, -0.5, -0.001)] == ["1.23", "−0.50", "0.00"]
    assert [about(value) for value in (0.2231, 4.4817, 9.96, 20.1, 120.4)] == ["0.22", "4.5", "10.0", "20", "120"]
    names = {kind: prefix_label(config) for kind, config in kinds.CONFIGS.items()}
    assert names["mean"] == ""
    assert names["relative"] == "the class token"
    assert names["pooled of all"] == "the class token and 1 register" or not kinds.CONFIGS["pooled of all"].class_token
    assert names["mean with registers"] == "2 registers"
    assert names["distilled"] == "the class token and the distillation token"


def test_questions_of_every_kind_of_model(any_trace):
    layer, head = any_trace.layers - 1, any_trace.heads - 1
    for patch in some_patches(any_trace):
        asked = sequence_questions(any_trace, patch)
        asked += attention_questions(any_trace, layer, head, any_trace.prefix + patch)
        assert len(asked) == len({question.name for question in asked}) == 10
        for question in asked:
            assert 3 <= len(question.options) <= 4
            assert len(answers(question)) == len({o.label for o in question.options}) == len(question.options)
            assert sum(option.right for option in question.options) == 1
            explanations = [option.explanation for option in question.options]
            assert len(set(explanations)) == len(explanations)
            assert min(map(len, explanations)) > 15
            said = " ".join([question.plain_text, question.hint, *explanations])
            assert "nan" not in said
            assert ("class token" in said) <= any_trace.config.class_token
            assert ("register" in said) <= (any_trace.config.num_registers > 0)
            assert ("λ" in said) <= any_trace.config.differential
            # neither the hint nor the explanation of a mistake gives the answer away
            label = question.right.label
            label = f"= {label}" if len(label) < 3 else label  # a short number may occur by chance
            right = re.compile(rf"(?<![\w.,−]){re.escape(label)}(?![\w]|[.,]\d)", re.IGNORECASE)
            for other in (question.hint, *(option.explanation for option in question.options if not option.right)):
                assert question.right.explanation not in other
                assert not right.search(other), (question.text, other)


# words that would tell the right answer, beside those of the answer itself
TELLING = {
    "first_token": {"learned", "parameters", "training"},
    "output": {"sum", "added up", "average"},
    "row": {"from 0"},
}
COMMON = {"the", "all", "and", "their", "from", "for", "token", "times"}


def test_the_explanation_of_a_mistake_does_not_tell_the_right_answer(any_trace):
    def words(text):
        return set(re.findall(r"[a-z]{3,}", text.lower()))

    layer, head = any_trace.layers - 1, any_trace.heads - 1
    for patch in some_patches(any_trace):
        asked = sequence_questions(any_trace, patch)
        asked += attention_questions(any_trace, layer, head, any_trace.prefix + patch)
        for question in asked:
            wrong = [option for option in question.options if not option.right]
            known = words(" ".join([question.plain_text, *(option.answer for option in wrong)]))
            telling = words(question.right.answer) - known - COMMON
            for option in wrong:
                assert not telling & words(option.explanation), (question.text, option)
                said = option.explanation.lower()
                assert not [one for one in TELLING.get(question.name, ()) if re.search(rf"\b{one}\b", said)], option


def test_questions_of_prefix_tokens_and_wrong_places(small_trace):
    assert len(attention_questions(small_trace, 0, 0, 0)) == 5
    assert attention_questions(small_trace, -1, -1, -1) == attention_questions(small_trace, 2, 2, 26)
    for wrong in ((9, 0, 0), (0, 9, 0), (0, 0, 99)):
        with pytest.raises(IndexError):
            attention_questions(small_trace, *wrong)
    with pytest.raises(IndexError):
        sequence_questions(small_trace, 24)


# ---------------------------------------------------------------- from the image to the sequence


def of_grid(rows, columns, **changes):
    """Return a trace of noise with a grid of patches of 8 pixels."""
    model = vitviz.VisionTransformer(replace(kinds.PLAIN, depth=1, **changes), "of a grid")
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3))
    side = model.config.patch_size
    return model.requires_grad_(False).trace(torch.randn(3, rows * side, columns * side))


def test_by_hand_for_two_rows_of_two_patches():
    tokens, row, weights = about_sequence(of_grid(2, 2), 2)
    # 16 x 16 pixels; with P = 4 there are 4 rows of 4
    assert_mentions(tokens.plain_text, "16 × 16", "P = 4")
    assert tokens.right.answer == "17"
    assert answers(tokens) == {"17", "16", "4", "9"}  # class token forgotten, one row only, twice as many patches
    assert_mentions(tokens.right.explanation, "4 × 4 = 16", "16 + 1 = 17")
    assert_mentions(option_of(tokens, "4").explanation, "in one row")
    # the third patch is the first of the second row: row 4 of X
    assert_mentions(row.plain_text, "row 2", "column 1", "2 rows", "2 columns")
    assert row.right.answer == "Row 4"
    assert answers(row) == {"Row 4", "Row 3", "Row 6", "Row 2"}
    assert "1 + 1 × 2 + 1 = 4" in row.right.explanation
    # 5 tokens become 17
    assert "5 × 5 = 25" in weights.plain_text
    assert weights.right.label == "17 × 17 = 289"
    assert answers(weights) == {"289", "81", "85", "400"}
    assert_mentions(weights.right.explanation, "11.56")


def test_by_hand_without_a_token_in_front():
    tokens, row, weights = about_sequence(of_grid(2, 3, class_token=False, pooling="mean"), 0)
    assert answers(tokens) == {"24", "25", "6", "12"}
    assert row.right.answer == "Row 1"
    assert {"Row 0", "Row 2"} <= answers(row)
    assert weights.right.answer == "576"


def test_rows_and_columns_are_not_swapped():
    row = about_sequence(of_grid(3, 5), 1 * 5 + 3)[1]
    assert row.right.answer == "Row 10"
    assert "column by column" in option_of(row, f"Row {1 + 3 * 3 + 1 + 1}").explanation


def test_the_right_answers_of_any_image(any_trace):
    (rows, columns), side, prefix = any_trace.grid, any_trace.config.patch_size, any_trace.prefix
    pixels = np.arange(rows * side * columns * side).reshape(rows * side, columns * side)
    other = other_side(any_trace)
    assert other != side
    assert rows * side % other == columns * side % other == 0
    corners = len(pixels[::other, ::other].ravel())
    for patch in some_patches(any_trace):
        tokens, row, weights = about_sequence(any_trace, patch)
        assert f"P}} = {other}?" in tokens.text
        assert int(tokens.right.answer.replace(",", "")) == prefix + corners
        marked = np.zeros(any_trace.grid)
        marked.flat[patch] = 1
        place = int(np.flatnonzero(np.concatenate([np.zeros(prefix), marked.ravel()]))[0])
        assert row.right.answer == f"Row {place + 1:,}"
        assert int(weights.right.answer.replace(",", "")) == (prefix + 2 * rows * 2 * columns) ** 2


@pytest.mark.parametrize(
    ("patch", "grid", "expected"),
    [(14, (16, 16), 28), (4, (8, 8), 2), (8, (4, 6), 4), (8, (2, 2), 4), (16, (3, 4), 4), (7, (2, 3), 1)],
)
def test_another_side_of_a_patch(patch, grid, expected):
    trace = of_grid(*grid, patch_size=patch, image_size=(grid[0] * patch, grid[1] * patch))
    assert other_side(trace) == expected


# ---------------------------------------------------------------- one head's attention


def test_the_token_with_the_largest_weight(any_trace):
    layer, head = 0, any_trace.heads - 1
    for patch in some_patches(any_trace):
        query = any_trace.prefix + patch
        strongest = about_attention(any_trace, layer, head, query)[0]
        weights = any_trace.attention(layer, head, query)
        names = [vitviz.notation.view.token_label(any_trace, token) for token in range(any_trace.token_count)]
        asked = {option.answer: float(weights[names.index(option.answer)]) for option in strongest.options}
        assert max(asked, key=asked.get) == strongest.right.answer
        assert asked[strongest.right.answer] == weights.max()
        assert sorted(asked.values())[-2] < weights.max()
        for option in strongest.options:
            share = vitviz.notation.marks.percent(asked[option.answer])
            assert f"{option.answer[1:]}: score" in option.explanation
            assert f"weight {share}" in option.explanation


def test_how_many_times_as_large(any_trace):
    if any_trace.config.differential:
        pytest.skip("no ratio of weights with signs")
    for patch in some_patches(any_trace):
        query = any_trace.prefix + patch
        ratio = about_attention(any_trace, 0, 0, query)[1]
        scores = any_trace.attention(0, 0)[query].astype(np.float64)
        one, other = two_keys(any_trace.scores(0, 0, query))
        names = [vitviz.notation.view.token_label(any_trace, token) for token in (one, other)]
        assert all(f"the key of {'the ' * name.endswith('token')}{name}" in ratio.plain_text for name in names)
        said = float(ratio.right.answer.split()[0])
        assert said == pytest.approx(scores[one] / scores[other], rel=0.06)
        shown = [float(score.replace("−", "-")) for score in re.findall(r"−?\d+\.\d\d(?= with)", ratio.plain_text)]
        assert about(math.exp(shown[0] - shown[1])) == ratio.right.answer.split()[0]
        wrong = [float(option.answer.split()[0]) for option in ratio.options if not option.right]
        assert all(abs(math.log(answer / said)) > 0.1 for answer in wrong)


def test_two_keys_of_typical_scores():
    assert two_keys(np.array([0.0, 3.0, 1.5, 1.0])) == (1, 2)
    assert two_keys(np.array([50.0, 30.0, 1.5, 0.0])) == (2, 3)
    assert two_keys(np.array([0.2, 0.0, 0.2])) == (0, 1)
    assert two_keys(np.zeros(4)) is None
    assert two_keys(np.array([40.0, 20.0, 0.0])) is None


def test_a_row_without_differences_has_a_sum_to_ask_about():
    trace = of_grid(2, 2)
    for parameter in trace.model.blocks[0].attn.parameters():
        parameter.data.zero_()
    asked = by_name(attention_questions(trace.model.trace(torch.randn(3, 16, 16)), 0, 0, 1))
    assert "strongest" not in asked, "all weights are equal"
    assert (asked["row_sum"].right.answer, asked["count"].right.answer) == ("1.00", "75")


def test_weights_with_signs_are_asked_for_their_sum():
    trace = kinds.trace_of("differential")
    for layer in range(trace.layers):
        question = about_attention(trace, layer, 1, 3)[1]
        total = float(trace.attention(layer, 1, 3).sum())
        assert float(question.right.answer) == pytest.approx(total, abs=0.006)
        assert {"1.00", decimal(1 - total)} <= answers(question)


def test_how_many_weights_a_layer_has(any_trace):
    count = about_attention(any_trace, 0, 0, any_trace.prefix)[2]
    assert int(count.right.answer.replace(",", "")) == any_trace.attention(0).size
    patches = any_trace.token_count - any_trace.prefix
    if any_trace.prefix:
        assert f"{any_trace.heads * patches**2:,}" in answers(count)


def test_one_head_is_not_forgotten():
    count = about_attention(of_grid(2, 2, num_heads=1, head_dim=24), 0, 0, 1)[2]
    assert count.right.label == "5 × 5 = 25"
    assert "one head" not in "".join(option.explanation for option in count.options)
