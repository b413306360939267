"""A user's own image without a browser: where it stands, what a session gets back, and how much of it is used."""

import io

import pytest
from PIL import Image

from tests.support.app_pages import choice_of, dropped, explore, picture, query, start, texts
from vitviz.images import prepare, read_image
from vitviz.notation.view import View
from vitviz.ui.app import state, uploads
from vitviz.ui.components import own_image


def panorama() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (500, 100), "red").save(buffer, "PNG")
    return buffer.getvalue()


def test_what_is_dropped_or_pasted_is_looked_at_and_stays_at_hand():
    app = explore(image="rocket")
    dropped(app, "own_dropped", "mine.png", picture())
    assert not app.exception
    assert app.session_state.picked.name == app.session_state.own.name == "mine.png"
    assert query(app)["image"] == "own"


def test_on_the_first_page_it_leads_to_the_explorer_and_only_then():
    app = dropped(start(), "own_dropped", "mine.png", picture())
    assert "Weights, sorted" in texts(app)
    app.switch_page("pages/start.py").run()
    assert [title.value for title in app.title] == ["See what a Vision Transformer sees"]


def test_a_link_to_an_own_image_waits_for_what_the_browser_has_kept():
    app = explore(image="own", fit="native", layer="3", query="2-30")
    assert not app.exception
    assert "Weights, sorted" not in texts(app)
    assert query(app) == {"image": "own", "fit": "native", "layer": "3", "query": "2-30"}, "nothing is lost meanwhile"
    dropped(app, "own_kept", "wide.png", panorama())
    assert not app.exception
    assert not app.warning
    assert app.session_state.picked.name == "wide.png"
    trace = state.trace(choice_of(app))
    assert View(2, 0, trace.prefix + trace.grid[1] + 29).label(trace) in texts(app)


def test_a_browser_that_has_kept_nothing_gets_a_sample_and_is_told_why():
    app = explore(image="own")
    app.session_state.own_request = None
    app.session_state.notices = [own_image.NOT_IN_LINK]
    app.run()
    assert app.session_state.picked.name == "cat"
    assert len(app.warning) == 1


def test_what_the_browser_gives_back_beside_a_sample_changes_nothing_that_is_shown():
    app = explore(image="rocket", layer="99")
    said = app.warning[0].value
    dropped(app, "own_kept", "mine.png", picture())
    assert (app.session_state.picked.name, app.session_state.own.name) == ("rocket", "mine.png")
    assert app.warning[0].value == said, "the user has done nothing, and may not have read it"
    assert not app.run().warning


@pytest.mark.parametrize("data", [b"", b"no image"])
@pytest.mark.parametrize("image", ["own", "rocket"])
def test_what_the_browser_gives_back_may_be_anything(image, data):
    app = explore(image=image)
    dropped(app, "own_kept", "mine.png", data)
    assert not app.exception
    assert app.session_state.own is None
    assert app.session_state.picked.name == ("cat" if image == "own" else "rocket")
    assert "Weights, sorted" in texts(app)


def test_a_newer_image_counts_more_than_one_that_was_kept():
    app = explore(image="rocket")
    dropped(app, "sidebar_upload", "new.png", picture())
    dropped(app, "own_kept", "old.png", picture(32))
    assert app.session_state.picked.name == app.session_state.own.name == "new.png"


@pytest.mark.parametrize("message", [None, 3, ["x"], "x" * 201, {"name": "x"}])
def test_a_message_that_is_no_name_is_refused(message):
    with pytest.raises(ValueError, match="text"):
        uploads.read_name(message)


# --- How much of it is used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "fit", "share"),
    [((500, 100), "crop", 0.2), ((100, 500), "crop", 0.2), ((64, 64), "crop", 1), ((500, 100), "pad", 1)],
)
def test_the_share_of_an_image_that_is_used(size, fit, share):
    prepared = prepare(read_image(Image.new("RGB", size)), 224, 14, fit)
    assert prepared.geometry.visible_fraction == pytest.approx(share, abs=0.01)


def test_a_panorama_says_how_much_is_used_and_shows_all_of_it():
    app = explore()
    assert not [button for button in app.button if button.key == "use_all"]
    dropped(app, "sidebar_upload", "wide.png", panorama())
    assert any(" 20\u00a0%" in caption.value for caption in app.sidebar.caption)
    app.button(key="use_all").click().run()
    assert not app.exception
    assert "use_all" not in [button.key for button in app.button]
    assert (query(app)["fit"], app.selectbox(key="fit").value) == ("native", "native")
    dropped(app, "sidebar_upload", "square.png", picture())
    assert "use_all" not in [button.key for button in app.button]
