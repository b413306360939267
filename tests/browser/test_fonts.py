"""The browser draws with the stated fonts, whatever this machine has."""

from dataclasses import replace

import pytest

from scripts.fonts import STATED, check

from .layout import in_all_fonts

WIDTH = """family => {
  const drawn = document.createElement("canvas").getContext("2d");
  drawn.font = `400 40px ${family}`;
  return drawn.measureText("Where does it look?").width;
}"""


@in_all_fonts
def test_whatever_a_page_asks_for_is_drawn_with_them(browser, fonts, new_page):
    check(browser, fonts)
    page = new_page()
    families = ("Arial", "sans-serif", "serif", "Verdana", "system-ui")
    assert len({page.evaluate(WIDTH, family) for family in families}) == 1


def test_another_font_than_the_stated_one_is_no_secret(browser):
    with pytest.raises(RuntimeError, match=r"DejaVuSans.*Verdana|Verdana.*DejaVuSans"):
        check(browser, replace(STATED, drawn="Verdana"))
