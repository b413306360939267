"""The soft dictionary of the page "Attention": whatever the user writes, it answers, and its sums come out."""

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from tests.support.attention_page import attention, fine
from tests.support.printed_sums import comes_out, printed_sums
from vitviz.ui.pages.attention import lookup


@pytest.mark.parametrize(("temperature", "share"), [(0.0, "100.0 %"), (2.0, "25.5 %")])
def test_the_dictionary_corrects_a_spelling_mistake(temperature, share):
    app = attention()
    app.slider(key="dictionary_temperature").set_value(temperature).run()
    assert "**strawberry**" in fine(app)
    app.text_input(key="dictionary_query").set_value("bannana").run()
    assert "**banana**" in fine(app)
    app.text_input(key="dictionary_query").set_value("").run()
    assert fine(app).count("20.0 %") == 5  # no key is more similar than the others
    app.text_input(key="dictionary_query").set_value("{N} <b> *x*").run()
    fine(app)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "The dictionary is empty"),
        ([(None, None, None)], "The dictionary is empty"),
        ([("kiwi", "no such colour", 1.0), ("{X} <i>", "#123456", 2.0)], "is no colour"),
        ([("kiwi", "green", None), ("fig", "purple", -3.5)], "has no number"),
        ([(f"word {i}", "rgb(1, 2, 3)", float(i)) for i in range(30)], "Only the first 12"),
    ],
)
def test_whatever_the_visitor_makes_of_the_dictionary(rows, expected, monkeypatch):
    table = pd.DataFrame(rows, columns=["key", "colour", "number"])
    monkeypatch.setattr(st, "data_editor", lambda *_, **__: table)
    app = attention()
    fine(app)
    shown = "\n".join(element.value for kind in (app.warning, app.info) for element in kind)
    assert expected in shown.replace("\\", "")


def test_a_dictionary_reads_names_and_codes_of_colours():
    table = pd.DataFrame({"key": ["a", " b ", ""], "colour": ["red", "#0000ff80", "x"], "number": [1, 2, 3]})
    found = lookup.read(table)
    assert found.keys == ("a", "b")
    assert found.problems == ()
    assert found.values.tolist() == [[255, 0, 0, 1], [0, 0, 255, 2]]
    assert len(lookup.FRUITS["key"]) <= lookup.MOST


def test_an_ordinary_dictionary_answers_only_its_keys():
    table = pd.DataFrame({"key": ["a", 'b"c'], "colour": ["red", "blue"], "number": [1.5, -2]})
    found = lookup.read(table)
    for asked, answer in (("a", 1.5), ('b"c', -2), ("ab", KeyError)):
        *lines, expression, comment = lookup.as_python(found, asked).splitlines()
        names = {}
        exec("\n".join(lines), names)
        said = comment.removeprefix("# ")
        if answer is KeyError:
            with pytest.raises(KeyError):
                eval(expression, names)
            assert said.startswith("KeyError")
        else:
            assert eval(expression, names) == answer == float(said)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [-1.5, 1e6, 0.1], [0.0, 0.0, 0.0]])
def test_the_weighted_sum_of_the_dictionary_comes_out_term_by_term(values):
    weights = np.array([0.7, 0.25, 0.05])
    ((left, right),) = printed_sums(lookup.weighted_sum(weights, values, float(weights @ values)))
    assert left.count("×") == 3
    assert comes_out(left, right)
    assert float(right.replace("−", "-")) == pytest.approx(float(weights @ values), abs=5e-4)
