"""Trace files that are cut at every tenth, or two files in one."""

import pytest

import vitviz
from tests.support.hostile.checkpoints import BITS, of_type
from tests.support.hostile.images import AFTER, SMALL_FILES
from tests.support.hostile.limits import handled
from tests.support.random_models import trace_of


@pytest.fixture
def saved(tmp_path):
    trace_of("relative").save(tmp_path / "a.trace")
    return tmp_path / "a.trace"


def test_a_trace_cut_at_every_tenth_is_refused(saved):
    data = saved.read_bytes()
    for tenth in range(10):
        saved.write_bytes(data[: len(data) * tenth // 10])
        assert handled(lambda: vitviz.open_trace(saved)) is None


@pytest.mark.parametrize("dtype", BITS)
def test_a_checkpoint_of_any_type_is_no_trace(saved, dtype):
    saved.write_bytes(of_type(dtype))
    assert handled(lambda: vitviz.open_trace(saved)) is None


@pytest.mark.parametrize("what", AFTER)
def test_a_trace_that_is_another_file_too_is_refused(saved, what):
    data = saved.read_bytes()
    for both in (data + AFTER[what], AFTER[what] + data, SMALL_FILES["GIF"] + data):
        saved.write_bytes(both)
        assert handled(lambda: vitviz.open_trace(saved)) is None
