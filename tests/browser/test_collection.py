"""The page "Collection" in a browser: from the map and the confusion matrix to the image on Explore."""

import re
from itertools import count

import numpy as np
import pytest
from playwright.sync_api import expect

from benchmarks.synthetic_scan import write_scan
from scripts.app_server import running_app
from tests.browser.layout import assert_nothing_sticks_out, box_at_rest, eventually, settled
from tests.browser.test_layout import PHONE
from vitviz.analysis.scan.queries import answers
from vitviz.analysis.scan.queries.scan_run import open_run
from vitviz.ui.app import state
from vitviz.ui.pages.collection.image_list import thumbnail as thumbnail_of
from vitviz.viz.inline import data_url

COUNT = 120
CHART = ".js-plotly-plot"
# positions of the images of a chart's points, and where the points are in the window; of those that can be pointed at
POINTS = """(selector) => {
  const chart = document.querySelector(selector);
  const { left, top } = chart.getBoundingClientRect();
  const { xaxis, yaxis } = chart._fullLayout;
  return chart._fullData.flatMap(({ x, y, customdata }) => [...x].map((value, at) => [
    customdata[at], left + xaxis._offset + xaxis.l2p(value), top + yaxis._offset + yaxis.l2p(y[at]),
  ])).filter(([, x, y]) => document.elementFromPoint(x, y)?.matches(".nsewdrag"));
}"""


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A scan of the sample digits, twice with labels "a" and "b"."""
    folder = tmp_path_factory.mktemp("collection")
    source = folder / "source"
    source.mkdir()
    images = {f"{name}.png": data for name, data in state.samples().items() if name.startswith("digit-")}
    for name, data in images.items():
        (source / name).write_bytes(data)
    size = {"settings.size": [32, 32], "settings.fit": "crop"}
    return write_scan(
        folder / "runs" / "digits",
        COUNT,
        layers=6,
        heads=4,
        dimension=8,
        classes=("a", "b"),
        images=images,
        source=source,
        described=size,
    )


@pytest.fixture(scope="module")
def collection_app(scan, tmp_path_factory):
    environment = {"VITVIZ_RUNS": str(scan.parent), "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    with running_app(environment=environment) as url:
        yield url


@pytest.fixture
def collection(collection_app, new_page):
    """Open the page with query parameters, and wait for its chart."""

    def open_page(parameters="", **options):
        page = new_page(**options)
        page.goto(f"{collection_app}/collection?{parameters}")
        expect(page.locator(CHART)).to_be_visible()
        settled(page)
        return page

    return open_page


def count_of(page):
    """Return the number of images that the list says it has."""
    text = page.get_by_text(re.compile(r"^[0-9,]+ images?\b.*Accuracy")).first.inner_text()
    return int(text.split()[0].replace(",", ""))


def most_isolated(points):
    """Sort points by the distance to their nearest neighbour, the largest first."""
    places = np.array([place for _, *place in points])
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return [points[at] for at in np.argsort(-distances.min(axis=1))]


def test_from_the_map_to_explore_and_a_reload(collection, scan):
    page = collection()
    assert count_of(page) == COUNT
    box = box_at_rest(page.locator(f"{CHART} .nsewdrag").first)
    left, top, right, down = 0.02, 0.02, 0.5, 0.98
    corners = [(left, top), (right, top), (right, down), (left, down), (left, top)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    eventually(page, lambda: count_of(page) < COUNT)
    settled(page)
    gallery = page.locator(".st-key-collection_images")
    gallery.get_by_role("button").or_(gallery.get_by_role("radio")).first.click()
    expect(page.get_by_test_id("scanned-image")).to_be_visible()
    settled(page)
    position = int(re.search(r"position=(\d+)", page.url)[1])
    (row,) = answers.images(open_run(scan), [position], "path")
    page.locator(".st-key-collection_open").get_by_role("button", name="Explore").click()
    explorer = page.get_by_test_id("explorer")
    expect(explorer).to_be_visible()
    settled(page)
    assert f"image=scan-{position}-digits" in page.url
    assert "model=digits" in page.url
    for _ in range(2):
        expect(page.get_by_test_id("stSidebar")).to_contain_text(f"{row['path']}, image {position} of the scan digits")
        expect(page.get_by_test_id("explorer-status")).to_contain_text("Layer")
        page.reload()
        expect(explorer).to_be_visible()
        settled(page)


def test_a_thumbnail_is_beside_the_pointer_while_it_is_on_a_point(collection, scan):
    page = collection()
    page.locator(CHART).scroll_into_view_if_needed()
    box_at_rest(page.locator(f"{CHART} .nsewdrag").first)
    points = most_isolated(page.evaluate(POINTS, CHART))
    assert len(points) > 3
    for position, x, y in points[:3]:
        (row,) = answers.images(open_run(scan), [position], "thumbnail")
        picture = data_url(thumbnail_of(row["thumbnail"]))

        tries = count()

        def is_shown(x=x, y=y, picture=picture, tries=tries) -> bool:
            if next(tries) % 20 == 0:  # again and again, because a chart that has just been redrawn awaits a movement
                page.mouse.move(5, 5)
                page.mouse.move(x, y)
            thumbnail = page.get_by_test_id("hover-thumbnail")
            return thumbnail.is_visible() and thumbnail.get_attribute("src") == picture

        eventually(page, is_shown)
    page.mouse.move(5, 5)
    expect(page.get_by_test_id("hover-thumbnail")).to_be_hidden()


def test_a_cell_of_the_confusion_matrix(collection, scan):
    page = collection("section=Confusion")
    wrong = answers.confusion(open_run(scan), None, answers.Filter()).counts[0, 1]
    cell = page.locator(f"{CHART} .scatterlayer .point").nth(1)
    box = box_at_rest(cell)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    eventually(page, lambda: count_of(page) == wrong)
    expect(page.locator(".st-key-collection_images")).to_contain_text("a → b")
    page.get_by_role("button", name="Clear filter").click()
    eventually(page, lambda: count_of(page) == COUNT)


def test_a_head_of_the_board(collection):
    page = collection("section=Heads")
    box = box_at_rest(page.locator(f"{CHART} .scatterlayer .point").nth(4 * 2 + 3))
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_text("Layer 3, head 4")).to_be_visible()


def test_neighbours_and_why_they_are_alike(collection):
    page = collection("position=1")
    gallery = page.locator(".st-key-collection_nearest")
    expect(gallery).to_contain_text("cosine")
    gallery.get_by_role("button").or_(gallery.get_by_role("radio")).first.click()
    expect(page.get_by_test_id("alike")).to_have_count(2)
    settled(page)


@pytest.mark.parametrize("section", ["Map", "Confusion", "Heads"])
def test_nothing_is_wider_than_a_phone(section, collection):
    assert_nothing_sticks_out(collection(f"section={section}&position=1", viewport=PHONE))


def test_the_page_is_absent_without_scans(app, new_page):
    page = new_page()
    page.goto(app)
    header = page.get_by_test_id("stHeader")
    expect(header.get_by_role("link", name="Explore")).to_be_visible()
    expect(header.get_by_role("link", name="Collection")).to_have_count(0)
