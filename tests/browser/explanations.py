"""The pages of explanations, as tests use them."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.layout import box_at_rest, eventually, settled

IMAGE = "patch-picker-image"


def opener(app: str, new_page: Callable[..., Page], path: str, last_words: str, pickers: int) -> Callable[..., Page]:
    """Function that opens the page with query parameters and waits until its last section and images are there."""

    def open_page(parameters: str = "", **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/{path}?{parameters}")
        expect(page.get_by_text(last_words)).to_be_visible()
        expect(page.get_by_test_id(IMAGE)).to_have_count(pickers)
        settled(page)
        return page

    return open_page


def click_patch(page: Page, picker: int, row: int, column: int, rows: int = 16) -> None:
    """Click on the middle of a patch of a square picture, once the picture stays where it is."""
    settled(page)
    image = page.get_by_test_id(IMAGE).nth(picker)
    image.scroll_into_view_if_needed()
    box = box_at_rest(image)
    image.click(position={"x": (column + 0.5) * box["width"] / rows, "y": (row + 0.5) * box["height"] / rows})


def expect_number(shown: Locator, name: str, wanted: float, within: float = 1e-5) -> None:
    """Wait until the attribute `data-name` is the number wanted; the threads of two processes add differently."""
    eventually(shown.page, lambda: abs(float(shown.get_attribute(f"data-{name}") or "nan") - wanted) < within)
