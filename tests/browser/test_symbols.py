"""Symbols in a plain page: their colour follows the page, and they say what they mean on hover."""

import pytest
from playwright.sync_api import expect

from tests.browser.layout import eventually
from vitviz.ui.widgets.symbols import SYMBOLS, html, style


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


def shown(page, scheme: str, text: str):
    page.set_content(f"{style()}<body style='color-scheme: {scheme}; margin: 80px'><p>{html(text, {'N': 256})}</p>")
    return page.locator(".vv-symbol")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_page(new_page, scheme):
    page = new_page()
    marked = shown(page, scheme, " ".join(f"{{{name}}}" for name in SYMBOLS))
    expect(marked).to_have_count(len(SYMBOLS))
    for one, symbol in zip(marked.all(), SYMBOLS.values(), strict=True):
        expect(one).to_have_css("color", rgb(getattr(symbol, scheme)))
    drawn = "<span class='katex'><span style='margin-right: 0.1em; color: {0}'>N</span></span>"
    for written in (SYMBOLS["N"].light, rgb(SYMBOLS["N"].light)):  # as KaTeX writes it, and as browsers do
        page.locator("p").evaluate("(node, inner) => { node.innerHTML = inner }", drawn.format(written))
        expect(page.locator(".katex > span")).to_have_css("color", rgb(getattr(SYMBOLS["N"], scheme)))


def test_what_it_means_appears_on_hover_and_adds_no_tab_stop(new_page):
    page = new_page()
    marked = shown(page, "light", "{N=} and {P}")
    page.locator("p").evaluate(
        "node => node.append(Object.assign(document.createElement('button'), { innerText: 'x' }))"
    )

    def become_visible(*which: bool) -> None:
        read = "nodes => nodes.map(node => getComputedStyle(node, '::after').visibility === 'visible')"
        eventually(page, lambda: marked.evaluate_all(read) == list(which))

    become_visible(False, False)
    marked.first.hover()
    become_visible(True, False)
    page.mouse.move(2, 2)
    become_visible(False, False)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button")).to_be_focused()
