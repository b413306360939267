"""The pages of explanations, as tests use them."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.layout import box_at_rest, eventually, settled

IMAGE = "patch-picker-image"


def opener(app: str, new_page: Callable[..., Page], path: str, last: str, pickers: int) -> Callable[..., Page]:
    """Function that opens a page with query parameters and waits until its images and the element `last` are there."""

    def open_page(parameters: str = "", **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/{path}?{parameters}")
        expect(page.locator(last)).to_be_visible()
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


def expect_numbers(text: Locator, *numbers: int) -> None:
    """Wait until a text has exactly these whole numbers in this order; what is between them is free."""
    expect(text).to_have_text(re.compile(r"^\D*" + r"\D+".join(map(str, numbers)) + r"\D*$"))


def expect_chosen_patch(page: Page, row: int, column: int, side: int = 16) -> None:
    """Wait until "Image to sequence" follows a patch of a square picture, by row and column from 1."""
    text = page.locator(".st-key-part_splitting").get_by_test_id("stMarkdownContainer").last
    expect_numbers(text, side, side, (row - 1) * side + column, row, column)


def expect_scored(page: Page, query: tuple[int, int], key: tuple[int, int] | None = None) -> None:
    """Wait until "Attention" multiplies the query of a patch with a key, of any token if None."""
    one, other = (r"\({},\s{}\)".format(*patch) if patch else "" for patch in (query, key))
    named = re.compile(rf"^\D*{one}\D*{other}" + (r"\D*$" if key else ""))
    expect(page.locator(".st-key-part_scores p").filter(has_text=named)).to_be_visible()


def at_patch(row: int, column: int, value: str = "") -> re.Pattern[str]:
    """Pattern of a status line that ends with a patch, by row and column from 1, and its value."""
    return re.compile(rf"\b{row}\D+{column}" + (value and r":\s" + r"\s".join(map(re.escape, value.split()))))


def expect_number(shown: Locator, name: str, wanted: float, within: float = 1e-5) -> None:
    """Wait until the attribute `data-name` is the number wanted; the threads of two processes add differently."""
    eventually(shown.page, lambda: abs(float(shown.get_attribute(f"data-{name}") or "nan") - wanted) < within)
