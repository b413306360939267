"""The pages of explanations, as tests use them."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

IMAGE = "patch-picker-image"
PATIENCE = 60  # seconds


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
    """Click on the middle of a patch of a square picture, once the picture stays where it is."""
    image = page.get_by_test_id(IMAGE).nth(picker)
    image.scroll_into_view_if_needed()
    box = _size_at_rest(image)
    image.click(position={"x": (column + 0.5) * box["width"] / rows, "y": (row + 0.5) * box["height"] / rows})


def _size_at_rest(image: Locator) -> dict[str, float]:
    """The box of a picture once it stays as large as it is; a page that has just come may still be laid out."""
    before, now = None, image.bounding_box()
    while before is None or (before["width"], before["height"]) != (now["width"], now["height"]):
        image.page.wait_for_timeout(100)
        before, now = now, image.bounding_box()
    return now


def expect_number(shown: Locator, name: str, wanted: float, within: float = 1e-5) -> None:
    """Wait until the attribute `data-name` is the number wanted; the threads of two processes add differently."""
    for _ in range(PATIENCE * 10):
        if abs(float(shown.get_attribute(f"data-{name}") or "nan") - wanted) < within:
            return
        shown.page.wait_for_timeout(100)
    raise AssertionError(f"data-{name} is {shown.get_attribute(f'data-{name}')}, not {wanted}.")


def assert_nothing_sticks_out(page: Page) -> None:
    main = page.get_by_test_id("stMain")
    assert main.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
