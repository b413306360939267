"""Sums on screen come out when they are done again with the digits that are shown."""

import numpy as np
import pytest

from vitviz.ui.widgets.strips import number
from vitviz.ui.widgets.sums import product, round_consistently


def value(text: str) -> float:
    return float(text.replace("−", "-"))


def test_few_digits_where_they_suffice():
    assert round_consistently([0.1234, 0.2], 0.3234) == (["0.1234", "0.2000"], "0.3234")


def test_more_digits_where_rounding_would_show():
    parts, result = round_consistently([0.12344, 0.23454], 0.35798)
    assert (parts, result) == (["0.12344", "0.23454"], "0.3580")


@pytest.mark.parametrize("way", [sum, product])
def test_whoever_does_it_again_gets_the_same(way):
    random = np.random.default_rng(0)
    for _ in range(500):
        parts = (random.standard_normal(4) * 10.0 ** random.integers(-3, 3)).tolist()
        shown, result = round_consistently(parts, way(parts), way)
        assert result == number(way(parts))
        assert number(way([value(part) for part in shown])) == result
        assert all(abs(value(text) - part) <= 0.5e-4 for text, part in zip(shown, parts, strict=True))


def test_what_cannot_come_out_is_still_written():
    assert round_consistently([1.0], 2.0) == (["1.000000000000"], "2.0000")
