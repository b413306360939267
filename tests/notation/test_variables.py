"""Environment variables of the app: their values, and the table in the documentation."""

import re
from pathlib import Path

import pytest

import vitviz
from tests.support.facts import assert_mentions
from vitviz.errors import VitvizError
from vitviz.notation.variables import CHECKPOINT_DIR, CLASS_HOURS, DEVICE, MAX_DOWNLOAD_GB, VARIABLES

PACKAGE = Path(vitviz.__file__).parent
NUMBERS = [variable for variable in VARIABLES if variable.kind in ("whole", "number")]


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
@pytest.mark.parametrize("text", [None, ""])
def test_what_is_not_set_has_the_default(variable, text, monkeypatch):
    monkeypatch.delenv(variable.name, raising=False)
    if text is not None:
        monkeypatch.setenv(variable.name, text)
    value = variable.value()
    assert value == (float(variable.default) if variable in NUMBERS else variable.default)


@pytest.mark.parametrize("variable", NUMBERS, ids=lambda variable: variable.name)
def test_limits_are_valid_and_what_is_beyond_them_is_not(variable, monkeypatch):
    for bound, beyond in ((variable.low, variable.low - 1), (variable.high, variable.high + 1)):
        if bound < float("inf"):
            monkeypatch.setenv(variable.name, f"{bound:g}")
            assert variable.value() == bound
            monkeypatch.setenv(variable.name, f"{beyond:g}")
            with pytest.raises(variable.error) as caught:
                variable.value()
            assert_mentions(str(caught.value), variable.name, f"{beyond:g}", f"{variable.low:g}")


@pytest.mark.parametrize("variable", [*NUMBERS, DEVICE], ids=lambda variable: variable.name)
@pytest.mark.parametrize("text", ["many", "nan", "inf", "-1", "1,5", "٣²", "x" * 5000, "1\n2", "0x10"])
def test_nonsense_is_refused_in_a_short_sentence(variable, text, monkeypatch):
    monkeypatch.setenv(variable.name, text)
    with pytest.raises(VitvizError) as caught:
        variable.value()
    assert len(str(caught.value)) < 250


def test_whole_numbers_are_whole(monkeypatch):
    for variable in NUMBERS:
        if variable.kind == "whole":
            monkeypatch.setenv(variable.name, "150")
            assert isinstance(variable.value(), int)
            for wrong in ("150.5", "9" * 5000):
                monkeypatch.setenv(variable.name, wrong)
                with pytest.raises(variable.error):
                    variable.value()
    monkeypatch.setenv(CLASS_HOURS.name, "1.5")
    assert CLASS_HOURS.value() == 1.5


def test_a_situation_may_have_its_own_default(monkeypatch):
    monkeypatch.delenv(MAX_DOWNLOAD_GB.name, raising=False)
    assert MAX_DOWNLOAD_GB.value("2") == 2
    monkeypatch.setenv(MAX_DOWNLOAD_GB.name, "0.5")
    assert MAX_DOWNLOAD_GB.value("2") == 0.5


def test_a_folder_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv(CHECKPOINT_DIR.name, "some where")
    assert CHECKPOINT_DIR.value() == "some where"


@pytest.mark.parametrize("text", ["cpu", "mps", "cuda", "cuda:0", "cuda:12"])
def test_a_device_is_one_of_pytorchs(text, monkeypatch):
    monkeypatch.setenv(DEVICE.name, text)
    assert DEVICE.value() == text


def test_the_table_in_the_documentation_is_this_one():
    text = (PACKAGE.parent / "docs" / "deployment.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| `VITVIZ_")]
    rows = [[cell.strip() for cell in line.strip("| \n").split(" | ")] for line in lines]
    documented = {name.strip("`"): (default, limits, meaning) for name, default, limits, meaning in rows}
    assert documented == {
        variable.name: (
            "; ".join(filter(None, [variable.default or "none", variable.exception])),
            variable.limits,
            variable.meaning,
        )
        for variable in VARIABLES
    }


def test_the_app_reads_no_other_variable():
    known = {variable.name for variable in VARIABLES} | {"VITVIZ_BROWSER"}
    for path in PACKAGE.rglob("*.py"):
        assert set(re.findall(r"VITVIZ_[A-Z_]*[A-Z]", path.read_text("utf-8"))) <= known, path
