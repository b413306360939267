"""The explorer's picture, enlarged, moved and in full screen; undo of pins; the help on keys."""

import pytest
from playwright.sync_api import expect

from tests.browser.layout import eventually
from tests.browser.test_phone import PHONE

LINK = "image=cat&layer=12&head=1"


def token_at(trace, row, column):
    return str(trace.prefix + row * trace.grid[1] + column)


def zoom_of(page):
    return float(page.data("zoom"))


def pinned(page, token):
    expect(page.root).to_have_attribute("data-pinned", "" if token is None else str(token))


def visible_part(page):
    """Return left, top, width and height of the visible part of the picture, as fractions of the picture."""
    stage, picture = page.image.bounding_box(), page.root.locator("[data-ref=picture]").bounding_box()
    return [(stage[start] - picture[start]) / picture[side] for start, side in (("x", "width"), ("y", "height"))] + [
        stage[side] / picture[side] for side in ("width", "height")
    ]


def point_in(page, grid, row, column):
    """Centre of a patch in the window, wherever the picture has been moved to."""
    box = page.root.locator("[data-ref=picture]").bounding_box()
    return box["x"] + box["width"] * (column + 0.5) / grid[1], box["y"] + box["height"] * (row + 0.5) / grid[0]


def test_the_wheel_enlarges_around_the_pointer_and_a_drag_moves(explore, cat):
    page = explore(LINK)
    columns = cat.grid[1]
    before = page.box(page.image)
    token = token_at(cat, 1, columns - 2)
    page.page.mouse.move(*page.point_of(1, columns - 2, cat.grid))
    expect(page.root).to_have_attribute("data-query", token)
    page.page.keyboard.down("Control")
    for _ in range(3):
        page.page.mouse.wheel(0, -200)
    page.page.keyboard.up("Control")
    eventually(page.page, lambda: zoom_of(page) > 2)
    assert page.box(page.image) == before, "the explorer moves"
    expect(page.root).to_have_attribute("data-query", token)

    page.page.mouse.click(*point_in(page, cat.grid, 1, columns - 2))
    pinned(page, token)
    frame, stage = page.root.locator(".box.query").bounding_box(), page.image.bounding_box()
    assert frame["width"] == pytest.approx(stage["width"] / columns * zoom_of(page), abs=2)
    left, _, wide, tall = visible_part(page)
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x + 60, y + 1, steps=4)
    page.page.mouse.up()
    pinned(page, token)  # the end of a drag is not a click
    moved = visible_part(page)
    assert moved[0] == pytest.approx(max(0, left - 60 / stage["width"] * wide), abs=0.01)
    assert moved[2:] == pytest.approx([wide, tall], abs=0.01)

    page.page.mouse.click(*point_in(page, cat.grid, 1, columns - 3))
    pinned(page, token_at(cat, 1, columns - 3))
    page.page.mouse.move(stage["x"] + 3, y)
    page.page.mouse.down()
    page.page.mouse.move(stage["x"] - 40, y)  # released outside, the picture does not hang on the pointer
    page.page.mouse.up()
    before = visible_part(page)
    page.page.mouse.move(x, y, steps=4)
    assert visible_part(page) == before
    page.image.focus()
    page.press("0")
    assert visible_part(page) == pytest.approx([0, 0, 1, 1])


def test_the_wheel_alone_scrolls_the_page(explore):
    page = explore(LINK)
    box = page.image.bounding_box()
    page.page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.page.mouse.wheel(0, 200)
    eventually(page.page, lambda: page.image.bounding_box()["y"] < box["y"] - 50)
    assert zoom_of(page) == 1


def test_keys_enlarge_the_pinned_patch_and_follow_it(explore, cat):
    page = explore(LINK)
    rows, columns = cat.grid
    page.click(cat, int(token_at(cat, rows - 1, columns - 1)))
    page.image.focus()
    page.press("+ + +")
    assert zoom_of(page) == pytest.approx(1.5**3, abs=0.01)
    assert visible_part(page)[0] > 0.5
    page.press(" ".join(["ArrowLeft"] * (columns - 1)))
    pinned(page, token_at(cat, rows - 1, 0))
    eventually(page.page, lambda: visible_part(page)[0] == pytest.approx(0, abs=0.01))
    page.root.get_by_role("button", name="Zoom out").click(click_count=3)
    assert visible_part(page) == pytest.approx([0, 0, 1, 1])
    expect(page.root.get_by_role("button", name="Zoom out")).to_be_disabled()


def test_two_fingers_enlarge_the_picture(explore, cat):
    page = explore(LINK, **PHONE)
    page.image.scroll_into_view_if_needed()
    box = page.box(page.image)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.page.context.new_cdp_session(page.page)

    def fingers(kind, apart):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}] if apart else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = page.data("pinned")
    fingers("touchStart", 30)
    for apart in (40, 50, 60):
        fingers("touchMove", apart)
    fingers("touchEnd", None)
    eventually(page.page, lambda: zoom_of(page) == pytest.approx(2, abs=0.1))
    assert page.page.evaluate("visualViewport.scale") == 1
    assert page.data("pinned") == before


def test_full_screen_and_back(explore):
    page = explore(LINK)
    page.image.focus()
    page.press("f")
    expect(page.root).to_have_class("explorer full")
    box = page.root.bounding_box()
    size = page.page.evaluate("[innerWidth, innerHeight]")
    assert [box["width"], box["height"]] == size
    stage = page.image.bounding_box()
    assert stage["y"] + stage["height"] < size[1]
    page.page.mouse.move(stage["x"] + 50, stage["y"] + 50)
    page.page.mouse.wheel(0, -300)
    eventually(page.page, lambda: zoom_of(page) > 1.5)
    page.root.get_by_role("button", name="Full screen").click()
    expect(page.root).to_have_class("explorer zoomed")


def test_pins_are_undone_and_done_again(explore, cat):
    page = explore(LINK)
    undo = page.root.get_by_role("button", name="Undo pin")
    expect(undo).to_be_disabled()
    first = page.data("pinned")
    one, other = (int(token_at(cat, *place)) for place in ((1, 1), (3, 4)))
    for token in (one, other):
        page.click(cat, token)
    page.page.mouse.move(0, 0)
    undo.click()
    pinned(page, one)
    undo.click()
    expect(page.root).to_have_attribute("data-pinned", first)
    expect(undo).to_be_disabled()
    page.press("Shift+U")  # although the button that had the focus is disabled
    pinned(page, one)
    page.press("Control+z")
    expect(page.root).to_have_attribute("data-pinned", first)
    page.press("Shift+U")
    page.press("Shift+U")
    pinned(page, other)
    eventually(page.page, lambda: "query=4-5" in page.page.url)  # the page and the link follow
    page.press("u")
    eventually(page.page, lambda: "query=2-2" in page.page.url)
    page.press("ArrowRight u")  # before the key's pin was sent
    pinned(page, one)


def test_the_help_opens_by_its_key_and_names_keys_that_work(explore):
    page = explore(LINK)
    page.image.focus()
    page.press("?")
    keys = page.root.locator(".keys")
    expect(keys).to_be_visible()
    box, window = page.root.locator(".card").bounding_box(), page.page.viewport_size
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= window["height"]
    page.press("?")
    expect(keys).to_be_hidden()
    page.press("?")
    page.press("Escape")
    expect(keys).to_be_hidden()
