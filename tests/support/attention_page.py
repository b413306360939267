"""The page "Attention" without a browser, as tests open and read it."""

import math
import re

from streamlit.testing.v1 import AppTest

from tests.support.app_pages import opened, placed, texts
from tests.support.printed_sums import comes_out, printed_sums

CHECKED = ("qkv", "scores", "softmax", "values", "network", "output")  # sections with a line on their checks


def attention(**parameters: str) -> AppTest:
    return opened("attention", **parameters)


def predictions(app: AppTest, name: str):
    """Widgets of a prediction."""
    return [widget for widget in app.segmented_control if widget.key.startswith(f"predicted_{name}_")]


def predict(app: AppTest, name: str, answer: str = "Show me") -> AppTest:
    (widget,) = predictions(app, name)
    return widget.set_value(answer).run()


def revealed(app: AppTest) -> AppTest:
    """The page after all predictions were skipped."""
    for name in ("strongest", "temperature"):
        if predictions(app, name):
            predict(app, name)
    return app


def fine(app: AppTest) -> str:
    """Return the text of the page after checking that it has no errors."""
    assert not app.exception
    assert not app.error
    said = texts(app.main) + "".join(element.proto.body for element in app.main.get("html"))
    checks = [expander.label for expander in app.expander if "badge" in expander.label]
    assert len(checks) == len(CHECKED)
    assert all("✓" in label and "✗" not in label for label in checks)
    assert all(placed(app, f"checks_{section}") for section in CHECKED)
    assert "7" in [title.value.partition(" ")[0] for title in app.header]
    assert "nan" not in texts(app).split()
    sums = printed_sums(re.sub(r"<[^>]+>", "", texts(app.main)).replace("\\", ""))
    assert len(sums) >= 3  # score, weighted sum, residual
    assert [one for one in sums if not comes_out(*one)] == []
    assert_softmax_comes_out(said)
    return said


def assert_softmax_comes_out(said: str) -> None:
    """Recompute every exp of the softmax table from its score and the maximum in the header."""
    largest = re.search(r"exp\(s − \(?(−?[\d.]+)\)?\)", said)
    if not largest:
        return  # differential attention shows two softmaxes instead
    rows = re.findall(
        r"<tr><td>[^<]*</td><td>(−?[\d.]+)</td><td>([\d.]+)</td>", said[largest.end() :].partition("</table>")[0]
    )
    assert rows
    for score, shown in rows:
        made = math.exp(float(score.replace("−", "-")) - float(largest[1].replace("−", "-")))
        assert f"{made:.4f}" == shown
