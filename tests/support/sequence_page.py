"""The page "Image to sequence" under test: its text, formulas, checks and widgets."""

import html
import re

from streamlit.testing.v1 import AppTest

from tests.support.app_pages import opened, texts
from tests.support.printed_sums import comes_out, printed_sums

PIXEL_PARTS = ("splitting", "flattening", "projection")  # sections about the pixels of a patch


def story(**parameters: str) -> AppTest:
    return opened("sequence", **parameters)


def words(app: AppTest) -> str:
    """Return all text without the markup of symbols."""
    return re.sub(r"<[^>]+>", "", texts(app)).replace("\\", "")


def formulas(app: AppTest) -> str:
    return "\n".join(formula.value for formula in app.latex)


def drawn_html(app: AppTest) -> str:
    return html.unescape("".join(element.proto.body for element in app.get("html")))


def checks(app: AppTest) -> list[str]:
    """Return the lines that say whether the values computed by hand match the model."""
    return [one.label for one in app.expander if re.search("[✓✗]", one.label)]


def widget(app: AppTest, key: str):
    """Return the button group with this key, which may end in a suffix of its context."""
    (found,) = [one for one in app.get("button_group") if one.key.startswith(key)]
    return found


def choose(app: AppTest, key: str, value) -> AppTest:
    return widget(app, key).set_value(value).run()


def assert_all_hold(app: AppTest) -> None:
    assert not app.exception
    assert not app.error
    assert checks(app)
    assert not [label for label in checks(app) if "✗" in label]
    sums = printed_sums(words(app))
    assert sums
    assert [one for one in sums if not comes_out(*one)] == []
