"""Section of a lesson page in links: the names that exist, what a link opens, and what the class link contains."""

import pytest

from tests.support.app_pages import opened, placed, query, settings
from tests.ui.app.test_class_link import link_of, opened_link
from vitviz.ui.app import lesson_section
from vitviz.ui.app.lesson_section import SECTIONS
from vitviz.ui.pages.lesson import overview

DIGIT = {"model": "digits", "image": "digit-4"}


@pytest.mark.parametrize("page", SECTIONS)
def test_each_name_is_a_section_of_the_page(page):
    app = opened(page, **DIGIT)
    assert not app.exception
    for name in SECTIONS[page]:
        assert placed(app, f"part_{name}") is not None, name


def test_a_link_opens_a_section_once():
    app = opened("attention", section="scores", **DIGIT)
    assert not app.warning
    section, number = app.session_state[overview.ARRIVES]
    assert section == "attention/scores"
    assert app.run().session_state[overview.ARRIVES] == (section, number), "no second time"
    assert "section" not in query(app), "the reader scrolls on"


def test_in_projector_mode_the_address_keeps_the_section():
    app = opened("attention", section="scores", projector="1", **DIGIT)
    assert query(app)["section"] == "scores"
    assert link_of(opened_link(app))["section"] == "scores"


def test_the_class_link_opens_the_section_in_view():
    app = opened("sequence", **DIGIT)
    assert "section" not in link_of(opened_link(app))
    settings(app)["section_sequence"] = "positions"  # told by the browser
    link = link_of(opened_link(app))
    assert link["section"] == "positions"
    assert "section" not in query(app)
    other = opened("sequence", **link)
    assert other.session_state[overview.ARRIVES][0] == "sequence/positions"


@pytest.mark.parametrize("text", ["", "nothing", "scores", "<b>"])
def test_another_section_is_ignored_with_a_notice(text):
    app = opened("sequence", section=text, **DIGIT)
    assert not app.exception
    (notice,) = [warning.value for warning in app.warning]
    assert "section" in notice
    assert overview.ARRIVES not in app.session_state


@pytest.mark.parametrize("message", ["", "nothing", "scores", 3, None, ["input"]])
def test_a_browser_can_only_tell_sections_of_the_page(message):
    with pytest.raises(ValueError, match="section"):
        lesson_section.reader("sequence")(message)
    assert lesson_section.reader("sequence")("input") == "input"
