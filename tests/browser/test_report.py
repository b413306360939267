"""HTML report opened as a file in a browser: index, filter and sorting, without any request."""

import shutil

import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from tests.browser.test_accessibility import assert_accessible
from vitviz.cli.app import app
from vitviz.zoo import assets

DIGITS = assets() / "images" / "digits"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Report on five digits and an invalid image."""
    folder = tmp_path_factory.mktemp("report")
    for name in ("digit-8", "digit-4", "digit-0"):
        shutil.copy(DIGITS / f"{name}.png", folder / f"{name}.png")
        shutil.copy(DIGITS / f"{name}.png", folder / f"{name.replace('-', '-1')}.png")
    (folder / "broken.png").write_bytes(b"not an image")
    done = CliRunner().invoke(app, ["attention", str(folder), "-m", "digits", "-o", str(folder / "mine.html")])
    assert done.exit_code == 1
    return folder / "mine.html"


@pytest.fixture
def page(place, new_page):
    """Page with the report; it must not write to the console or request anything else."""
    page, said, asked = new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(place.as_uri())
    yield page
    assert not said
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert {url for url in asked if url.startswith("file:")} <= {page.url.partition("#")[0]}


def names(page: Page) -> list[str]:
    return page.locator("#images > li:not([hidden]) h2").all_text_contents()


def test_an_index_leads_to_each_image(page):
    links = page.get_by_role("navigation", name="Index").get_by_role("link")
    expect(links).to_have_count(7)
    everything = ["broken.png", *(f"digit-{i}.png" for i in (0, 4, 8, 10, 14, 18))]
    assert names(page) == everything, "in natural order"
    links.last.click()
    target = page.locator("#images > li:target")
    expect(target.locator("h2")).to_have_text("digit-18.png")
    expect(target).to_be_in_viewport()
    image = page.get_by_role("img").first
    assert image.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 320


def test_images_are_filtered(page):
    page.get_by_role("searchbox", name="Name").fill("DIGIT-1")
    expect(page.locator("#count")).to_have_text("3 of 7 images")
    assert names(page) == ["digit-10.png", "digit-14.png", "digit-18.png"]
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(3)
    page.get_by_role("combobox", name="Prediction").select_option("4")
    assert names(page) == ["digit-14.png"]
    page.get_by_role("searchbox", name="Name").fill("")
    assert names(page) == ["digit-4.png", "digit-14.png"]
    page.get_by_role("combobox", name="Prediction").select_option("any")
    page.locator("#measure").select_option("Confidence (%)")
    page.get_by_label("from").fill("101")
    expect(page.locator("#count")).to_have_text("0 of 7 images")
    page.get_by_label("from").fill("50")
    page.get_by_label("to", exact=True).fill("100")
    assert "broken.png" not in names(page), "what has no number is in no range"
    page.get_by_label("from").fill("")
    page.get_by_label("to", exact=True).fill("")
    page.get_by_label("problems only").check()
    assert names(page) == ["broken.png"]


def test_images_are_sorted(page):
    sort, down = page.get_by_label("Sort by"), page.get_by_role("button", name="descending")
    sort.select_option("Name")
    expect(down).to_have_attribute("aria-pressed", "false")
    ascending = names(page)
    assert ascending[1:3] == ["digit-0.png", "digit-4.png"]
    down.click()
    assert names(page) == ascending[::-1]
    for measure in ("Confidence (%)", "Strongest weight (%)"):
        sort.select_option(measure)
        expect(down).to_have_attribute("aria-pressed", "true")
        shown = page.evaluate(
            "name => [...document.querySelectorAll('#images > li')].map((li) => JSON.parse(li.dataset.values)[name])",
            measure,
        )
        assert shown[-1] is None, "what has no such number comes last"
        assert shown[:-1] == sorted(shown[:-1], reverse=True)
    sort.select_option("Prediction")
    assert names(page)[-3:] == ["digit-8.png", "digit-18.png", "broken.png"]


def test_a_page_that_was_not_finished_works(place, new_page):
    """Truncate a report after the third image, as if the process had been killed."""
    text = place.read_text("utf-8")
    half = place.with_name("half.html")
    half.write_text("\n".join(text.partition("<li id=")[0].splitlines() + text.splitlines()[-6:-4]), "utf-8")
    page = new_page()
    page.goto(half.as_uri())
    expect(page.locator("#count")).to_have_text("2 images")


def test_an_interruption_is_told_at_the_top(place, new_page):
    text = place.read_text("utf-8").replace("<footer>7 images.", '<footer class="interrupted">Interrupted: 7 of 9.')
    place.with_name("stopped.html").write_text(text, "utf-8")
    page = new_page()
    page.goto(place.with_name("stopped.html").as_uri())
    expect(page.get_by_role("banner")).to_contain_text("Interrupted: 7 of 9.")


def test_a_picture_opens_in_full(page):
    href = page.get_by_role("main").locator("#images a").first.get_attribute("href")
    assert page.evaluate("(href) => decodeURIComponent(new URL(href, location).pathname)", href).endswith(".jpg")


@pytest.mark.parametrize("width", [390, 1366, 1920])
def test_nothing_is_cut_off(place, new_page, width):
    page = new_page(viewport={"width": width, "height": 800})
    page.goto(place.as_uri())
    expect(page.locator("#count")).to_have_text("7 images")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    for control in page.locator("#controls").locator("input:visible, select:visible, button:visible").all():
        box = control.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    lines = """(values) => values.map((value) => {
        const range = document.createRange();
        range.selectNodeContents(value);
        return range.getClientRects().length;
    })"""
    assert set(page.locator("dd").evaluate_all(lines)) == {1}, "no number is broken apart"


def test_it_is_accessible(page):
    assert_accessible(page, on_app=False)
