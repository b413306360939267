"""Pages that have more to say about a model with classes give it the example classes with one click, and take them."""

import re
import time

import pytest
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support.app_pages import PATIENCE, choice_of, opened, query, settings
from tests.support.taught_heads import BASE, offered, random_head, sessions_act, teach  # noqa: F401
from vitviz import zoo
from vitviz.analysis.predictions import Prediction, predictions
from vitviz.notation.marks import percent
from vitviz.ui.pages.teach import example
from vitviz.zoo.heads import attached

PAGES = ("explain", "intervene", "lens")
pytestmark = pytest.mark.usefixtures("empty_model_cache", "offered", "sessions_act")


def keys(app: AppTest) -> set[str]:
    return {button.key for button in app.main.get("button")}


def with_classes(app: AppTest) -> AppTest:
    """The page once it has classes, after at most one click."""
    end = time.monotonic() + PATIENCE
    while settings(app)["model"] == BASE:
        assert time.monotonic() < end
        app.run()
        assert not app.exception
    assert not app.error
    return app


def by_the_library(app: AppTest) -> list[Prediction]:
    """Predictions for the image by a head that the library fits on the same crops, most probable first."""
    choice, base = choice_of(app), zoo.shared(BASE)
    crops = {name: example.crops(data)[: example.FITTED] for name, data in example.photographs().items()}
    images = [crop for some in crops.values() for crop in some]
    labels = [name for name, some in crops.items() for _ in some]
    head = vitviz.fit_head(base, images, labels, size=choice.size, fit=choice.fit)
    return predictions(attached(base, head).trace(choice.picked.data, size=choice.size, fit=choice.fit), len(crops))


def assert_says(app: AppTest, page: str, found: list[Prediction]) -> None:
    bodies = "".join(element.proto.body for element in app.get("html"))
    if page == "explain":
        shown = [f"{one.label} ({percent(one.probability)})" for one in found[:5]]
        assert app.selectbox(key="explain_class_0").options[:5] == shown
    elif page == "intervene":
        shown = dict(re.findall(r'data-class="(\w+)" data-before="([^"]+)"', bodies))
        for one in found[:5]:
            assert float(shown[one.label]) == pytest.approx(one.probability, abs=1e-6)
    else:
        (row,) = re.findall(r"<td><b>[^<]*</b></td><td>(\w+)</td><td>(.*?)</td>", bodies)  # the last layer
        assert row[0] == found[0].label
        assert percent(found[0].probability) in row[1]


@pytest.mark.parametrize("page", PAGES)
def test_one_click_gives_the_page_classes_and_another_takes_them(page):
    app = opened(page, model=BASE, image="flower", fit="squash")
    before = choice_of(app)
    assert before.fit == "squash"
    app = with_classes(app.button(key="offer_example").click().run())
    after = choice_of(app)
    assert (after.picked, after.size, after.fit) == (before.picked, before.size, before.fit)
    assert_says(app, page, by_the_library(app))
    assert query(app)["model"] == BASE
    assert query(app)["classes"] == "own"
    app.button(key="offer_leave").click().run()
    assert not app.exception
    assert choice_of(app) == before
    assert "classes" not in query(app)
    assert "offer_leave" not in keys(app)
    app.button(key="offer_example").click().run()
    assert settings(app)["model"] != BASE, "fitted before"


def test_a_click_counts_if_another_user_has_the_classes_fitted_meanwhile():
    late, early = opened("lens", model=BASE), opened("intervene", model=BASE)
    with_classes(early.button(key="offer_example").click().run())
    late.button(key="offer_example").click().run()
    assert settings(late)["model"] != BASE


def test_a_model_with_classes_is_offered_none():
    for page in PAGES:
        assert not keys(opened(page, model="digits")) & {"offer_example", "offer_own", "offer_leave"}


@pytest.mark.parametrize("page", PAGES)
def test_ones_own_classes_come_back_with_one_click(page):
    app = teach(opened(page, model=BASE), random_head(BASE))
    own = settings(app)["model"]
    app.button(key="offer_leave").click().run()
    assert settings(app)["model"] == BASE
    assert "offer_example" in keys(app)
    app.button(key="offer_own").click().run()
    assert settings(app)["model"] == own
