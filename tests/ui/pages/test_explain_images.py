"""The page "Explain" for a model without classes: comparison with samples and with the user's own images."""

import pytest

import vitviz
from tests.support.app_pages import dropped, picture, query, texts
from tests.ui.pages.test_explain_page import QUICK, expected, nothing_is_known, page, shown  # noqa: F401 - one is a fixture
from vitviz.analysis.attribution import SimilarityTarget
from vitviz.ui.app import state

pytestmark = pytest.mark.slow


def test_without_classes_images_are_compared():
    app = page(image="cat")
    model, samples = vitviz.load("dinov2-small"), state.samples()
    trace, astronaut, coffee = (model.trace(samples[name]) for name in ("cat", "astronaut", "coffee"))
    assert shown(app) == [expected(trace, method, None) for method in QUICK]
    assert "this image's own feature** · projection, for this image: 1" in texts(app)
    assert "target" not in query(app)
    other = SimilarityTarget.of([astronaut], "")
    app.multiselect(key="explain_images_0").set_value([picked("astronaut").digest]).run()
    assert shown(app) == [expected(trace, method, other) for method in QUICK]
    assert "similarity to astronaut** · cosine, for this image" in texts(app)
    digests = [state.Picked(name, samples[name], sample=True).digest for name in ("astronaut", "coffee")]
    app.multiselect(key="explain_images_0").set_value(digests).run()
    both = SimilarityTarget.of([astronaut, coffee], "")
    assert "similarity to the mean of 2 images: astronaut, coffee" in texts(app).replace("\\", "")
    assert expected(trace, "gradient_attention", both) in shown(app)


def test_ones_own_photo_can_be_compared_with_and_a_broken_one_is_refused():
    app = page(image="cat")
    dropped(app, "explain_upload", "mine.png", picture())
    app.switch_page("pages/lens.py").run()
    app.switch_page("pages/explain.py").run()
    mine = state.Picked("mine.png", picture(), sample=False).digest
    app.multiselect(key="explain_images_1").select(mine).run()
    assert len(shown(app)) == 6
    assert r"similarity to mine.png" in texts(app)
    dropped(app, "explain_upload", "evil.png", b"no")
    assert not app.exception
    assert "evil.png" in app.error[0].value
    assert len(shown(app)) == 6


@pytest.mark.exhaustive
def test_the_image_of_the_sidebar_can_be_compared_with():
    app, box = page(image="cat"), "explain_images_0"
    dropped(app, "sidebar_upload", "mine.png", picture())
    assert "Your image" not in app.multiselect(key=box).options, "it is looked at"
    app.session_state.picked = picked("cat")
    app.run()
    assert "Your image" in app.multiselect(key=box).options
    app.multiselect(key=box).select(state.Picked("mine.png", picture(), sample=False).digest).run()
    assert "similarity to mine.png" in texts(app)
    assert shown(app)


def test_the_last_few_photos_are_kept():
    app = page(image="cat")
    for side in range(40, 49):
        dropped(app, "explain_upload", f"{side}.png", picture(side))
    options = app.multiselect(key="explain_images_0").options
    assert [f"{side}.png" for side in range(41, 49)] == [name for name in options if name.endswith(".png")]


def picked(name: str) -> state.Picked:
    return state.Picked(name, state.samples()[name], sample=True)


@pytest.mark.exhaustive
def test_an_image_is_not_compared_with_itself():
    app = page(image="cat", target="astronaut")
    assert "similarity to astronaut" in texts(app)
    app.session_state.picked = picked("astronaut")
    assert "Target 1: this image's own feature**" in texts(app.run())
    assert len(shown(app)) == 4
