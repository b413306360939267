"""Headings of the pages with sections: one of the first level, then levels without gaps."""

import re
from itertools import pairwise

import pytest

from tests.support.app_pages import opened, start

LEVELS = {"title": 1, "header": 2, "subheader": 3}


def levels(app) -> list[int]:
    """Levels of all headings of a page in order, also those written in Markdown."""
    assert not app.exception
    found = []
    for element in app.main:
        if element.type in LEVELS:
            found.append(LEVELS[element.type])
        elif element.type == "markdown":
            found += [len(marks) for marks in re.findall(r"^(#{1,6}) ", element.value, re.MULTILINE)]
    return found


@pytest.mark.parametrize("page", ["start", "sequence", "attention"])
def test_headings_are_in_order(page):
    app = start(model="digits") if page == "start" else opened(page, model="digits")
    found = levels(app)
    assert found[0] == 1
    assert found.count(1) == 1
    assert len(found) > 3
    assert all(after <= before + 1 for before, after in pairwise(found))
