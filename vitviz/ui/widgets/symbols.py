r"""The letters of the Vision Transformer: one table of what they mean, how they are written, and their colours.

    st.html(symbols.style())                                                     # once a page
    st.markdown(symbols.html("An image of {H=} and {W=} pixels", values), unsafe_allow_html=True)
    st.latex(symbols.formula(r"@=N = \frac{@H @W}{@P^2}", values))               # 256 = HW / P^2, in colours

A symbol looks the same in text, formula and picture. No single colour is readable on both white and black, so each has
two, and the page's colour scheme chooses.
"""

import html as markup
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Value = int | float | str


@dataclass(frozen=True)
class Symbol:
    """A letter and what belongs to it.

    Attributes:
        plain: as plain text.
        letter: the letter itself, and
        index: what stands below it.
        meaning: one line of the glossary.
        light: its colour on light backgrounds, and
        dark: on dark ones.
        bold: whether it is a matrix or a vector.
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
        """As HTML, without colour: `<b>W</b><sub>LP</sub>`."""
        letter = f"<b>{self.letter}</b>" if self.bold else f"<i>{self.letter}</i>"
        return letter + (f"<sub>{self.index}</sub>" if self.index else "")

    @property
    def tex(self) -> str:
        r"""As KaTeX reads it, without colour: `\mathbf{W}_{\mathrm{LP}}`."""
        letter = rf"\mathbf{{{self.letter}}}" if self.bold else self.letter
        return letter + (rf"_{{\mathrm{{{self.index}}}}}" if self.index else "")


# Queries are blue, keys red, values green, attention purple, as everywhere: the hues of vitviz.viz.colour, with the
# lightness that text needs.
_BLUE, _RED, _GREEN, _PURPLE = (
    ("#1a66d6", "#5aa2ff"),
    ("#cf3037", "#ff7b80"),
    ("#1e7a4d", "#4cc38a"),
    ("#7a45e0", "#b294ff"),
)
_TEAL, _ORANGE, _OLIVE, _PINK = (
    ("#0b7285", "#4fc3d6"),
    ("#b84a00", "#ff9d57"),
    ("#647000", "#bccb4a"),
    ("#c2188f", "#ff85d0"),
)
_BRONZE, _GOLD, _SKY, _SLATE = (
    ("#8a5a2b", "#d9aa78"),
    ("#8a6500", "#ecc94b"),
    ("#00708f", "#6cc7f0"),
    ("#5b6472", "#a9b4c4"),
)


def _table() -> dict[str, Symbol]:
    rows = [
        ("H", "height of the image that the model sees, in pixels", _TEAL),
        ("W", "width of the image that the model sees, in pixels", _TEAL),
        ("C", "channels of a pixel: red, green and blue make 3", _SLATE),
        ("P", "side of a patch, in pixels", _ORANGE),
        ("N", "number of patches, HW / P²", _PINK),
        ("D", "width: how many numbers describe a token", _OLIVE),
        ("L", "number of blocks, one after the other", _SLATE),
        ("d", "width of one head: how many numbers a query or a key has", _OLIVE),
        ("X", "the sequence: a row of D numbers for each token", _SKY),
        ("W_LP", "linear projection: turns the P²C numbers of a patch into the D numbers of a token", _BRONZE),
        ("w_CLS", "class token: D learned numbers, put in front of the patches", _GOLD),
        ("W_pos", "positional embeddings: D learned numbers for each place in the sequence", _SKY),
        ("q", "query: what a token asks for", _BLUE),
        ("k", "key: what a token answers to", _RED),
        ("v", "value: what a token hands over", _GREEN),
        ("A", "attention weights: how much each token takes from each other one", _PURPLE),
        ("W_Q", "turns tokens into queries", _BLUE),
        ("W_K", "turns tokens into keys", _RED),
        ("W_V", "turns tokens into values", _GREEN),
        ("W_O", "output projection: mixes what all heads have found", _PURPLE),
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
    """A text whose symbols have their colour, and say what they mean when one points at them or tabs to them.

    `{N}` is the symbol, `{=N}` its value, `{N=}` both: "N = 256". All else is escaped; but Markdown stays Markdown, so
    that the result serves `st.markdown(..., unsafe_allow_html=True)` as well as `st.html`. In values it does not.

    Args:
        text: the text.
        values: the numbers of the model at hand by symbol.

    Raises:
        KeyError: if there is no such symbol, or no value for it.
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
    """A formula in which `@N` is a symbol in its colour and `@=N` its value in the same colour.

    Raises:
        KeyError: if there is no value for a symbol.
    """

    def drawn(match: re.Match) -> str:
        wants_value, symbol = match[1], SYMBOLS[match[2]]
        return _coloured(symbol, _number(symbol.plain, values) if wants_value else symbol.tex)

    return _IN_FORMULA.sub(drawn, tex)


def style() -> str:
    """The style sheet for `html` and `formula`, to be put into a page once with `st.html`."""
    return f"<style>{rules()}</style>"


def rules() -> str:
    """The same style sheet for a component, whose inside is closed to that of the page."""
    colours = [
        f'.vv-symbol[data-symbol="{name}"], {_in_katex(symbol)} {{ color: light-dark({symbol.light}, {symbol.dark}) '
        "!important }"
        for name, symbol in SYMBOLS.items()
    ]
    return f"{_TOOLTIP}{' '.join(colours)}"


def glossary(names: Iterable[str] = SYMBOLS) -> str:
    """Symbols with what they mean, as an HTML list.

    Args:
        names: which symbols; all if not given.

    Raises:
        KeyError: if there is no such symbol.
    """
    chosen = map(_known, names)
    items = (f"<dt>{_marked(symbol, symbol.html)}</dt><dd>{symbol.meaning}</dd>" for symbol in chosen)
    return f'<dl class="vv-glossary">{"".join(items)}</dl>'


def _known(name: str) -> Symbol:
    if name not in SYMBOLS:
        raise KeyError(f"There is no symbol {name!r}; there are {', '.join(SYMBOLS)}.")
    return SYMBOLS[name]


def _number(name: str, values: Mapping[str, Value] | None) -> str:
    if values is None or name not in values:
        raise KeyError(f"There is no value for the symbol {name}.")
    return str(values[name])


def _value(name: str, values: Mapping[str, Value] | None) -> str:
    """As HTML in which neither HTML nor Markdown sees a sign of its own: references to characters are always text."""
    return re.sub(r"[^\w .]|_", lambda sign: f"&#{ord(sign[0])};", _number(name, values))


def _marked(symbol: Symbol, inner: str) -> str:
    # no `title`: the browser would lay its own, slow and unstyled tooltip over ours
    return (
        f'<abbr class="vv-symbol" tabindex="0" data-symbol="{symbol.plain}" '
        f'data-meaning="{symbol.plain}: {symbol.meaning}" aria-description="{symbol.meaning}">{inner}</abbr>'
    )


def _coloured(symbol: Symbol, tex: str) -> str:
    return rf"\textcolor{{{symbol.light}}}{{{tex}}}"


def _in_katex(symbol: Symbol) -> str:
    """What finds a symbol in a drawn formula, where nothing but its colour says which it is."""
    red, green, blue = (int(symbol.light[i : i + 2], 16) for i in (1, 3, 5))
    return f'.katex [style*="{symbol.light}"], .katex [style*="rgb({red}, {green}, {blue})"]'


_TOOLTIP = """
.vv-symbol {
  position: relative; cursor: help; white-space: nowrap; text-decoration: none; border-bottom: 1px dotted currentColor;
}
.vv-symbol sub { bottom: -0.2em; font-size: 0.72em; line-height: 0; }
.vv-symbol:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.vv-symbol::after {
  content: attr(data-meaning); position: absolute; z-index: 20; left: 0; bottom: calc(100% + 6px);
  width: max-content; max-width: min(18rem, 70vw); padding: 0.35rem 0.6rem; border-radius: 0.4rem; pointer-events: none;
  background: light-dark(#1d1a26, #ece8f5); color: light-dark(#ffffff, #121016); box-shadow: 0 4px 16px #0004;
  font: 400 0.8rem/1.4 system-ui, sans-serif;
  white-space: normal; text-align: left; opacity: 0; visibility: hidden; transition: opacity 0.12s;
}
.vv-symbol:is(:hover, :focus-visible)::after { opacity: 1; visibility: visible; }
@supports (position-try-fallbacks: flip-block) { /* where it is seen whole, also at the edge of the window */
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
