"""Names with markup, and a check that a page shows them as they are."""

import re

from streamlit.testing.v1 import AppTest

from tests.support.app_pages import texts

MARKUP = "<img src=x onerror=b> [a](javascript:b) :red[r] $y$ **c**"
PARTS = ("[a](javascript:b)", ":red[r]", "$y$", "<img src=x", "**c**")


def assert_escaped(app: AppTest) -> str:
    """Check that nothing on the page is drawn as markup; return the HTML on it."""
    assert not app.exception, app.exception[0].message
    shown = re.sub(r"\\\W", "", texts(app))  # without what is escaped
    bodies = "".join(element.proto.body for element in app.get("html"))
    for part in PARTS:
        assert part not in shown
    assert "<img src=x" not in bodies
    return bodies
