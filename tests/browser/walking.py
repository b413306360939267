"""A visitor who does things at random, and what has to be seen after each of them.

The visitor knows what their session should be: which image, model, size, fit and view follow from what they did, by
the library's own rules. After each step the picture, the panels, the link and both downloads have to describe that.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import choose, downloaded, go_to, pixels_of
from tests.browser.sessions import FIRST, SIZES, Session, model, statistics
from vitviz.images import FITS
from vitviz.notation.view import DIRECTIONS, SCALES, View
from vitviz.trace.inputs import default_size
from vitviz.ui.app import models, state
from vitviz.viz import export
from vitviz.viz.colour import colour_map, tone

OTHER_PAGES = ("Start", "Lens", "Tokens")


class Visitor:
    """Does things at random on the Explore page.

    Args:
        page: the page.
        app: the app's address.
        seed: decides everything.
    """

    def __init__(self, page: ExplorerPage, app: str, seed: int):
        self.page, self.app, self.random = page, app, random.Random(seed)
        self.session, self.done = Session(), []
        self.uploads, self.mine = 0, {}
        self.page.open(f"{app}/explore?{urlencode(self.session.parameters())}")

    @property
    def inner(self):
        return self.page.page

    # ---------------------------------------------------------------- steps

    def step(self, steps: dict[Callable[[Visitor], str], int]) -> None:
        """Do one thing, some more often than others, and look at everything."""
        act = self.random.choices(list(steps), weights=list(steps.values()))[0]
        self.done.append(act.__name__)
        self.done[-1] = f"{act.__name__}: {act(self)}"
        self.sees_one_thing()

    def open(self, session: Session, **more: str) -> None:
        self.session = session
        self.inner.goto(f"{self.app}/explore?{urlencode({**session.parameters(), **more})}")

    def choose_head(self) -> str:
        self.has_the_explorer_in_sight()
        layer = self.random.randrange(self.session.trace.layers)
        head = self.random.choice([*range(self.session.trace.heads), None])
        self.page.head(layer, "mean" if head is None else head).click()
        return self.look(layer=layer, head=head)

    def look(self, **changes) -> str:
        self.session = replace(self.session, view=replace(self.session.view, **changes))
        return f"{changes}"

    def has_the_explorer_in_sight(self) -> None:
        """Downloads scroll the page down, and a notice lies over it until it is closed."""
        self.inner.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")
        if self.notices.first.is_visible():
            self.close_notices()

    def pin(self) -> str:
        self.has_the_explorer_in_sight()
        trace = self.session.trace
        token = self.random.randrange(trace.prefix, trace.token_count)
        self.inner.mouse.click(*self.page.point_of(*divmod(token - trace.prefix, trace.grid[1]), trace.grid))
        self.inner.mouse.move(5, 5)
        return self.look(query=None if token == self.session.view.query else token)

    def pin_class_token(self) -> str:
        self.inner.get_by_role("button", name="Pin the class token").click()
        return self.look(query=0)

    def let_go(self) -> str:
        self.page.image.focus()
        self.page.press("Escape")
        return self.look(query=None)

    def press_keys(self) -> str:
        """One layer on or back, one head on or back, as the explorer's help says."""
        view, trace = self.session.view, self.session.trace
        key = self.random.choice("[],.")
        self.page.image.focus()
        self.page.press(key)
        by = 1 if key in "]." else -1
        if key in "[]":
            return f"{key} {self.look(layer=(view.layer + by) % trace.layers)}"
        column = (trace.heads if view.head is None else view.head) + by
        column %= trace.heads + 1
        return f"{key} {self.look(head=None if column == trace.heads else column)}"

    def turn_round(self) -> str:
        direction = next(one for one in DIRECTIONS if one != self.session.view.direction)
        self.page.root.locator(f"[data-direction={direction}]").click()
        return self.look(direction=direction)

    def choose_scale(self) -> str:
        scale = self.random.choice([one for one in SCALES if one != self.session.view.scale])
        self.page.root.locator("[data-ref=scale]").select_option(scale)
        return self.look(scale=scale)

    def choose_sample(self) -> str:
        names = [name for name in state.samples_for(self.session.model) if name != self.session.image]
        name = self.random.choice(names)
        self.sidebar.get_by_test_id("gallery").locator(f"[data-name={name}]").click()
        self.session = self.session.looking_at(image=name, own=None)
        return name

    @property
    def sidebar(self) -> Locator:
        return self.inner.get_by_test_id("stSidebar")

    def choose(self, label: str, option: str) -> None:
        choose(self.sidebar.get_by_role("combobox", name=re.compile(f"^{label}")), option)

    def choose_model(self) -> str:
        other = next(name for name in SIZES if name != self.session.model)
        choose(self.sidebar.get_by_role("combobox").first, models.title(other), exact=False)
        kept = self.session.own is not None
        size, fit = default_size(model(other).config), models.describe(other).preprocessing.fit
        image = {} if kept else {"image": FIRST[other]}
        self.session = self.session.looking_at(model=other, size=size, fit=fit, **image)
        return other

    def choose_size(self) -> str:
        sizes = SIZES[self.session.model]
        size = next((size for size in sizes if size != self.session.size), sizes[0])
        if size != self.session.size:
            self.choose("Input size", f"{size} px")
            self.session = self.session.looking_at(size=size)
        return f"{size}"

    def choose_fit(self) -> str:
        fit = self.random.choice([one for one in FITS if one != self.session.fit])
        self.choose("Fit", fit.capitalize())
        self.session = self.session.looking_at(fit=fit)
        return fit

    def upload_text(self) -> str:
        self.uploads += 1
        self.page.upload(f"notes{self.uploads}.jpg", b"This is not a picture.")
        expect(self.notices.filter(has_text=f"notes{self.uploads}")).to_be_visible()
        return "refused"

    def upload_photo(self) -> str:
        self.uploads += 1
        photo, name = picture(self.uploads, self.random), f"mine-{self.uploads}.png"
        self.page.upload(name, photo, "image/png")
        self.mine = {"image": name, "own": photo}
        self.session = self.session.looking_at(**self.mine)
        return name

    def choose_own(self) -> str:
        if not self.mine:
            return "there is none"
        self.sidebar.get_by_test_id("gallery").locator(f"[data-name={state.OWN}]").click()
        self.session = self.session.looking_at(**self.mine)
        return self.mine["image"]

    @property
    def notices(self) -> Locator:
        return self.inner.locator(".st-key-notices").get_by_test_id("stAlert")

    def close_notices(self) -> str:
        if not self.notices.first.is_visible():
            return "there are none"
        self.inner.locator(".st-key-notices summary").last.click()
        expect(self.notices).to_be_hidden()
        return "closed"

    def open_link_with_notice(self) -> str:
        view = View(
            self.random.randrange(6), self.random.randrange(4), None, self.random.choice(DIRECTIONS), "relative"
        )
        name = self.random.choice(list(SIZES))
        image = self.random.choice(list(state.samples_for(name)))
        size, fit = SIZES[name][0], models.describe(name).preprocessing.fit
        self.open(Session(name, image, None, size, fit, view), layr="x")
        expect(self.notices.filter(has_text="layr")).to_be_visible()
        return f"{self.session}"

    def reload(self) -> str:
        self.inner.reload()
        self.session = self.session.reopened()
        return f"{self.session}"

    def leave_and_return(self) -> str:
        name = self.random.choice(OTHER_PAGES)
        self.go_to(name)
        expect(self.inner.get_by_test_id("explorer")).to_have_count(0)
        self.go_to("Explore")
        return name

    def go_to(self, name: str) -> None:
        go_to(self.inner, name)

    def click_on_the_board(self) -> str:
        """On another page, which leads the view elsewhere."""
        layer, head = self.random.randrange(self.session.trace.layers), self.random.randrange(self.session.trace.heads)
        self.go_to("Intervene")
        cell = self.inner.locator(f"[data-testid=board] button[data-layer='{layer}'][data-column='{head}']")
        cell.click()
        expect(cell).to_have_class(re.compile("looked"))
        self.go_to("Explore")
        return self.look(layer=layer, head=head)

    def hurry(self) -> str:
        """Two things at once: the second is done while the first is on its way."""
        first = self.random.choice([Visitor.choose_head, Visitor.pin, Visitor.turn_round, Visitor.choose_scale])
        second = self.random.choice(
            [
                Visitor.choose_sample,
                Visitor.choose_model,
                Visitor.upload_photo,
                Visitor.choose_head,
                Visitor.upload_text,
            ]
        )
        return "; ".join(f"{act.__name__} {act(self)}" for act in (first, second))

    # ---------------------------------------------------------------- what has to be seen

    def sees_one_thing(self) -> None:
        """Picture, panels, link, PNG and NPZ describe the same, which is what was done."""
        self.link_is_right()
        self.picture_is_right()
        self.page.at_rest()
        self.link_is_right()  # nothing has come later
        self.picture_is_right()
        self.colours_are_right()
        self.panels_are_right()
        self.downloads_are_right()

    def link_is_right(self) -> None:
        wanted = self.session.parameters()

        def is_wanted(url: str) -> bool:
            return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()} == wanted

        try:
            self.inner.wait_for_url(is_wanted, wait_until="commit")
        except Exception as error:
            error.add_note(f"The link is {self.inner.url}, and should have {wanted}.")
            raise

    def picture_is_right(self) -> None:
        view, trace, root = self.session.view, self.session.trace, self.page.root
        expect(root).to_have_count(1)
        expect(self.inner.locator("[data-ref=photo]")).to_have_attribute("alt", self.session.image)
        data = {
            "layer": f"{view.layer}",
            "head": "mean" if view.head is None else f"{view.head}",
            "pinned": "" if view.query is None else f"{view.query}",
            "query": f"{view.token(trace)}",
            "direction": view.direction,
            "scale": view.scale,
        }
        for name, value in data.items():
            expect(root).to_have_attribute(f"data-{name}", value)

    def colours_are_right(self) -> None:
        view, trace = self.session.view, self.session.trace
        self.page.shows_what_the_library_says(trace, 4e-3)
        drawn = pixels_of(self.inner.locator("canvas.heat"))
        assert drawn.shape[:2] == trace.grid
        tones = tone(view.weights(trace)[trace.prefix :], view.scale, trace.token_count)
        wanted = colour_map(view.scale)[np.round(255 * tones).astype(int)].astype(int)
        off = np.abs(drawn[..., :3].reshape(-1, 3) - wanted)
        assert off.mean() < 3, "the picture is that of the view"

    def panels_are_right(self) -> None:
        view, trace, page = self.session.view, self.session.trace, self.page
        page.panels_show(trace, view)
        expect(page.panel(f"Attention matrix: {view.head_label(trace)}")).to_have_count(1)
        row = self.inner.locator(".st-key-matrix .js-plotly-plot").evaluate(
            "(chart, row) => Array.from(chart._fullData[0].z[row])", view.token(trace)
        )
        np.testing.assert_allclose(row, 100 * view.matrix(trace)[view.token(trace)], rtol=1e-4, atol=1e-5)
        (shown,) = [part for part in page.chart("distance") if part["name"] == "shown above"]
        heads = slice(None) if view.head is None else slice(view.head, view.head + 1)
        np.testing.assert_allclose(shown["y"], statistics(self.session.key).distance[view.layer, heads], rtol=1e-5)
        assert set(shown["x"]) == {view.layer + 1}

    def downloads_are_right(self) -> None:
        view, trace, about = self.session.view, self.session.trace, self.session.about()
        name = export.file_stem(view, about)
        picture_name, picture_file = self.download("Image (PNG)")
        assert picture_name == f"{name}.png"
        with Image.open(io.BytesIO(picture_file)) as image:
            assert image.text["Description"] == export.caption(trace, view, about)
        numbers_name, numbers_file = self.download("Numbers (NPZ)")
        assert numbers_name == f"{name}.npz"
        with np.load(io.BytesIO(numbers_file)) as saved:
            assert json.loads(str(saved["metadata"])) == about
            np.testing.assert_allclose(saved["weights"], view.weights(trace), rtol=1e-4, atol=1e-6)

    def download(self, button: str) -> tuple[str, bytes]:
        download = downloaded(self.inner, button)
        return download.suggested_filename, download.path().read_bytes()


def picture(number: int, chance: random.Random) -> bytes:
    """A picture that nobody has seen before: broad, so that fits differ."""
    colours = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(2)]
    image = Image.new("RGB", (90, 60), colours[0])
    image.paste(colours[1], (10 + 5 * (number % 8), 10, 60, 50))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


# How often each thing is done: what takes long is done less often.
STEPS = {
    Visitor.choose_head: 5,
    Visitor.pin: 4,
    Visitor.pin_class_token: 1,
    Visitor.let_go: 2,
    Visitor.press_keys: 3,
    Visitor.turn_round: 2,
    Visitor.choose_scale: 2,
    Visitor.choose_sample: 3,
    Visitor.choose_model: 4,
    Visitor.choose_size: 1,
    Visitor.choose_fit: 2,
    Visitor.upload_text: 4,
    Visitor.upload_photo: 2,
    Visitor.choose_own: 2,
    Visitor.close_notices: 1,
    Visitor.open_link_with_notice: 1,
    Visitor.reload: 2,
    Visitor.leave_and_return: 2,
    Visitor.click_on_the_board: 1,
    Visitor.hurry: 6,
}
