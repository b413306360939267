"""Layout in tests: measured in several fonts, and only once nothing moves any more."""

import base64
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Download, Locator, Page, TimeoutError, expect

from scripts.fonts import STATED, WIDE
from tests.support.exhaustive import exhaustive

PATIENCE = 240  # seconds that anything may take; nothing here depends on how fast the machine is
UNSETTLED = "[data-testid=stApp]:not([data-test-script-state=notRunning]), [data-stale=true]"
in_all_fonts = pytest.mark.parametrize("fonts", [STATED, WIDE], ids=["stated", "wide"], indirect=True)
# For what has the least room with these; the stated ones are narrower.
in_wide_fonts = pytest.mark.parametrize("fonts", [exhaustive(STATED), WIDE], ids=["stated", "wide"], indirect=True)
_COUNT_MESSAGES = """() => {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) { window.messagesSent += 1; return send.call(this, data); };
}"""
# For every page: whether the server has yet to answer the last message, with which it begins a run of the app.
NOTE_MESSAGES = """(() => {
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    window.isUnanswered = true;
    this.addEventListener("message", () => { window.isUnanswered = false; }, { once: true });
    return send.call(this, data);
  };
})()"""
# After a click or a key, Streamlit sends its message while the browser draws the next frame.
_IS_ANSWERED = """async () => {
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return !window.isUnanswered;
}"""
# Where an element is after each of some frames that the browser has drawn.
PLACES = """async (node) => {
  const frame = () => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 30)));
  const places = [];
  for (let i = 0; i < 4; i += 1) {
    await frame();
    const { x, y, width, height } = node.getBoundingClientRect();
    places.push([x, y, width, height].join(" "));
  }
  return places;
}"""


def settled(page: Page) -> None:
    """Wait until no run of the app is asked for or under way, and nothing is left over from an earlier one."""
    eventually(page, lambda: page.evaluate(_IS_ANSWERED))
    expect(page.locator(UNSETTLED)).to_have_count(0)


def box_at_rest(locator: Locator) -> dict[str, float]:
    """Box of an element at rest: what is written above it may still come or go."""
    for _ in range(PATIENCE * 8):
        places = locator.evaluate(PLACES)
        if len(set(places)) == 1:
            return dict(zip(("x", "y", "width", "height"), map(float, places[0].split()), strict=True))
    raise AssertionError(f"{locator} does not come to rest.")


# As text: a list of numbers would be handed over one by one.
_PIXELS = """(canvas, box) => {
  const [x, y, width, height] = box ?? [0, 0, canvas.width, canvas.height];
  const { data } = canvas.getContext("2d").getImageData(x, y, width, height);
  let text = "";
  for (let at = 0; at < data.length; at += 4096) text += String.fromCharCode(...data.subarray(at, at + 4096));
  return [height, width, btoa(text)];
}"""


def pixels_of(canvas: Locator, box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """Return what is painted on a canvas, or in a box of it (left, top, width, height): uint8 [height, width, RGBA]."""
    height, width, text = canvas.evaluate(_PIXELS, box)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


def assert_nothing_sticks_out(page: Page) -> None:
    """Check that everything on the page is at most as wide as the window, once charts and pictures have their size."""
    settled(page)
    main = page.get_by_test_id("stMain")
    box_at_rest(main.locator("> *").first)
    eventually(page, lambda: main.evaluate("box => box.scrollWidth <= box.clientWidth"))
    eventually(page, lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


# Each text that lies outside of what the parts around it let through, sideways; what scrolls is not cut.
CUT = """() => {
  const cut = [];
  const parent = (node) => node.assignedSlot ?? node.parentElement ?? node.getRootNode().host ?? null;
  const look = (root) => {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (text.shadowRoot) look(text.shadowRoot);
      if (text.nodeType !== Node.TEXT_NODE || !text.data.trim()) continue;
      const around = text.parentElement ?? root.host;
      if (!around.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      if (around.closest("style, script, svg, .katex-mathml, .katex, [data-testid=stSidebar]")) continue;
      const range = document.createRange();
      range.selectNodeContents(text);
      const boxes = [...range.getClientRects()].filter(({ width, height }) => width > 1 && height > 1);
      for (let node = around; node; node = parent(node)) {
        const { overflowX, textOverflow, position } = getComputedStyle(node);
        if (["auto", "scroll"].includes(overflowX) && node.scrollWidth > node.clientWidth) break;
        if (position === "fixed") break;
        if (overflowX === "visible" || textOverflow === "ellipsis") continue;
        const { left, right, width, height } = node.getBoundingClientRect();
        if (width < 2 || height < 2) break; // for screen readers only
        if (boxes.some((box) => box.left < left - 1.5 || box.right > right + 1.5)) {
          cut.push(`${text.data.trim().slice(0, 60)} (in ${node.tagName} ${node.className})`);
          break;
        }
      }
    }
  };
  look(document.querySelector("[data-testid=stApp]"));
  return cut;
}"""


def assert_no_text_is_cut(page: Page) -> None:
    """Check that what the page says can be read, or scrolled to; the sidebar's lists end with dots."""
    settled(page)
    box_at_rest(page.get_by_test_id("stMain").locator("> *").first)
    assert page.evaluate(CUT) == []


def assert_no_table_is_cut(page: Page, least: int = 1) -> None:
    """Open all that is closed, and check that each table is as wide as its contents, without a scroll bar.

    Args:
        page: the page.
        least: number of tables that the page has at least.
    """
    settled(page)
    page.evaluate(
        "document.querySelectorAll('[data-testid=stMain] details:not([open]) > summary').forEach((one) => one.click())"
    )
    settled(page)
    tables = page.locator(".vv-scroll")
    eventually(page, lambda: tables.locator("visible=true").count() >= least)
    box_at_rest(page.get_by_test_id("stMain").locator("> *").first)
    wide = tables.evaluate_all(
        "all => all.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.innerText.slice(0, 80))"
    )
    assert wide == [], wide


def eventually(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until this holds."""
    for _ in range(PATIENCE * 10):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"This never came to hold: {holds}.")


def downloaded(page: Page, button: str) -> Download:
    """Click a button until its file comes, as a visitor does.

    Of a button that is just being replaced, Streamlit says that its file is gone. And the answer to a click is lost if
    a run of the page begins just then: the button waits for minutes, and only a reload of the page helps.
    """
    came: list[Download] = []

    def take(download: Download) -> None:
        came.append(download)

    page.on("download", take)
    try:
        for _ in range(PATIENCE // 10):
            try:
                page.get_by_role("button", name=button).click(timeout=10_000)
            except TimeoutError:
                page.reload()
                expect(page.get_by_role("button", name=button)).to_be_enabled()
                settled(page)
                continue
            for _ in range(100):
                if came:
                    return came[0]
                if page.get_by_test_id("stDownloadButtonError").is_visible():
                    break
                page.wait_for_timeout(100)
        raise AssertionError(f"{button} never gave a file.")
    finally:
        page.remove_listener("download", take)


def go_to(page: Page, name: str) -> None:
    """Follow the link to a page at the top of all pages; a page may have one of that name itself."""
    page.get_by_test_id("stHeader").get_by_role("link", name=name, exact=True).click()


def choose(box: Locator, option: str, exact: bool = True) -> None:
    """Choose from a list, and open it as often as a page that scrolls closes it."""
    shown = box.page.get_by_role("option", name=option, exact=exact)
    for _ in range(PATIENCE // 5):
        if not shown.is_visible():
            box.click()
        try:
            return shown.click(timeout=5000)
        except TimeoutError:
            continue
    raise AssertionError(f"The list never showed {option}.")


def assert_asks_nobody(page: Page, act: Callable[[], None]) -> None:
    """Check that what a visitor does sends neither a request nor a message.

    What the page asks for by itself may come at any time, late on a busy machine. So one time of several without any
    question is enough: what asks, asks each time.
    """
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(_COUNT_MESSAGES)
    for _ in range(6):
        page.evaluate("window.messagesSent = 0")
        asked.clear()
        act()
        page.wait_for_timeout(500)  # to find what is sent only after a while; nothing fails that takes longer
        messages = page.evaluate("messagesSent")
        if not asked and not messages:
            return
    raise AssertionError(f"It sent {messages} messages and asked for {asked}.")
