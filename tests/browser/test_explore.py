"""The page "Explore" in a browser with a real model: its numbers are the library's."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import assert_asks_nobody, downloaded, go_to, pixels_of
from tests.support.exhaustive import exhaustive
from vitviz.notation.view import View
from vitviz.ui.app import state
from vitviz.viz.colour import colour_map, plotly_scale, tone


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A photograph that is not one of the samples."""
    mixed = Image.blend(
        *(Image.open(io.BytesIO(state.samples()[n])).resize((500, 380)) for n in ("flower", "coffee")), 0.3
    )
    buffer = io.BytesIO()
    ImageOps.mirror(mixed).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def uploaded(page: ExplorerPage, photo: bytes) -> ExplorerPage:
    before = page.page.locator("[data-ref=photo]").get_attribute("src")
    page.upload("holiday.jpg", photo)
    expect(page.page.locator("[data-ref=photo]")).to_have_attribute("alt", "holiday.jpg")
    assert page.page.locator("[data-ref=photo]").get_attribute("src") != before
    return page.ready()


def test_upload_a_photo_point_at_a_patch_and_read_the_truth(explore, model, photo):
    page = uploaded(explore(), photo)
    trace = model.trace(photo, size=224)
    for layer, head in ((11, 3), (0, 0), (6, "mean")):
        page.head(layer, head).click()
        for token in (1, 120, 137, 256):
            page.hover(trace, token)
            assert (page.shown.layer, page.shown.head) == (layer, None if head == "mean" else head)
            page.shows_what_the_library_says(trace)


@pytest.mark.exhaustive
def test_the_other_direction_shows_the_column(explore, cat):
    page = explore("image=cat&layer=9&head=2")
    page.page.get_by_role("radio", name="Attended to by").click()
    for token in (1, 85, 200):
        page.hover(cat, token)
        assert page.shown == View(8, 1, token, "to", "relative")
        page.shows_what_the_library_says(cat)
    received = View(8, 1, 200, "to").weights(cat).sum()
    expect(page.legend).to_contain_text(f"receives {received:.2f} × uniform")


@pytest.mark.exhaustive
def test_the_legend_prints_real_numbers(explore, cat):
    page = explore("image=cat&layer=10&head=3")
    page.hover(cat, 100)
    row = cat.attention(9, 2, 100)
    share, entropy = row[0], -(row * np.log2(row)).sum()
    said = re.match(r"([\d.]+)\s% to CLS · entropy ([\d.]+) of 8.0\sbit", page.legend.inner_text())
    assert abs(float(said[1]) / 100 - share) < 2e-3
    assert abs(float(said[2]) - entropy) < 0.06
    ends = page.root.locator(".bar")
    expect(ends).to_contain_text(re.compile(r"^\s*0\s*\d+(\.\d+)?\s%\s*$"))
    page.page.locator("[data-ref=scale]").select_option("raw")
    expect(ends).to_contain_text("100 %")
    page.page.locator("[data-ref=scale]").select_option("uniform")
    expect(ends).to_contain_text("1/32 ×")


@pytest.mark.parametrize(
    "scale",
    ["relative", exhaustive("raw"), exhaustive("uniform")],
)
def test_the_drawn_colours_are_those_of_the_library(explore, cat, scale):
    page = explore(f"image=cat&layer=10&head=3&scale={scale}&query=6-6")
    drawn = pixels_of(page.page.locator("canvas.heat"))[..., :3].astype(int)
    tones = tone(cat.heatmap(9, 2, cat.prefix + 5 * 16 + 5), scale, cat.token_count)
    wanted = colour_map(scale)[np.round(255 * tones).astype(int)].astype(int)
    assert np.abs(drawn - wanted).max() <= (12 if scale == "uniform" else 6)
    assert np.abs(drawn - wanted).mean() < 2, "browsers round the colours of transparent pixels"
    assert drawn.std() > 1, "not one flat colour"


def test_a_click_pins_and_the_panels_follow(explore, cat):
    page = explore("image=cat&layer=11&head=2")
    page.panels_show(cat, View(10, 1))
    page.click(cat, 150)
    page.panels_show(cat, View(10, 1, 150))
    matrix = np.array(page.chart("matrix")[0]["z"])
    np.testing.assert_allclose(matrix, 100 * cat.attention(10, 1), rtol=1e-5, atol=1e-6)
    scale = page.page.locator(".st-key-matrix .js-plotly-plot").evaluate("chart => chart._fullData[0].colorscale")
    assert [stop[1].replace(" ", "") for stop in scale] == [colour for _, colour in plotly_scale("relative")]
    page.page.mouse.move(5, 5)
    expect(page.root).to_have_attribute("data-query", "150")
    page.page.get_by_role("button", name="Pin the class token").click()
    page.panels_show(cat, View(10, 1, 0))
    page.head(4, 5).click()
    page.panels_show(cat, View(4, 5, 0))
    page.press("Escape")
    expect(page.root).to_have_attribute("data-pinned", "")


@pytest.mark.exhaustive
def test_distance_and_entropy_are_the_librarys(explore, cat):
    from vitviz.analysis.attention import head_statistics

    page, statistics = explore("image=cat"), head_statistics(cat)
    for key, wanted in (("distance", statistics.distance), ("entropy", statistics.entropy)):
        dots = np.concatenate([part["y"] for part in page.chart(key) if part["name"] in ("heads", "shown above")])
        np.testing.assert_allclose(np.sort(dots), np.sort(wanted.ravel()), rtol=1e-5)


def test_the_keyboard_alone_is_enough(explore, cat):
    page = explore("image=cat&layer=5&head=2&query=3-3")
    page.image.focus()
    page.press("ArrowRight ArrowDown ArrowDown")
    expect(page.root).to_have_attribute("data-query", str(cat.prefix + 4 * 16 + 3))
    page.press("] ] [ . . ,")
    expect(page.root).to_have_attribute("data-layer", "5")
    expect(page.root).to_have_attribute("data-head", "2")
    page.shows_what_the_library_says(cat)
    page.panels_show(cat, View(5, 2, cat.prefix + 4 * 16 + 3))
    page.press("Escape")
    expect(page.root).to_have_attribute("data-query", "0")
    page.head(5, 2).focus()
    page.press("ArrowDown ArrowLeft")
    expect(page.head(6, 1)).to_be_focused()
    expect(page.root).to_have_attribute("data-layer", "6")
    expect(page.head(6, 1)).to_have_attribute("aria-pressed", "true")


def test_reload_of_the_link_restores_the_view(explore, new_page, cat):
    page = explore("image=cat")
    page.head(7, 4).click()
    page.page.get_by_role("radio", name="Attended to by").click()
    page.page.locator("[data-ref=scale]").select_option("uniform")
    page.click(cat, 77)
    view = View(7, 4, 77, "to", "uniform")
    page.panels_show(cat, view)
    expect(page.page).to_have_url(re.compile("query=5-13"))
    link = page.page.evaluate("location.href")
    again = ExplorerPage(new_page()).open(link)
    assert again.shown == view
    again.shows_what_the_library_says(cat)
    assert again.page.evaluate("location.href") == link


@pytest.mark.exhaustive
def test_the_view_survives_a_visit_to_another_page(explore, cat):
    page = explore("image=cat&layer=3&head=mean&query=2-9")
    page.head(8, 0).click()
    page.panels_show(cat, View(8, 0, cat.prefix + 16 + 8))
    go_to(page.page, "Start")
    expect(page.page.get_by_text("Choose an image")).to_be_visible()
    go_to(page.page, "Explore")
    page.ready()
    assert page.shown == View(8, 0, cat.prefix + 16 + 8)


def test_hovering_sends_nothing_to_the_server(app, new_page, cat):
    page, sent = ExplorerPage(new_page()), []
    page.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.open(f"{app}/explore?image=cat&layer=12&head=1")

    def hover() -> None:
        for token in range(1, 257, 15):
            page.hover(cat, token)

    assert_asks_nobody(page.page, hover)
    sent.clear()
    page.click(cat, 20)
    page.panels_show(cat, View(11, 0, 20))
    assert sent, "a pin is told"


def test_everything_comes_from_this_machine(app, new_page):
    page, asked = new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app)
    expect(page.get_by_test_id("gallery").first).to_be_visible()
    ExplorerPage(page).open(f"{app}/explore")
    elsewhere = [url for url in asked if not url.startswith((app, app.replace("http", "ws"), "blob:", "data:"))]
    assert elsewhere == []


@pytest.mark.exhaustive
def test_pixels_change_where_they_should(explore, cat):
    page = explore("image=cat&layer=10&head=2&query=3-3")
    page.page.mouse.move(1360, 760)  # in the margin, where nothing reacts to it

    def shot() -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")).astype(int)

    def inside(box: dict, change: np.ndarray) -> np.ndarray:
        x, y, right, bottom = (
            round(v) for v in (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
        )
        part = change[y:bottom, x:right].copy()
        change[y:bottom, x:right] = False
        return part

    before = shot()
    assert np.abs(shot() - before).max() <= 2, "a page that is left alone stays as it is"
    page.hover(cat, 200)
    change = np.abs(shot() - before).max(axis=2) > 8
    for locator, least in (
        (page.image, 0.2),
        (page.overview, 0.05),
        (page.root.locator(".legend"), 0.0),
        (page.status, 0.0),
    ):
        assert inside(page.box(locator), change).mean() > least
    assert not change.any(), f"nothing else moves, but {np.argwhere(change)[:5]} to {np.argwhere(change)[-5:]} do"


@pytest.mark.exhaustive
def test_the_overlay_can_be_taken_off_and_smoothed(explore):
    page = explore("image=cat")
    heat = page.page.locator("canvas.heat")
    page.page.get_by_label("Overlay opacity").fill("0")
    expect(heat).to_have_css("opacity", "0")
    page.page.get_by_label("Smooth").check()
    expect(heat).to_have_css("image-rendering", "auto")


def test_downloads_hold_what_is_shown(explore, cat):
    page = explore("image=cat&layer=10&head=3&query=6-6")
    view = View(9, 2, cat.prefix + 5 * 16 + 5)
    with np.load(downloaded(page.page, "Numbers (NPZ)").path()) as saved:
        np.testing.assert_array_equal(saved["weights"], view.weights(cat))
        np.testing.assert_array_equal(saved["matrix"], cat.attention(9, 2))
        assert json.loads(str(saved["metadata"]))["token"] == "6-6"
    picture = downloaded(page.page, "Image (PNG)")
    assert picture.suggested_filename == "cat-L10-H3-6-6.png"
    image = Image.open(picture.path())
    assert image.text["Description"].startswith("Layer 10, head 3, patch (6, 6)")


def test_the_downloaded_explorer_opens_with_what_is_shown(explore, new_page, cat, tmp_path):
    def now(one):
        text = one.status.inner_text().replace("\u00a0", " ")  # the app does not break lines before units
        return one.data("query"), one.data("top-key"), one.data("top-weight"), text

    def seen(one):
        shown = [now(one)]
        for token in (17, 200):
            one.hover(cat, token)
            shown.append(now(one))
        return shown

    page = explore("image=cat&layer=10&head=3&query=6-6&scale=raw")
    view, wanted = page.shown, seen(page)
    file = downloaded(page.page, "Explorer (HTML)")
    assert file.suggested_filename == "cat-L10-H3-6-6.html"
    file.save_as(tmp_path / file.suggested_filename)  # Playwright's own path has no extension
    taken = ExplorerPage(new_page())
    taken.page.goto((tmp_path / file.suggested_filename).as_uri())
    expect(taken.root).to_have_attribute("data-query", str(view.query))
    assert taken.shown == view
    assert seen(taken) == wanted
    taken.shows_what_the_library_says(cat)


@pytest.mark.exhaustive
def test_two_visitors_at_once_see_their_own(explore, model):
    names = ("astronaut", "flower")
    traces = {name: model.trace(state.samples()[name]) for name in names}
    pages = {name: explore(f"image={name}&layer=8&head=2") for name in names}
    for token in (40, 90, 140):
        for name in names:
            pages[name].hover(traces[name], token)
            pages[name].shows_what_the_library_says(traces[name])


@pytest.mark.exhaustive
def test_padding_is_seen_and_a_wide_photo_keeps_its_shape(explore, model):
    trace = model.trace(state.samples()["pagoda"], size=224, fit="native")
    page = explore("image=pagoda&fit=native&layer=9&head=1")
    assert trace.grid == (13, 20)
    box = page.box(page.image)
    assert box["width"] / box["height"] == pytest.approx(20 / 13, rel=0.02)
    page.hover(trace, trace.prefix + 12 * 20 + 19)
    page.shows_what_the_library_says(trace)


@pytest.mark.exhaustive
def test_a_bad_file_is_refused_in_words(explore, cat):
    page = explore("image=cat")
    page.upload("evil.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 100)
    expect(page.page.get_by_test_id("stMain").get_by_test_id("stAlert")).to_contain_text("damaged")
    expect(page.page.get_by_text("Traceback")).to_have_count(0)
    page.hover(cat, 30)
    page.shows_what_the_library_says(cat)


def drawn_cell(page: ExplorerPage, trace, layer: int, head: int) -> np.ndarray:
    """Return the painted map of one head (the last is the mean), uint8 [rows, columns, 4]."""
    rows, columns = trace.grid
    gap = max(1, round(max(rows, columns) / 12))
    x, y = head * (columns + gap) + gap // 2, layer * (rows + gap) + gap // 2
    return pixels_of(page.page.locator("canvas[data-ref=overview]"), (x, y, columns, rows)).astype(int)


def painted(weights: np.ndarray, trace, scale: str) -> np.ndarray:
    tones = tone(weights[trace.prefix :], scale, trace.token_count)
    return colour_map(scale)[np.round(255 * tones).astype(int)].astype(int)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("direction", "scale"),
    [("from", "relative"), ("to", "relative"), ("from", "uniform")],
)
def test_every_small_map_is_its_own_head_while_hovering(explore, cat, direction, scale):
    page = explore(f"image=cat&layer=10&head=3&direction={direction}&scale={scale}")
    token = cat.prefix + 5 * 16 + 5
    page.hover(cat, token)
    for layer in (0, 4, 11):
        for head in (0, 3, 5, 6):
            view = View(layer, None if head == 6 else head, token, direction, scale)
            wanted = painted(view.weights(cat), cat, scale).reshape(16, 16, 3)
            off = np.abs(drawn_cell(page, cat, layer, head)[..., :3] - wanted)
            assert off.mean() < 1.5, (layer, head)


@pytest.mark.exhaustive
def test_brackets_typed_with_altgr_work(explore):
    page = explore("image=cat&layer=6&head=2")
    page.image.evaluate(
        """stage => stage.dispatchEvent(new KeyboardEvent("keydown",
             { key: "]", ctrlKey: true, altKey: true, modifierAltGraph: true, bubbles: true, composed: true }))"""
    )
    expect(page.root).to_have_attribute("data-layer", "6")


@pytest.mark.exhaustive
def test_a_second_click_lets_go(explore, cat):
    page = explore("image=cat")
    page.click(cat, 150)
    page.page.mouse.click(*page.point_of(*divmod(149, 16), cat.grid))
    expect(page.root).to_have_attribute("data-pinned", "")
