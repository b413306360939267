"""Projector mode without a browser: its switch, its link, and where it is kept."""

import pytest

from tests.support.app_pages import explore, query, settings


def test_a_link_begins_it_and_it_stays_on_other_pages():
    app = explore(image="rocket", projector="1")
    assert not app.warning
    assert query(app)["projector"] == "1"
    assert app.toggle(key="projector").value is True
    app.switch_page("pages/lens.py").run()
    assert query(app)["projector"] == "1"


def test_a_switch_begins_and_ends_it():
    app = explore()
    assert "projector" not in query(app)
    app.toggle(key="projector").set_value(True).run()
    assert query(app)["projector"] == "1"
    app.toggle(key="projector").set_value(False).run()
    assert "projector" not in query(app)


@pytest.mark.parametrize("text", ["0", "", "on", "2"])
def test_another_value_is_ignored_with_a_notice(text):
    app = explore(projector=text)
    (notice,) = [warning.value for warning in app.warning]
    assert "projector" in notice
    assert "projector" not in query(app)
    assert settings(app).get("projector") in (None, False)
