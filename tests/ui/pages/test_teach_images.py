"""Images and classes of the page "Teach", without a browser: they are checked, and stay in their session."""

import io

import pytest
from PIL import Image

from tests.support.app_pages import dropped, picture, texts
from tests.support.taught_images import image
from tests.support.teach_page import (
    COUNT,
    DATA,
    FILES,
    SETS,
    as_class,
    classes,
    fine,
    give,
    html,
    page,
    taught_page,
    with_classes,
)
from vitviz.ui.app import cache, sessions, state
from vitviz.ui.pages.teach import collection, image_features

# ---------------------------------------------------------------- images and classes


def test_images_are_added_to_their_class():
    app = page()
    give(app, 2, "first.png", DATA[0])
    give(app, 2, "second.png", DATA[1])
    give(app, 1, "third.png", DATA[2], series=77)
    assert classes(app) == {"Class 1": ["third.png"], "Class 2": ["first.png", "second.png"]}
    (one, _) = app.session_state["settings"]["teach_classes"]
    assert one.images[0].series == "77"
    with Image.open(io.BytesIO(one.images[0].thumbnail)) as thumbnail:
        assert thumbnail.size == (collection.SIDE,) * 2
    fine(app)


@pytest.mark.parametrize("data", [b"", b"no image", picture()[:60]])
def test_what_is_no_image_is_refused_in_one_sentence_and_changes_nothing(data):
    app = give(page(), 1, "good.png", DATA[0])
    give(app, 1, "bad.png", data)
    assert not app.exception
    (error,) = app.error
    assert error.value.startswith("bad.png")
    assert classes(app) == {"Class 1": ["good.png"], "Class 2": []}
    assert not app.run().error, "it is said once"


def test_an_image_is_in_one_class_only():
    app = give(page(), 1, "a.png", DATA[0])
    give(app, 2, "b.png", DATA[0])
    assert "Class 1" in app.error[0].value
    assert classes(app)["Class 2"] == []


@pytest.mark.parametrize(
    ("limit", "value"), [("MOST_IMAGES", 1), ("MOST_BYTES", len(DATA[0]) + len(DATA[1]) - 1), ("MOST_BYTES_OF_ALL", 1)]
)
def test_limits_are_said_when_they_are_reached(limit, value, monkeypatch):
    app = page()
    if limit != "MOST_BYTES_OF_ALL":
        give(app, 1, "a.png", DATA[0])
    before = classes(app)
    monkeypatch.setattr(collection, limit, value)
    give(app, 2, "b.png", DATA[1])
    assert "room" in app.error[0].value
    assert classes(app) == before


@pytest.mark.parametrize("name", ["cat.png", "9.0.cat.png", "1.cat.png", "-1.0.cat.png"])
def test_a_file_for_no_class_is_ignored(name):
    app = dropped(page(), FILES, name, DATA[0])
    assert classes(fine(app)) == {"Class 1": [], "Class 2": []}


def test_names_from_users_are_shown_as_text():
    app = with_classes(page(), as_class(1, 'x < "b" & c', SETS["bars"]), as_class(2, "*y* `z`", SETS["lines"]))
    assert "x < " not in html(app)
    assert "x &lt; &quot;b&quot; &amp; c" in html(app)
    assert "*y* `z`" not in texts(app)


# ---------------------------------------------------------------- sessions


def test_two_sessions_have_their_own_classes():
    one, other = taught_page(), page()
    give(other, 1, "a.png", DATA[0])
    fine(one.run())
    assert {name: len(names) for name, names in classes(one).items()} == {"bars": COUNT, "lines": COUNT}
    assert classes(other) == {"Class 1": ["a.png"], "Class 2": []}


def test_results_of_an_image_go_with_the_session(monkeypatch):
    noted = []
    monkeypatch.setattr(sessions, "add_image", noted.append)
    data = image(0, 500)
    app = give(page(), 1, "mine.png", data)
    picked = state.Picked("mine.png", data, sample=False)
    assert picked.digest in noted
    setup = image_features.FeatureSetup("digits", 32, "crop", "token")
    assert image_features.features(setup, [picked]) is not None
    cache.forget({picked.digest})
    assert image_features.features(setup, [picked]) is None
    fine(app.run())
    assert image_features.features(setup, [picked]) is not None, "as long as the session shows it"


def test_stored_results_contain_no_names():
    cache.clear()
    with_classes(page(), as_class(1, "secret person", SETS["bars"]), as_class(2, "other person", SETS["lines"]))
    stored = [repr(key) + repr(getattr(value, "labels", "")) for key, (value, _) in cache.results._results.items()]
    assert stored
    assert not any("person" in one for one in stored)
