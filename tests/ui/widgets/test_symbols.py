"""The table of symbols: colours that can be read, placeholders that are known, text that stays text."""

import colorsys
import re
from itertools import combinations

import pytest

from tests.support.colour_vision import contrast, deuteranopic_difference, difference
from vitviz.ui.widgets import symbols
from vitviz.ui.widgets.symbols import SYMBOLS, formula, glossary, html, style
from vitviz.viz.colour import ATTENTION, KEY, QUERY, VALUE

LIGHT = ("#ffffff", "#f5f3fa")  # Streamlit's own and the app's second one
DARK = ("#0e1117", "#121016", "#1c1924")


def channels(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def visible(fragment: str) -> str:
    return re.sub(r"<[^>]*>", "", fragment)


def test_all_symbols_are_there():
    wanted = "H W P C N D W_LP w_CLS W_pos X q k v W_Q W_K W_V W_O d L A"
    assert set(SYMBOLS) == set(wanted.split())


@pytest.mark.parametrize("symbol", SYMBOLS.values(), ids=lambda symbol: symbol.plain)
def test_every_symbol_is_readable_in_both_themes(symbol):
    assert min(contrast(symbol.light, paper) for paper in LIGHT) >= 4.5
    assert min(contrast(symbol.dark, paper) for paper in DARK) >= 4.5
    assert symbol.meaning
    assert "\n" not in symbol.meaning
    assert symbol.meaning == symbol.meaning.strip(".")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_any_two_colours_are_distinguished_with_deuteranopia(theme):
    colours = {getattr(symbol, theme) for symbol in SYMBOLS.values()}
    assert len(colours) == 12
    for one, other in combinations(sorted(colours), 2):
        assert deuteranopic_difference(one, other) >= 15, (one, other)
        assert difference(one, other) >= 15, (one, other)


def test_symbols_of_a_role_share_their_colour_in_both_themes():
    """Formulas have the light colour, which the style sheet replaces by the dark one: one colour, one role."""
    dark_of_light = {symbol.light: symbol.dark for symbol in SYMBOLS.values()}
    assert all(dark_of_light[symbol.light] == symbol.dark for symbol in SYMBOLS.values())
    assert len(set(dark_of_light.values())) == len(dark_of_light)


def test_no_symbol_is_known_by_its_colour_alone():
    assert len({symbol.html for symbol in SYMBOLS.values()}) == len(SYMBOLS)


@pytest.mark.parametrize(
    ("names", "colour"), [("q W_Q", QUERY), ("k W_K", KEY), ("v W_V", VALUE), ("A W_O", ATTENTION)]
)
def test_roles_have_their_hue(names, colour):
    hue = colorsys.rgb_to_hls(*channels(colour))[0]
    for name in names.split():
        for own in (SYMBOLS[name].light, SYMBOLS[name].dark):
            off = abs(colorsys.rgb_to_hls(*channels(own))[0] - hue)
            assert min(off, 1 - off) < 0.03, name


def test_a_symbol_its_value_and_both():
    values = {"N": 256, "P": 14}
    assert visible(html("{N}, {=N}, {N=}", values)) == "N, 256, N = 256"
    assert visible(html("no values: {W_LP}")) == "no values: WLP"
    assert html("{N}").count('data-symbol="N"') == 1


@pytest.mark.parametrize("name", SYMBOLS)
def test_every_symbol_says_what_it_means(name):
    fragment = html(f"{{{name}}}")
    assert f'data-meaning="{name}: {SYMBOLS[name].meaning}"' in fragment
    assert f'aria-description="{SYMBOLS[name].meaning}"' in fragment
    assert "tabindex" not in fragment, "dozens of tab stops otherwise"


@pytest.mark.parametrize("text", ["{Q}", "{}", "{n}", "{N }", "{W_lp}", "{<b>}", "{==N}x"])
def test_an_unknown_placeholder_is_refused(text):
    with pytest.raises(KeyError):
        html(text, {})


def test_a_value_that_is_missing_is_named():
    for broken in ("{N=}", "{=N}"):
        with pytest.raises(KeyError, match="symbol N"):
            html(broken, {"P": 14})
    with pytest.raises(KeyError, match="symbol N"):
        formula("@=N")
    with pytest.raises(KeyError, match="symbol 'Z'"):
        html("{Z}")


def test_text_and_values_are_escaped():
    assert html("a < b & <script>") == "a &lt; b &amp; &lt;script&gt;"
    fragment = html("{N=}", {"N": '<img onerror="x"> **bold** [a](b) $x$'})
    assert "<img" not in fragment
    for sign in "*[]()$":
        assert sign not in fragment
    assert "&#60;img" in fragment


def test_formulas():
    n = SYMBOLS["N"].light
    assert formula("@N") == rf"\textcolor{{{n}}}{{N}}"
    assert formula("@W_LP") == rf"\textcolor{{{SYMBOLS['W_LP'].light}}}{{\mathbf{{W}}_{{\mathrm{{LP}}}}}}"
    assert formula(r"@=N = \frac{@N}{2}", {"N": 256}) == rf"\textcolor{{{n}}}{{256}} = \frac{{{formula('@N')}}}{{2}}"
    assert formula("@W_LP + @W") == f"{formula('@W_LP')} + {formula('@W')}"
    assert formula("a@b") == "a@b", "no symbol"


def test_the_style_sheet_knows_all_symbols_in_text_and_formula():
    sheet = style()
    for name, symbol in SYMBOLS.items():
        assert f'.vv-symbol[data-symbol="{name}"]' in sheet
        assert f'[style*="{symbol.light}"]' in sheet
        assert f"light-dark({symbol.light}, {symbol.dark})" in sheet


def test_the_glossary_has_them_all():
    assert glossary().count("<dt>") == len(SYMBOLS)
    assert all(symbol.meaning in glossary() for symbol in symbols.SYMBOLS.values())
