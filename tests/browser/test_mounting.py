"""Components on their pages: whatever comes and goes around them, they show what the session is about."""

import random
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.explanations import IMAGE
from tests.browser.layout import go_to
from tests.browser.test_digits import DIGITS, draw
from vitviz.ui.app import state

SIDE, LAYERS, HEADS = 8, 6, 4  # patches, layers and heads of the model that reads digits
START = "model=digits&image=digit-3"
PAGES = {
    "Image to sequence": [".st-key-sequence_picture [data-testid=patch-picker]", "[data-testid=sequence-matrix]"],
    "Attention": [".st-key-attention_picker [data-testid=patch-picker]"],
    "Lens": ["[data-testid=patch-picker]"],
    "Tokens, Colours": [".st-key-pca_picker [data-testid=patch-picker]"],
    "Tokens, Similarity": ["[data-testid=similarity]"],
    "Tokens, Norms": [".st-key-norm_picker [data-testid=patch-picker]"],
    "Tokens, Points": ["[data-testid=scatter]"],
}


class Reader:
    """Somebody who reads a page, and does things at random around its components.

    Args:
        page: a browser's page.
        app: the app's address.
        name: the page's name, and after a comma that of its section.
        seed: decides everything.
    """

    def __init__(self, page: Page, app: str, name: str, seed: int, path: str | None = None):
        self.page, self.random, self.uploads = page, random.Random(seed), 0
        self.name, _, self.section = name.partition(", ")
        self.image, self.done = "digit-3", []
        path = path or {"Image to sequence": "sequence"}.get(self.name, self.name.lower())
        page.goto(f"{app}/{path}?{START}&edits=none")
        self.arrive()

    def arrive(self) -> None:
        if self.section:
            self.page.get_by_role("radio", name=self.section, exact=True).click()
        self.rests()

    def rests(self) -> None:
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        expect(self.page.locator("[data-stale=true]")).to_have_count(0)

    def go_to(self, name: str) -> None:
        go_to(self.page, name)

    # ---------------------------------------------------------------- what comes and goes

    def upload_text(self) -> None:
        self.uploads += 1
        name = f"notes{self.uploads}.jpg"
        self.page.locator(".st-key-sidebar_upload input[type=file]").set_input_files(
            {"name": name, "mimeType": "image/jpeg", "buffer": b"This is not a picture."}
        )
        notice = self.page.locator(".st-key-notices")
        expect(notice.get_by_test_id("stAlert").filter(has_text=name)).to_be_visible()
        if self.random.random() < 0.5:
            notice.locator("summary").last.click()

    def leave_and_return(self) -> None:
        self.go_to("Start")
        expect(self.page.get_by_text("Choose an image")).to_be_visible()
        self.go_to(self.name)
        expect(self.page.get_by_text("Choose an image")).to_have_count(0)
        self.arrive()

    def choose_sample(self) -> None:
        self.image = self.random.choice([name for name in state.samples_for("digits") if name != self.image])
        self.sidebar.locator(f"[data-name={self.image}]").click()

    def reload(self) -> None:
        self.page.reload()
        self.arrive()

    @property
    def sidebar(self) -> Locator:
        return self.page.get_by_test_id("stSidebar").get_by_test_id("gallery")

    # ---------------------------------------------------------------- the walk

    def walk(self, steps: int, choose: Callable[[], None], check: Callable[[], None]) -> None:
        around = [self.upload_text, self.leave_and_return, self.choose_sample, self.reload]
        for step in range(steps):
            acts = [choose] if step % 2 == 0 else [self.random.choice(around)]
            if self.random.random() < 0.3:  # in a hurry: before the page has answered
                acts = [choose, self.random.choice([self.upload_text, self.choose_sample])]
            try:
                for act in acts:
                    self.done.append(act.__name__)
                    act()
                check()
                self.rests()
                check()
                expect(self.sidebar.locator("[aria-pressed=true]")).to_have_count(1)
                expect(self.sidebar.locator("[aria-pressed=true]")).to_have_attribute("data-name", self.image)
            except Exception as error:
                error.add_note(f"After {', '.join(self.done)}; the image should be {self.image}.")
                raise

    def link(self, name: str) -> str | None:
        return parse_qs(urlsplit(self.page.url).query).get(name, [None])[0]


def wait_for_link(reader: Reader, name: str, wanted: str | None) -> None:
    reader.page.wait_for_url(
        lambda url: parse_qs(urlsplit(url).query).get(name, [None])[0] == wanted, wait_until="commit"
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", PAGES)
def test_components_show_the_patch_that_the_page_follows(app, new_page, name, request):
    steps = 30 if request.config.getoption("--all") else 2
    reader = Reader(new_page(), app, name, sum(map(ord, name)))
    page, patch = reader.page, [SIDE // 2, SIDE // 2]

    def choose() -> None:
        patch[:] = (reader.random.randrange(SIDE) for _ in range(2))
        image = page.locator(PAGES[name][0]).get_by_test_id(IMAGE)
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        at = [(place + 0.5) * box[side] / SIDE for place, side in zip(patch, ("height", "width"), strict=True)]
        image.click(position={"x": at[1], "y": at[0]})
        page.mouse.move(2, 2)

    def check() -> None:
        row, column = patch
        for selector in PAGES[name]:
            shown = page.locator(selector)
            if "matrix" in selector:
                expect(shown).to_have_attribute("data-chosen", f"{1 + row * SIDE + column}")
            else:
                expect(shown).to_have_attribute("data-row", f"{row}")
                expect(shown).to_have_attribute("data-column", f"{column}")
        wait_for_link(reader, "query", f"{row + 1}-{column + 1}")

    reader.walk(steps, choose, check)


def test_the_board_shows_what_has_been_switched_off(app, new_page, request):
    steps = 30 if request.config.getoption("--all") else 8
    reader = Reader(new_page(), app, "Intervene", 3)
    page, off = reader.page, {}

    def cell(layer: int, head: int) -> Locator:
        return page.locator(f"[data-testid=board] button[data-layer='{layer}'][data-column='{head}']")

    def choose() -> None:
        place = reader.random.randrange(LAYERS), reader.random.randrange(HEADS)
        cell(*place).click()
        off.pop(place) if place in off else off.setdefault(place)

    def check() -> None:
        board = page.get_by_test_id("board")
        for layer, head in off:
            expect(cell(layer, head)).to_have_attribute("data-state", "zero")
        expect(board.locator("button[aria-pressed=true]")).to_have_count(len(off))
        expect(board.locator("button.waiting")).to_have_count(0)
        edits = ",".join(f"h{layer + 1}.{head + 1}z" for layer, head in off)
        wait_for_link(reader, "edits", edits or "none")

    reader.walk(steps, choose, check)


@pytest.mark.exhaustive
def test_a_tour_that_ends_leaves_the_explorer_where_it_is(app, new_page):
    page = new_page()
    page.goto(f"{app}/explore?{START}&layer=3&head=2&guide=tour-1")
    explorer, card = page.get_by_test_id("explorer"), page.get_by_test_id("tour")
    expect(card).to_be_visible()
    expect(explorer).to_have_attribute("data-layer", "2")
    explorer.get_by_role("button", name="Layer 2, head 4", exact=True).click()
    explorer.evaluate("root => { root.dataset.first = 'yes'; }")
    page.wait_for_url(re.compile("layer=2&head=4"))
    card.get_by_role("button", name="Leave the tour").click()
    expect(card).to_have_count(0)
    expect(explorer).to_have_attribute("data-first", "yes")
    expect(explorer).to_have_attribute("data-layer", "1")


@pytest.mark.exhaustive
def test_a_drawing_outlives_what_comes_and_goes_above_it(app, new_page):
    page = new_page()
    page.goto(f"{app}/explore?{START}")
    draw(page, DIGITS["7"])
    photo = page.locator("[data-ref=photo]")
    expect(photo).to_have_attribute("alt", "drawing")
    pad = "canvas.dc-canvas.lower-canvas:visible"
    before = page.locator(pad).evaluate("canvas => canvas.toDataURL()")
    page.get_by_test_id("stSidebar").get_by_text("Camera", exact=True).click()
    expect(page.get_by_test_id("stCameraInput")).to_be_visible()
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(photo).to_have_attribute("alt", "drawing")
    assert page.locator(pad).evaluate("canvas => canvas.toDataURL()") == before
