"""Response times of the two lesson pages in Chromium."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from scripts.app_server import launched_browser, running_app

from .browser import LOAD_TIMEOUT, WINDOW
from .measure import Row, spread

ANSWERING = (Path(__file__).parent / "answering.js").read_text("utf-8")
REPEATS = 8
PATCHES = 16  # in a row
LIMIT = 300  # milliseconds


def click_patch(picker: str) -> Callable[[Page, int], None]:
    """Return a function that clicks one patch after another in an image."""

    def act(page: Page, turn: int) -> None:
        image = page.locator(f".st-key-{picker} [data-testid=patch-picker-image]")
        side = image.bounding_box()["width"] / PATCHES
        image.click(position={"x": (turn % PATCHES + 0.5) * side, "y": 4.5 * side})

    return act


def press(selector: str, keys: tuple[str, str] = ("ArrowRight", "ArrowLeft")) -> Callable[[Page, int], None]:
    """Return a function that moves a slider one step forwards or backwards in turn."""

    def act(page: Page, turn: int) -> None:
        page.locator(selector).press(keys[turn % 2])

    return act


INTERACTIONS = {  # page, action, and selector of the element that responds
    "choose a patch, image to sequence": ("sequence", click_patch("sequence_picture"), ".st-key-part_projection"),
    "choose a number of the token": ("sequence", press(".st-key-dimension input"), ".st-key-part_projection"),
    "choose a patch, attention": ("attention", click_patch("attention_picker"), ".st-key-part_values"),
    "choose a key": ("attention", click_patch("score_picker"), ".st-key-part_scores"),
    "temperature of the dictionary": (
        "attention",
        press(".st-key-dictionary_temperature input"),
        ".st-key-part_idea",
    ),
    "temperature of the softmax": (
        "attention",
        press(".st-key-what_if_temperature input"),
        ".st-key-part_softmax",
    ),
    "move through the layers": (
        "attention",
        press(".st-key-part_reach input"),
        ".st-key-part_reach",
    ),
}


def explain() -> Iterator[Row]:
    """Repeat each interaction and wait for its response."""
    with running_app() as url, launched_browser() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(LOAD_TIMEOUT)
        for address, interactions in itertools.groupby(INTERACTIONS.items(), key=lambda item: item[1][0]):
            page.goto(f"{url}/{address}?image=cat&size=224")
            page.wait_for_selector(f"{'.st-key-part_what_if' if address == 'sequence' else '.st-key-reach_used'}")
            if address == "attention":  # the slider appears after the prediction
                page.locator(".st-key-predict_temperature").get_by_role("radio").last.click()
                page.wait_for_selector(".st-key-what_if_temperature")
            for name, (_, act, watched) in interactions:
                yield row(name, answers(page, act, watched))


def answers(page: Page, act: Callable[[Page, int], None], watched: str) -> list[dict[str, float]]:
    """Return the response times of an interaction in milliseconds, without warm-up."""
    times = []
    for turn in range(REPEATS + 2):
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        page.wait_for_timeout(700)
        page.evaluate(ANSWERING, watched)
        act(page, turn)
        times.append(page.wait_for_function("() => window.answered", timeout=30_000).json_value())
    return times[2:]


def row(name: str, times: list[dict[str, float]]) -> Row:
    """Return the row of one interaction."""
    shown, done = (np.array([one[name] for one in times]) for name in ("shown", "done"))
    return Row(
        f"{name}: response",
        f"{np.median(shown) / 1e3:.2f} s",
        f"≤ {LIMIT / 1e3:.1f} s",
        bool(np.median(shown) <= LIMIT),
        f"{spread(shown, 'ms')}, longest {shown.max():.0f} ms, {len(shown)} times; the page's script had finished "
        f"after {spread(done, 'ms')}; measured with the page's clock",
    )
