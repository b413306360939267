"""Parameters that repeat a check with other sizes, sides or fonts."""

import pytest


def exhaustive(*values):
    """Parameters of a test that only `make test-all` runs."""
    return pytest.param(*values, marks=pytest.mark.exhaustive)
