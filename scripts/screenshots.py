"""Screenshots of the README: `make screenshots`."""

from pathlib import Path

from playwright.sync_api import expect

from scripts.app_server import launched_browser, running_app

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "screenshots"
VIEW = "explore?image=cat&layer=10&head=3&query=6-6"
DIGIT = "explore?model=digits&image=digit-4&layer=6&head=2"
# Hide the hint for users who have not pinned a patch yet.
POINTED = "localStorage.setItem('vitviz-has-pointed', 'yes')"
LAPTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
PICTURES = {
    "explore-light.png": (VIEW, "patch (6, 6)", LAPTOP, "light"),
    "explore-dark.png": (VIEW, "patch (6, 6)", LAPTOP, "dark"),
    "explore-phone.png": (VIEW, "patch (6, 6)", PHONE, "light"),
    "digits-light.png": (DIGIT, "Layer 6, head 2", LAPTOP, "light"),
}


def main() -> None:
    """Open the views in their sizes and themes, and save screenshots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running_app() as url, launched_browser() as browser:
        for name, (view, text, viewport, theme) in PICTURES.items():
            page = browser.new_page(viewport=viewport, color_scheme=theme)
            page.add_init_script(POINTED)
            page.goto(f"{url}/{view}")
            expect(page.get_by_test_id("explorer-status")).to_contain_text(text, timeout=60_000)
            expect(page.locator(".js-plotly-plot")).to_have_count(4, timeout=60_000)
            page.screenshot(path=FOLDER / name)
            page.close()


if __name__ == "__main__":
    main()
