r"""Notation of the Vision Transformer: the meaning, typography and colour of each symbol, in one table.

    st.html(symbols.style())                                                     # once a page
    st.markdown(symbols.html("An image of {H=} and {W=} pixels", values), unsafe_allow_html=True)
    st.latex(symbols.formula(r"@=N = \frac{@H @W}{@P^2}", values))               # 256 = HW / P^2, in colours

A symbol looks the same in texts, formulas and figures. Each has two colours, one for the light and one for the dark
theme, because no single colour is readable on both. A symbol is always identified by its letter, too, never by its
colour alone. Symbols are not in the tab order: there are dozens on a page, and the glossary lists all meanings.
"""

import html as markup
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Value = int | float | str


@dataclass(frozen=True)
class Symbol:
    """Symbol of the notation.

    Attributes:
        plain: plain text.
        letter: letter without the index.
        index: subscript.
        meaning: line of the glossary.
        light: colour on light backgrounds.
        dark: colour on dark backgrounds.
        bold: whether the symbol is a matrix or a vector.
    """

    plain: str
    letter: str
    index: str
    meaning: str
    light: str
    dark: str
    bold: bool = False

    @property
    def html(self) -> str:
        """HTML without colour: `<b>W</b><sub>LP</sub>`."""
        letter = f"<b>{self.letter}</b>" if self.bold else f"<i>{self.letter}</i>"
        return letter + (f"<sub>{self.index}</sub>" if self.index else "")

    @property
    def tex(self) -> str:
        r"""KaTeX without colour: `\mathbf{W}_{\mathrm{LP}}`."""
        letter = rf"\mathbf{{{self.letter}}}" if self.bold else self.letter
        return letter + (rf"_{{\mathrm{{{self.index}}}}}" if self.index else "")


# Colours of the light and the dark theme by role. Any two differ by at least 15 (CIE 1976) with normal sight and with
# deuteranopia as simulated by Machado et al. 2009, and have a contrast of at least 4.5 to the page; the tests compute
# both. Query, key, value and attention have the hues of vitviz.viz.colour.
_SIZE = ("#0f3c3c", "#f0d2e1")
_PATCH = ("#691e2d", "#ff96a5")
_PATCHES = ("#c31ea5", "#d25a96")
_DIMENSION = ("#2d3c00", "#a5c35a")
_SEQUENCE = ("#003cc3", "#2d87ff")
_PROJECTION = ("#875a3c", "#ffd2a5")
_CLASS_TOKEN = ("#694b00", "#ffd20f")
_POSITIONS = ("#003c69", "#3c96b4")
_QUERY = ("#007878", "#0fd2d2")
_KEY = ("#a55a00", "#d2690f")
_VALUE = ("#2d785a", "#2d965a")
_ATTENTION = ("#874be1", "#b496ff")


def _table() -> dict[str, Symbol]:
    rows = [
        ("H", "height of the input image, in pixels", _SIZE),
        ("W", "width of the input image, in pixels", _SIZE),
        ("C", "number of channels: 3 for red, green and blue", _SIZE),
        ("P", "side of a patch, in pixels", _PATCH),
        ("N", "number of patches, HW / P²", _PATCHES),
        ("D", "embedding dimension: length of the vector of a token", _DIMENSION),
        ("L", "number of blocks", _SIZE),
        ("d", "head dimension: length of a query, key or value", _DIMENSION),
        ("X", "sequence: one row of D numbers per token", _SEQUENCE),
        ("W_LP", "linear projection: maps the P²C numbers of a patch to the D numbers of a token", _PROJECTION),
        ("w_CLS", "class token: D learned numbers, placed before the patches", _CLASS_TOKEN),
        ("W_pos", "position embeddings: D learned numbers for each position in the sequence", _POSITIONS),
        ("q", "query: describes what a token attends to", _QUERY),
        ("k", "key: compared with the queries of all tokens", _KEY),
        ("v", "value: the information passed to the tokens that attend to it", _VALUE),
        ("A", "attention weights: how much each token attends to each token", _ATTENTION),
        ("W_Q", "maps tokens to queries", _QUERY),
        ("W_K", "maps tokens to keys", _KEY),
        ("W_V", "maps tokens to values", _VALUE),
        ("W_O", "output projection: combines the outputs of all heads", _ATTENTION),
    ]
    table = {}
    for plain, meaning, colours in rows:
        letter, _, index = plain.partition("_")
        bold = bool(index) or plain in "XAqkv"
        table[plain] = Symbol(plain, letter, index, meaning, *colours, bold)
    return table


SYMBOLS = _table()

# {N}, {N=}, {=N}; and @N, @=N. Longer names come first: @W_LP is not @W.
_NAMES = "|".join(sorted(SYMBOLS, key=len, reverse=True))
_IN_TEXT = re.compile(r"\{([^{}]*)\}")
_IN_FORMULA = re.compile(rf"@(=?)({_NAMES})(?![A-Za-z])")


def html(text: str, values: Mapping[str, Value] | None = None) -> str:
    """Return a text as HTML with coloured symbols, which show their meaning on hover and tell it to screen readers.

    `{N}` is the symbol, `{=N}` its value, and `{N=}` both: "N = 256". HTML in the text is escaped. Markdown in the text
    is kept, for `st.markdown(..., unsafe_allow_html=True)`, but is escaped in values.

    Args:
        text: text with symbols.
        values: values of the model by symbol.

    Raises:
        KeyError: if a symbol or its value does not exist.
    """

    def drawn(match: re.Match) -> str:
        name = match[1].strip("=")
        symbol = _known(name)
        if match[1] == name:
            return _marked(symbol, symbol.html)
        value = _value(name, values)
        return _marked(symbol, value if match[1] == f"={name}" else f"{symbol.html} = {value}")

    return _IN_TEXT.sub(drawn, markup.escape(text, quote=False))


def formula(tex: str, values: Mapping[str, Value] | None = None) -> str:
    """Return a KaTeX formula in which `@N` is replaced by the coloured symbol, and `@=N` by its coloured value.

    Raises:
        KeyError: if the value of a symbol does not exist.
    """

    def drawn(match: re.Match) -> str:
        wants_value, symbol = match[1], SYMBOLS[match[2]]
        return _coloured(symbol, _number(symbol.plain, values) if wants_value else symbol.tex)

    return _IN_FORMULA.sub(drawn, tex)


def style() -> str:
    """Return the style sheet for `html` and `formula`, to be added to a page once with `st.html`."""
    return f"<style>{rules()}</style>"


def rules() -> str:
    """Return the rules of the style sheet, for components, which are isolated from the page."""
    colours = [
        f'.vv-symbol[data-symbol="{name}"], {_in_katex(symbol)} {{ color: light-dark({symbol.light}, {symbol.dark}) '
        "!important }"
        for name, symbol in SYMBOLS.items()
    ]
    return f"{_TOOLTIP}{' '.join(colours)}"


def glossary(names: Iterable[str] = SYMBOLS) -> str:
    """Return symbols with their meanings, as an HTML list.

    Args:
        names: symbols; by default, all.

    Raises:
        KeyError: if a symbol does not exist.
    """
    chosen = map(_known, names)
    items = (f"<dt>{_marked(symbol, symbol.html)}</dt><dd>{symbol.meaning}</dd>" for symbol in chosen)
    return f'<dl class="vv-glossary">{"".join(items)}</dl>'


def _known(name: str) -> Symbol:
    if name not in SYMBOLS:
        raise KeyError(f"Unknown symbol {name!r}; use one of {', '.join(SYMBOLS)}.")
    return SYMBOLS[name]


def _number(name: str, values: Mapping[str, Value] | None) -> str:
    if values is None or name not in values:
        raise KeyError(f"Missing value for the symbol {name}.")
    return str(values[name])


def _value(name: str, values: Mapping[str, Value] | None) -> str:
    """Return a value with character references, which neither HTML nor Markdown interprets."""
    return re.sub(r"[^\w .]|_", lambda sign: f"&#{ord(sign[0])};", _number(name, values))


def _marked(symbol: Symbol, inner: str) -> str:
    # no `title` attribute, which would add the browser's own tooltip
    return (
        f'<abbr class="vv-symbol" data-symbol="{symbol.plain}" '
        f'data-meaning="{symbol.plain}: {symbol.meaning}" aria-description="{symbol.meaning}">{inner}</abbr>'
    )


def _coloured(symbol: Symbol, tex: str) -> str:
    return rf"\textcolor{{{symbol.light}}}{{{tex}}}"


def _in_katex(symbol: Symbol) -> str:
    """Return the CSS selector of a symbol in a rendered formula, in which only its colour identifies it."""
    red, green, blue = (int(symbol.light[i : i + 2], 16) for i in (1, 3, 5))
    return f'.katex [style*="{symbol.light}"], .katex [style*="rgb({red}, {green}, {blue})"]'


_TOOLTIP = """
.vv-symbol {
  position: relative; cursor: help; white-space: nowrap; text-decoration: none; border-bottom: 1px dotted currentColor;
}
.vv-symbol sub { bottom: -0.2em; font-size: 0.72em; line-height: 0; }
.vv-symbol::after {
  content: attr(data-meaning); position: absolute; z-index: 20; left: 0; bottom: calc(100% + 6px);
  width: max-content; max-width: min(18rem, 70vw); padding: 0.35rem 0.6rem; border-radius: 0.4rem; pointer-events: none;
  background: light-dark(#1d1a26, #ece8f5); color: light-dark(#ffffff, #121016); box-shadow: 0 4px 16px #0004;
  font: 400 0.8rem/1.4 system-ui, sans-serif;
  white-space: normal; text-align: left; opacity: 0; visibility: hidden; transition: opacity 0.12s;
}
.vv-symbol:hover::after { opacity: 1; visibility: visible; }
@supports (position-try-fallbacks: flip-block) { /* fully visible, even at the edge of the window */
  .vv-symbol { anchor-name: --vv; anchor-scope: --vv; }
  .vv-symbol::after {
    position: fixed; position-anchor: --vv; inset: auto; margin: 6px 0; position-area: top span-right;
    position-try-fallbacks: flip-inline, flip-block, flip-block flip-inline, top, bottom;
  }
}
.vv-glossary { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1rem; margin: 0; }
.vv-glossary dd { margin: 0; }
.vv-letters { position: relative; }
.vv-letters summary { padding: 0.35rem 0.8rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
  border-radius: 0.5rem; cursor: pointer; }
.vv-letters dl { position: absolute; z-index: 30; right: 0; top: calc(100% + 6px); width: min(30rem, 88vw);
  max-height: 70vh; overflow-y: auto; padding: 0.8rem 1rem; border-radius: 0.6rem;
  background: light-dark(#ffffff, #1c1924); box-shadow: 0 6px 24px #0005; }
@media (prefers-reduced-motion: reduce) { .vv-symbol::after { transition: none; } }
"""
