"""Worksheets and answer keys to print: blanks on the one, and on the other answers computed again here."""

import base64
import math
import re
from itertools import pairwise

import numpy as np
import pytest

import vitviz
from tests.support.app_pages import opened, settings
from tests.support.explained_traces import ALL, explained
from tests.support.handouts import Read, as_number, class_set
from tests.support.random_models import CONFIGS, trace_of
from tests.ui.pages.test_summary import HOSTILE, assert_stands_alone
from vitviz.analysis.attention import patch_distances
from vitviz.ui.app import state
from vitviz.ui.pages.lesson.handout import answers_html, worksheets_html
from vitviz.ui.widgets.qr import qr_svg
from vitviz.walkthrough.worksheet import MOST_PUPILS

TRACES = {f"explained: {kind}": (explained, kind) for kind in ALL} | {
    f"kinds: {kind}": (trace_of, kind) for kind in CONFIGS
}


def count_again(trace, side: int) -> int:
    """Number of patches of a side, counted by their upper left pixels."""
    height, width = trace.pixels().shape[1:]
    return sum(1 for top in range(height) for left in range(width) if top % side == left % side == 0)


@pytest.mark.parametrize("name", TRACES)
def test_every_answer_is_computed_again(name):
    make, kind = TRACES[name]
    trace = make(kind)
    given = class_set(trace, 2)
    document, answers = worksheets_html(given), answers_html(given)
    for text in (document, answers):
        assert_stands_alone(text)
    asked, answered = Read(document).sheets, Read(answers).sheets
    assert len(asked) == len(answered) == 2
    assert not any(text for sheet in asked for text in sheet.values()), "blanks are blank"
    attention = np.stack([trace.attention(layer) for layer in range(trace.layers)])
    distances = patch_distances(trace.grid, trace.config.patch_size)
    for blanks, found, sheet in zip(asked, answered, given.sheets, strict=True):
        assert set(blanks) - {"guess", "because"} == set(found)
        number = {field: as_number(text) for field, text in found.items() if re.match("[−0-9]", text)}
        patch, query = sheet.patch, trace.prefix + sheet.patch
        side, patches = trace.config.patch_size, count_again(trace, trace.config.patch_size)
        assert (number["patches"], number["tokens"]) == (patches, patches + trace.prefix)
        assert number["rows"] * number["columns"] == patches
        assert number["number"] == patch + 1
        if trace.config.stem:
            assert not {"patch_dim", "other_patches", "other_tokens", "other_weights", "ratio"} & set(found)
        else:
            assert number["patch_dim"] == trace.pixels()[:, :side, :side].size
            other = count_again(trace, sheet.other.patch)
            assert (number["other_patches"], number["other_tokens"]) == (other, other + trace.prefix)
            assert number["other_weights"] == (other + trace.prefix) ** 2
            growth = ((other + trace.prefix) / (patches + trace.prefix)) ** 2
            assert number["ratio"] == pytest.approx(growth, abs=0.006)
        score = float(np.ravel(trace.scores(1, trace.heads - 1, query, sheet.dot.key))[0])
        assert number["score"] == pytest.approx(score, abs=0.051 + 1e-3)
        products = [value for field, value in number.items() if field.startswith("product_")]
        half = trace.config.head_dim // (2 if trace.config.differential else 1)
        rounding = 0.6 * 10**-sheet.dot.decimals
        assert number["sum"] == pytest.approx(sheet.dot.rest + sum(products), abs=rounding * (1 + len(products)))
        exact = [q * k for q, k in zip(sheet.dot.q, sheet.dot.k, strict=True)]
        assert products == pytest.approx(exact, abs=rounding), "as many decimals as the query and the key"
        bias = sheet.dot.bias or 0
        assert number["score"] == pytest.approx(number["sum"] / math.sqrt(half) + bias, abs=0.06)
        letters = [found[f"order_{place}"] for place in range(1, len(sheet.heads.heads) + 1)]
        near_to_far = [sheet.heads.heads["ABCD".index(letter)] for letter in letters]
        weights = [np.abs(attention[layer, head, query, trace.prefix :]) for layer, head in near_to_far]
        assert sorted(letters) == list("ABCD")[: len(letters)]
        assert (1, trace.heads - 1) not in near_to_far, "its largest weight is to be predicted"
        means = [one @ distances[patch] / one.sum() for one in weights]
        assert all(one < other for one, other in pairwise(means))
        strongest = sheet.prediction.options["ABCD".index(found["strongest"])]
        row = attention[1, trace.heads - 1, query]
        assert strongest == row.argmax()
        assert number["weight"] == pytest.approx(row.max(), rel=0.01)


def test_a_class_set_has_an_overview_of_all_answers():
    trace = explained("digits")
    given = class_set(trace, MOST_PUPILS)
    read = Read(answers_html(given))
    _, *rows = read.tables["overview"]
    assert len(rows) == len(read.sheets) == len(Read(worksheets_html(given)).sheets) == MOST_PUPILS
    assert len({row[1] for row in rows}) == MOST_PUPILS, "each has another patch"
    for row, answers in zip(rows, read.sheets, strict=True):
        assert row[2] == answers["number"]
        assert row[4:8] == [answers[field] for field in ("other_patches", "other_weights", "sum", "score")]
        assert row[8] == " < ".join(answers[f"order_{place}"] for place in range(1, 5))
        assert row[9] == f"{answers['strongest']}, {answers['weight']}"
    assert "overview" not in Read(answers_html(class_set(trace))).tables


def test_a_hybrid_does_not_split_its_input_into_patches():
    given = class_set(explained("stem"), 2)
    tasks, answers = Read(worksheets_html(given)), Read(answers_html(given))
    assert "CNN" in tasks.text
    assert "CNN" not in Read(worksheets_html(class_set(explained("digits")))).text
    head, *rows = answers.tables["overview"]
    assert {len(row) for row in rows} == {len(head)} == {7}
    assert f"{given.sheets[0].sizes.patch_dim:,}" not in re.findall(r"[\d,]*\d", answers.text)


@pytest.mark.parametrize("kind", ["differential", "mean"])
def test_the_colours_of_maps_with_signs_are_named(kind):
    text = Read(worksheets_html(class_set(trace_of(kind)))).text
    said = set(re.findall(r"\w+", text)) & {"blue", "red", "bright"}
    assert said == ({"blue", "red"} if kind == "differential" else {"bright"})


def test_a_worksheet_tells_no_answer():
    trace = explained("dinov2-small")
    (sheet,) = (given := class_set(trace)).sheets
    text = Read(worksheets_html(given)).text
    assert f"{sheet.sizes.tokens}" not in re.findall(r"[\d,]+", text)
    assert f"{sheet.heads.distances[0]:.1f} px" not in text
    assert vitviz.notation.marks.percent(sheet.prediction.weights[sheet.prediction.answer]) not in text


def test_a_worksheet_has_a_code_of_its_own_patch_if_phones_can_open_it():
    given = class_set(explained("digits"), 2, page="http://192.168.0.2:8501/attention")
    document = worksheets_html(given)
    assert_stands_alone(document)
    for sheet in given.sheets:
        row, column = sheet.place
        code = qr_svg(f"http://192.168.0.2:8501/attention?image=noise&model=a&query={row + 1}-{column + 1}")
        assert document.count(base64.b64encode(code).decode()) == 1
    for without in (
        class_set(explained("digits"), page="http://x/attention", address=""),
        class_set(explained("digits")),
    ):
        assert "svg+xml" not in worksheets_html(without)
    assert "svg+xml" not in answers_html(given)


def test_a_model_with_one_patch_leaves_out_what_cannot_be_asked():
    given = class_set(trace_of("mean", (1, 1)))
    (answers,) = Read(answers_html(given)).sheets
    assert "strongest" not in answers
    assert answers["patches"] == "1"


def test_other_peoples_words_stay_words():
    given = class_set(trace_of("mean"), 2, image=HOSTILE, model="</title><script>", address="a=<u>&b=1")
    for document in (worksheets_html(given), answers_html(given)):
        assert_stands_alone(document)
        read = Read(document)
        assert HOSTILE in read.text
        assert "</title><script>" in read.text
        assert "u" not in read.tags
    assert (
        f"?a=<u>&b=1&query={given.sheets[0].place[0] + 1}-{given.sheets[0].place[1] + 1}"
        in Read(worksheets_html(given)).text
    )


@pytest.mark.parametrize("page", ["sequence", "attention"])
def test_both_pages_offer_them_for_the_chosen_patch_and_number_of_pupils(page, monkeypatch):
    offered = {}
    monkeypatch.setattr(
        "streamlit.download_button", lambda label, data, name, kind, key, **_: offered.update({key: (name, data)})
    )
    app = opened(page, image="digit-4", model="digits", layer="3", head="2", query="3-4")
    app.number_input(key="pupils").set_value(3).run()
    assert not app.exception
    (name, tasks), (other, answers) = offered["worksheet"], offered["answers"]
    assert name == "vitviz-digit-4-digits-L3-H2-3-4-worksheet.html"
    assert other == "vitviz-digit-4-digits-L3-H2-3-4-answers.html"
    read = Read(answers())
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    assert as_number(read.sheets[0]["number"]) - 1 == 2 * trace.grid[1] + 3
    assert len(read.sheets) == 3
    weights = trace.attention(2, 1, trace.prefix + 2 * trace.grid[1] + 3)
    assert as_number(read.sheets[0]["weight"]) == pytest.approx(weights.max(), rel=0.01)
    document = tasks()
    assert "query=3-4" in Read(document).text
    assert len(Read(document).sheets) == 3
    assert settings(app)["pupils"] == 3


def test_a_link_that_ends_says_when():
    for until in ("", "1 May 2030, 10:15"):
        tasks = Read(worksheets_html(class_set(explained("digits"), until=until)))
        assert ("until" in tasks.text) == bool(until)
        assert until in tasks.text
    without = class_set(explained("digits"), until="1 May 2030, 10:15", address="")
    assert "2030" not in worksheets_html(without), "no link, no end"
