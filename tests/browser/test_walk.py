"""Whatever a visitor does and in which order: picture, panels, link and downloads describe the same."""

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.sessions import Session
from tests.browser.walking import STEPS, Visitor
from tests.support.exhaustive import exhaustive
from vitviz.notation.view import View

WALKS = [
    (1, 6),
    *(exhaustive(seed, 60) for seed in range(2, 15)),
]


def walk(visitor: Visitor, seed: int, steps: int) -> None:
    try:
        for _ in range(steps):
            visitor.step(STEPS)
    except Exception as error:
        walked = "\n".join(f"  {number}. {step}" for number, step in enumerate(visitor.done, 1))
        error.add_note(f"Seed {seed}, after these steps:\n{walked}\nThere should be {visitor.session}.")
        shown = visitor.page.root.evaluate_all("(all) => all.map((one) => ({ ...one.dataset }))")
        error.add_note(f"The picture shows {shown}.")
        raise


@pytest.mark.parametrize(("seed", "steps"), WALKS)
def test_a_walk_at_random_always_shows_one_thing(app, new_page, seed, steps):
    walk(Visitor(ExplorerPage(new_page()), app, seed), seed, steps)


# ---------------------------------------------------------------- what was found by hand


@pytest.fixture
def visitor(app, new_page):
    return Visitor(ExplorerPage(new_page()), app, 0)


@pytest.mark.exhaustive
def test_another_model_keeps_the_head(visitor):
    visitor.page.head(2, 1).click()
    visitor.look(layer=2, head=1)
    visitor.sees_one_thing()
    visitor.choose_model()
    visitor.sees_one_thing()


@pytest.mark.exhaustive
def test_a_bad_upload_changes_nothing(visitor):
    visitor.page.head(9, 2).click()
    visitor.look(layer=9, head=2)
    visitor.sees_one_thing()
    visitor.upload_text()
    visitor.sees_one_thing()


@pytest.mark.exhaustive
def test_a_notice_that_goes_does_not_bring_the_links_view_back(visitor):
    visitor.open(Session(view=View(9, 2)), layr="x")
    visitor.sees_one_thing()
    visitor.page.head(4, 1).click()
    visitor.look(layer=4, head=1)
    visitor.sees_one_thing()
    visitor.choose_sample()
    visitor.sees_one_thing()


def test_nothing_that_comes_and_goes_moves_the_explorer(visitor):
    """Neither on the screen, nor in the page: it is the same element from beginning to end."""
    visitor.page.root.evaluate("root => { root.dataset.first = 'yes'; }")

    def place() -> list[float]:
        return visitor.page.image.evaluate(
            """image => {
                 const { x, y, width, height } = image.getBoundingClientRect();
                 return [x, y + document.querySelector("[data-testid=stMain]").scrollTop, width, height];
               }"""
        )

    before = place()

    def stays(same_element: bool = True) -> None:
        visitor.sees_one_thing()
        assert place() == before
        if same_element:
            expect(visitor.page.root).to_have_attribute("data-first", "yes")

    for act in (visitor.upload_text, visitor.close_notices, visitor.choose_sample, visitor.choose_model):
        act()
        stays()
    expect(visitor.inner.get_by_test_id("prediction")).to_be_visible()
    visitor.choose_model()
    stays()
    visitor.open(Session(), layr="x")
    stays(same_element=False)
    visitor.page.root.evaluate("root => { root.dataset.first = 'yes'; }")
    visitor.choose_sample()
    expect(visitor.notices).to_have_count(0)
    stays()


def test_a_pin_does_not_send_the_queries_and_keys_again(app, new_page):
    page, received, fetched = ExplorerPage(new_page()), [], []
    page.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    page.page.on("request", lambda one: fetched.append(one.url) if one.resource_type == "fetch" else None)
    visitor = Visitor(page, app, 0)
    visitor.sees_one_thing()
    assert sum(received) > 300_000  # the first layer; the browser fetches the others
    before = sum("/media/" in url for url in fetched)
    received.clear()
    fetched.clear()
    visitor.page.head(2, 1).click()
    visitor.look(layer=2, head=1)
    visitor.sees_one_thing()
    assert sum(received) < 2_000_000
    downloads = sum("/media/" in url for url in fetched)  # by the visitor, after each step
    assert before - downloads == visitor.session.trace.layers - 1
