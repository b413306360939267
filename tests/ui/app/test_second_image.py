"""The second image: one for all pages, a sample, an image of the server, or the user's own, which no link includes."""

import hashlib

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.app_pages import choice_of, dropped, explore, opened, picture, query, settings, texts
from vitviz.ui.app import sessions, state
from vitviz.ui.app.second_image import GONE, NOT_IN_LINK, SECOND, UPLOAD

ZONE = "second_input_upload"
DIGIT = {"model": "digits", "image": "digit-4"}


def fine(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error
    return app


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of images for all users."""
    (tmp_path / "four.png").write_bytes(state.samples()["digit-4"])
    (tmp_path / "broken.png").write_bytes(b"no image")
    monkeypatch.setenv("VITVIZ_IMAGES", str(tmp_path))


def test_explore_has_none_until_one_is_chosen_and_then_shows_it():
    app = fine(explore(**DIGIT))
    assert "with" not in query(app)
    assert "explore_compare" not in [button.key for button in app.button]
    box = app.selectbox(key="explore_second")
    assert box.value is None
    fine(box.select("digit-8").run())
    assert query(app)["with"] == "digit-8"
    assert "explore_compare" in [button.key for button in app.button]
    fine(app.selectbox(key="explore_second").set_value(None).run())
    assert "with" not in query(app)


def test_compare_opens_with_both_images():
    app = explore(**DIGIT, **{"with": "digit-8"})
    app.session_state["settings"]["compare_mode"] = "models"
    fine(app.button(key="explore_compare").click().run())
    assert query(app).items() >= {"mode": "images", "image": "digit-4", "with": "digit-8"}.items()
    assert [title.value for title in app.title] == ["Compare"]


def test_an_upload_is_the_second_image_of_all_pages_and_stays_in_the_session():
    app = fine(dropped(explore(**DIGIT), ZONE, "mine.png", picture()))
    assert choice_of(app).picked.name == "digit-4", "the first image is as before"
    assert app.session_state.own is None
    assert settings(app)[SECOND.key] == UPLOAD
    assert query(app)["with"] == UPLOAD
    assert "mine.png" in texts(app.main)
    for page in ("compare", "intervene", "explore"):
        fine(app.switch_page(f"pages/{page}.py").run())
        assert settings(app)[SECOND.key] == UPLOAD
    fine(dropped(app, ZONE, "other.png", picture(32)))
    assert app.session_state.second_upload.name == "other.png", "only the last one is kept"
    assert "mine.png" not in texts(app.main)


def test_an_upload_is_deleted_with_the_session(monkeypatch):
    monkeypatch.setattr(sessions, "_sessions", {})
    data = picture()
    app = fine(dropped(explore(**DIGIT), ZONE, "mine.png", data))
    (session,) = sessions._sessions.values()
    small = app.session_state.second_thumbnail
    assert {hashlib.sha256(one).hexdigest() for one in (data, small)} <= session.images


def test_an_upload_that_is_no_image_changes_nothing_and_is_said_so():
    app = dropped(explore(**DIGIT, **{"with": "digit-8"}), ZONE, "evil.png", b"no image")
    assert not app.exception
    (error,) = app.error
    assert "evil.png" in error.value
    assert query(app)["with"] == "digit-8"


@pytest.mark.parametrize("mark", [state.OWN, UPLOAD])
@pytest.mark.parametrize("page", ["explore", "compare"])
def test_a_link_to_an_own_second_image_says_that_it_is_not_included(mark, page):
    app = fine(opened(page, **DIGIT, **{"with": mark}))
    assert NOT_IN_LINK in [one.value.replace("\\", "") for one in app.warning]
    assert query(app).get("with") not in (state.OWN, UPLOAD)


def test_the_users_first_image_can_be_the_second_one_beside_another():
    app = dropped(opened("compare", **DIGIT), "sidebar_upload", "mine.png", picture())
    app.session_state.picked = state.Picked("digit-4", state.samples()["digit-4"], sample=True)
    app.session_state["settings"][SECOND.key] = state.OWN
    fine(app.run())
    assert query(app)["with"] == state.OWN
    app.session_state.picked = app.session_state.own
    fine(app.run())
    assert query(app)["with"] != state.OWN, "it is the first image now"


def test_images_of_the_server_are_offered_and_linked(folder):
    app = fine(explore(**DIGIT))
    box = app.selectbox(key="explore_second")
    assert "four" in box.options
    assert "broken" not in box.options
    fine(box.select("file-four.png").run())
    assert query(app)["with"] == "file-four.png"
    fine(opened("compare", **DIGIT, **{"with": "file-four.png"}))


@pytest.mark.parametrize("name", ["file-gone.png", "file-broken.png", "file-../four.png"])
def test_an_image_that_the_server_does_not_offer_is_said(name, folder):
    app = fine(opened("compare", **DIGIT, **{"with": name}))
    assert [one.value for one in app.warning] == [GONE]
    assert query(app)["with"] in state.samples_for("digits")


def test_a_second_image_that_the_model_is_not_offered_is_left_out():
    app = explore(**{"with": "flower"})
    fine(app.selectbox(key="model").select("digits").run())
    assert app.selectbox(key="explore_second").value is None
    assert "with" not in query(app)
