"""Profiles of hypothesis, and limits of time and memory, for the properties in this folder.

`make test` runs a few examples of each property, always the same ones. `make fuzz` draws new ones for some minutes. A
failure prints the smallest example and the line `@reproduce_failure(...)`, which reproduces it if it is put above the
property. If the process itself dies, its last input is in the folder printed at the start.
"""

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.hostile.limits import memory_limit

FOLDER = Path(__file__).parent
MINUTES = float(os.environ.get("VITVIZ_FUZZ_MINUTES", "0"))  # of all properties together; 0: each runs once
_examples: Counter[str] = Counter()

_COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": list(HealthCheck)}
settings.register_profile("short", derandomize=True, database=None, max_examples=80, **_COMMON)
settings.register_profile("fuzz", max_examples=500, **_COMMON)
settings.load_profile("short")  # `--hypothesis-profile fuzz` takes precedence, because it is read later


@pytest.fixture(autouse=True, scope="module")
def limited_memory():
    """Allow one gigabyte beyond what the process has after it has imported everything."""
    with memory_limit():
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory, request):
    """Folder of the files that are read."""
    found = tmp_path_factory.mktemp("fuzz")
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    if MINUTES and terminal:
        terminal.write_line(f"If the process dies, its last input is in {found}.")
    return found


def _properties(session: pytest.Session) -> list[pytest.Item]:
    return [item for item in session.items if item.path.parent == FOLDER and hasattr(item.obj, "hypothesis")]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Count the examples, and draw new ones until the property's share of the time is over."""
    if not hasattr(pyfuncitem.obj, "hypothesis"):
        return None  # an ordinary test
    end = time.monotonic() + 60 * MINUTES / len(_properties(pyfuncitem.session))
    inner = pyfuncitem.obj.hypothesis.inner_test

    def counted(*arguments, **named):
        _examples[pyfuncitem.nodeid] += 1
        return inner(*arguments, **named)

    pyfuncitem.obj.hypothesis.inner_test = counted
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    try:
        pyfuncitem.obj(**arguments)
        while time.monotonic() < end:
            pyfuncitem.obj(**arguments)
    finally:
        pyfuncitem.obj.hypothesis.inner_test = inner
    return True


def pytest_terminal_summary(terminalreporter):
    """Print the number of examples."""
    if MINUTES:
        for name, count in _examples.items():
            terminalreporter.write_line(f"{count:8,} examples of {name}")
        terminalreporter.write_line(f"{_examples.total():8,} examples altogether")
