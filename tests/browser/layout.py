"""How tests look at the layout: in several fonts, and only once nothing moves any more."""

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from scripts.fonts import STATED, WIDE

PATIENCE = 240  # seconds that anything may take; nothing here depends on how fast the machine is
UNSETTLED = "[data-testid=stApp]:not([data-test-script-state=notRunning]), [data-stale=true]"
in_all_fonts = pytest.mark.parametrize("fonts", [STATED, WIDE], ids=["stated", "wide"], indirect=True)
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
    """Wait until no run of the app is under way and nothing is left over from an earlier one."""
    expect(page.locator(UNSETTLED)).to_have_count(0)


def box_at_rest(locator: Locator) -> dict[str, float]:
    """Where an element is, once it stays there: what is written above it may still come or go."""
    for _ in range(PATIENCE * 8):
        places = locator.evaluate(PLACES)
        if len(set(places)) == 1:
            return dict(zip(("x", "y", "width", "height"), map(float, places[0].split()), strict=True))
    raise AssertionError(f"{locator} does not come to rest.")


def assert_nothing_sticks_out(page: Page) -> None:
    """All that the page shows is as wide as the window, or less."""
    settled(page)
    main = page.get_by_test_id("stMain")
    box_at_rest(main.locator("> *").first)
    assert main.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def questions(page: Page) -> list[str]:
    """A list that grows with each address that the page asks for from now on, but for parts of it that come late."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.resource_type not in ("font", "script", "stylesheet"):
            asked.append(request.url)

    page.on("request", note)
    return asked
