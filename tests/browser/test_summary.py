"""The summary in a browser: the button gives a file that opens anywhere and prints on one sheet."""

import re

import pytest
import torch
from playwright.sync_api import Page, expect

from tests.browser.layout import downloaded, in_wide_fonts, settled
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive
from tests.support.explained_traces import explained
from tests.support.handouts import run_of
from vitviz.ui.pages.lesson.handout import handout

A4 = {"width": 718, "height": 1047}  # 190 x 277 mm in CSS pixels: a sheet less its margins
ASSUMED = (  # of a plain state dict
    "The number of attention heads cannot be derived from the weights: 12 are assumed, as usual for embed_dim 768; if "
    "this is wrong, all attention maps are wrong, so pass num_heads=.",
    "Not stated in the file and assumed, as usual: GELU as activation, the class token as output, a square grid.",
    "Preprocessing assumed: ImageNet (mean 0.485 0.456 0.406, std 0.229 0.224 0.225, bicubic, crop_pct 1, crop); if "
    "training differed, pass mean=, std=, interpolation=, crop_pct= or fit=.",
)
LETTER_BOTTOM = 259 / 25.4 * 96  # where a US Letter sheet with the same margins ends


def sheets(page: Page) -> int:
    """Number of sheets that the page prints on; its own @page says that they are A4."""
    return len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True, print_background=True)))


def height(page: Page) -> float:
    page.emulate_media(media="print")
    return page.evaluate("document.body.getBoundingClientRect().bottom")


def assert_fits(page: Page) -> None:
    assert sheets(page) == 1
    assert height(page) <= LETTER_BOTTOM
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.exhaustive
def test_a_second_sheet_would_be_counted(new_page):
    page = new_page(viewport=A4)
    page.set_content(handout(run_of(explained("dinov2-small"))) + "<p style='height: 60mm'>more</p>")
    assert sheets(page) == 2


@pytest.mark.parametrize(
    ("path", "name"),
    [
        exhaustive(
            "attention?image=cat&model=dinov2-small&layer=12&head=4",
            "vitviz-cat-dinov2-small-L12-H4-9-9.html",
        ),
        exhaustive("sequence?image=digit-4&model=digits&layer=6&head=1", "vitviz-digit-4-digits-L6-H1-5-5.html"),
        ("sequence?image=rocket&fit=native&layer=12&head=1", "vitviz-rocket-dinov2-small-L12-H1-7-11.html"),
        exhaustive("attention?image=pagoda&size=518&layer=12&head=1", "vitviz-pagoda-dinov2-small-L12-H1-19-19.html"),
    ],
)
def test_the_button_gives_one_sheet(path, name, app, new_page, tmp_path):
    page = new_page()
    page.goto(f"{app}/{path}")
    page.wait_for_selector(".st-key-part_summary")
    settled(page)
    download = downloaded(page, "Summary (HTML, one page)")
    assert download.suggested_filename == name
    file = tmp_path / name
    download.save_as(file)
    opened = new_page(viewport=A4, offline=True)
    asked = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(file.as_uri())
    expect(opened.get_by_role("heading", level=1)).to_contain_text(re.compile(r"\w"))
    images = opened.locator("img")
    assert all(image.evaluate("image => image.complete && image.naturalWidth > 0") for image in images.all())
    assert not [url for url in asked if url != file.as_uri() and not url.startswith("data:")]
    assert_fits(opened)


@in_wide_fonts
@pytest.mark.parametrize("kind", ["patch norm", "norm first", "differential", "registers", "stem", "distilled"])
def test_every_kind_of_model_fits_even_with_long_names(kind, new_page, monkeypatch):
    page = new_page(viewport=A4)
    monkeypatch.setattr(explained(kind).model, "_notes", ASSUMED)
    named = {"image": f"{'a very long name ' * 8}.jpg", "model": "vit_base_patch16_rope_reg1_gap_256.sbb_in1k"}
    page.set_content(handout(run_of(explained(kind), **named, address=f"image={'x' * 120}&layer=2")))
    assert_fits(page)


@in_wide_fonts
@pytest.mark.parametrize("shape", [(1, 16), (16, 1)])
def test_narrow_and_wide_images_fit(shape, new_page, model):
    trace = model.trace(torch.randn(3, 14 * shape[0], 14 * shape[1], generator=torch.Generator().manual_seed(0)))
    page = new_page(viewport=A4)
    page.set_content(handout(run_of(trace)))
    assert_fits(page)
    box = page.locator(".photo").first.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(shape[1] / shape[0], rel=0.02)


@in_wide_fonts
def test_it_reads_on_a_phone(new_page):
    page = new_page(viewport=PHONE)
    page.set_content(handout(run_of(explained("digits"))))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sizes = page.locator("p, td, th").evaluate_all("all => all.map(one => parseFloat(getComputedStyle(one).fontSize))")
    assert min(sizes) >= 12
