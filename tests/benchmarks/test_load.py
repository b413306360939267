"""benchmarks.load: a short round of a few users, whose rows are those of a long one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.load import rounds, visit


def test_all_benchmarks_can_be_run():
    assert all(map(callable, BENCHMARKS.values()))


@pytest.mark.exhaustive
def test_a_round_counts_errors_and_finds_each_sessions_own_numbers(monkeypatch):
    for name, value in {"USERS": 3, "SECONDS": 5.0, "ARRIVALS": 1.0, "RETENTION": 0.0}.items():
        monkeypatch.setattr(rounds, name, value)
    monkeypatch.setattr(visit, "PINS", 1)
    with ThreadPoolExecutor() as threads:  # Playwright may have an event loop in this one
        rows = {row.quantity: row for row in threads.submit(lambda: list(rounds.users())).result()}
    for turn in (1, 2):
        assert rows[f"round {turn}: errors"].measured == "0"
        assert rows[f"round {turn}: sessions whose numbers are those of their own image"].measured == "3 of 3"
