"""The pages of explanations in a real Chromium: how soon they answer what a visitor does."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from scripts.app_server import launched_browser, running_app

from .browser import LOADED_WITHIN, WINDOW
from .measure import Row, spread

ANSWERING = (Path(__file__).parent / "answering.js").read_text("utf-8")
TIMES = 8
PATCHES = 16  # in a row
LIMIT = 300  # milliseconds


def click_patch(picker: str) -> Callable[[Page, int], None]:
    """What clicks one patch after the other in a picture."""

    def act(page: Page, turn: int) -> None:
        image = page.locator(f".st-key-{picker} [data-testid=patch-picker-image]")
        side = image.bounding_box()["width"] / PATCHES
        image.click(position={"x": (turn % PATCHES + 0.5) * side, "y": 4.5 * side})

    return act


def press(selector: str, keys: tuple[str, str] = ("ArrowRight", "ArrowLeft")) -> Callable[[Page, int], None]:
    """What moves a slider by one step, to and fro."""

    def act(page: Page, turn: int) -> None:
        page.locator(selector).press(keys[turn % 2])

    return act


INTERACTIONS = {  # page, what is done, and the element that answers
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
        press(".st-key-part_reach input", ("ArrowLeft", "ArrowRight")),
        ".st-key-part_reach",
    ),
}


def explain() -> Iterator[Row]:
    """Do each thing some times, and wait for what follows from it."""
    with running_app() as url, launched_browser() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(LOADED_WITHIN)
        for address, interactions in itertools.groupby(INTERACTIONS.items(), key=lambda item: item[1][0]):
            page.goto(f"{url}/{address}?image=cat&size=224")
            page.wait_for_selector(f"{'.st-key-part_what_if' if address == 'sequence' else '.st-key-reach'}")
            for what, (_, act, watched) in interactions:
                yield row(what, answers(page, act, watched))


def answers(page: Page, act: Callable[[Page, int], None], watched: str) -> list[dict[str, float]]:
    """What the page's clock says of each time, milliseconds; the first ones, which warm up, are left out."""
    found = []
    for turn in range(TIMES + 2):
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        page.wait_for_timeout(700)
        page.evaluate(ANSWERING, watched)
        act(page, turn)
        found.append(page.wait_for_function("() => window.answered", timeout=30_000).json_value())
    return found[2:]


def row(what: str, found: list[dict[str, float]]) -> Row:
    """The row of one interaction."""
    shown, done = (np.array([one[name] for one in found]) for name in ("shown", "done"))
    return Row(
        f"{what}: to the answer",
        f"{np.median(shown) / 1e3:.2f} s",
        f"≤ {LIMIT / 1e3:.1f} s",
        bool(np.median(shown) <= LIMIT),
        f"{spread(shown, 'ms')}, longest {shown.max():.0f} ms, {len(shown)} times; the page's script had run to its "
        f"end after {spread(done, 'ms')}; on the page's own clock",
    )
