"""Explore names the heads that are unusual for an image, if there is a scan by the same model."""

import re

import numpy as np
import pytest

import vitviz
from tests.support.app_pages import explore, texts
from vitviz.analysis.attention import head_statistics
from vitviz.analysis.scan.queries.index import USUAL, make_index
from vitviz.analysis.scan.queries.scan_run import open_run
from vitviz.ui.app import cache, state
from vitviz.ui.pages.explore.head_habits import unusual_heads


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Index of a scan of the sample digits, all but one, by the digits model."""
    source = tmp_path / "source"
    source.mkdir()
    for name, data in state.samples().items():
        if name.startswith("digit-") and name != "digit-4":
            (source / f"{name}.png").write_bytes(data)
    vitviz.scan(source, vitviz.load("digits"), tmp_path / "runs" / "digits")
    monkeypatch.setenv("VITVIZ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("vitviz.ui.app.scans.index_folder", lambda: tmp_path / "indexes")
    cache.clear()
    return make_index(open_run(tmp_path / "runs" / "digits"), tmp_path / "indexes")


def test_heads_outside_their_usual_range_are_named(index):
    app = explore(model="digits", image="digit-4")
    assert not app.exception
    said = texts(app.main)
    assert "Unusual heads" in said
    statistics = head_statistics(vitviz.load("digits").trace(state.samples()["digit-4"]))
    low, high = (index.habits["entropy"].quantile(share) for share in USUAL)
    count = 0
    for name in ("entropy", "distance"):
        ends = [index.habits[name].quantile(share) for share in USUAL]
        now = getattr(statistics, name)
        count += int(((now < ends[0]) | (now > ends[1])).sum())
    assert f"{count} of {2 * statistics.entropy.size} values" in said
    for layer, head, value, *ends in re.findall(
        r"Layer (\d+), head (\d+): entropy ([\d.]+) bit, usually ([\d.]+) to ([\d.]+)", said
    ):
        at = int(layer) - 1, int(head) - 1
        assert float(value) == pytest.approx(statistics.entropy[at], rel=0.01)
        assert [float(end) for end in ends] == pytest.approx([low[at], high[at]], rel=0.01)


@pytest.mark.parametrize("other", [{"model": "dinov2-small", "image": "cat"}, {"fit": "squash"}])
def test_scans_of_other_models_and_settings_say_nothing(other, index):
    app = explore(**({"model": "digits", "image": "digit-4"} | other))
    assert not app.exception
    assert "Unusual heads" not in texts(app.main)


def test_heads_within_the_range_are_not_unusual():
    low, high = np.zeros((2, 3)), np.ones((2, 3))
    now = np.full((2, 3), 0.5)
    assert unusual_heads("entropy", now, low, high) == []
    now[1, 2] = 1.5
    (one,) = unusual_heads("entropy", now, low, high)
    assert (one.layer, one.head, one.value, one.low, one.high) == (1, 2, 1.5, 0, 1)
    assert unusual_heads("entropy", np.full((2, 3), np.nan), low, high) == []
