"""The pages of explanations, as tests use them."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

IMAGE = "patch-picker-image"


def opener(app: str, new_page: Callable[..., Page], path: str, last_words: str, pickers: int) -> Callable[..., Page]:
    """What opens the page with query parameters, and waits until its last section and its pictures are there."""

    def open_page(parameters: str = "", **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/{path}?{parameters}")
        expect(page.get_by_text(last_words)).to_be_visible()
        expect(page.get_by_test_id(IMAGE)).to_have_count(pickers)
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        return page

    return open_page


def click_patch(page: Page, picker: int, row: int, column: int, rows: int = 16) -> None:
    image = page.get_by_test_id(IMAGE).nth(picker)
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    image.click(position={"x": (column + 0.5) * box["width"] / rows, "y": (row + 0.5) * box["height"] / rows})


def assert_nothing_sticks_out(page: Page) -> None:
    main = page.get_by_test_id("stMain")
    assert main.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
