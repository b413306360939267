"""The page "Intervene", as tests open and read it."""

import re

from streamlit.testing.v1 import AppTest

from tests.support.app_pages import opened, placed, texts

DIGIT = {"model": "digits", "image": "digit-4"}


def intervene(**parameters: str) -> AppTest:
    return opened("intervene", **{"edits": "none", **parameters})


def html(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.main.get("html"))


def fine(app: AppTest) -> str:
    assert not app.exception
    assert not app.error
    said = texts(app.main) + html(app)
    assert "nan" not in re.findall(r"\w+", said)
    return said


def figures(app: AppTest) -> list[str]:
    """The three maps of attention with their captions."""
    return re.findall(r"<figure data-map=.*?</figure>", html(app))


def listed(app: AppTest) -> str:
    """Heading of the list of edits."""
    (heading,) = placed(app, "undoing")
    return heading


def assert_unedited(app: AppTest) -> None:
    """Check that the page has no edits, and that its list has none to undo."""
    fine(app)
    assert app.session_state.edits == ()
    assert undo_labels(app) == []
    assert not {"undo_last", "undo_all"} & {button.key for button in app.main.button}
    assert not re.search(r"\d", listed(app))


def undo_buttons(app: AppTest) -> list:
    return [button for button in app.main.button if re.match(r"undo_.*\d", button.key)]


def undo_labels(app: AppTest) -> list[str]:
    return [button.label for button in undo_buttons(app)]
