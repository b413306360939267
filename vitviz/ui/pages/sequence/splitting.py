"""Section 2: splitting the image into patches, and the effect of other patch sizes."""

from __future__ import annotations

import streamlit as st

from ....trace.trace import Trace
from ....walkthrough import sequence
from ....walkthrough.sequence import SequenceSizes
from ...app import state
from ...app.messages import show_errors
from ...widgets import symbols
from ...widgets.drawing import PHOTO, frame, on_image, table
from ..lesson.followed_token import followed_patch
from ..lesson.sections import Patch, draw_text, patch_number, section, values_of
from .settings import WHAT_IF

PATCH_SIDES = (8, 14, 16, 32)

# Image with its dimensions: W above, H at the left, P at a patch.
STYLE = """<style>
.vv-plan { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0.3rem; max-width: 24rem;
  font-size: 0.9rem; }
.vv-plan .vv-across { grid-area: 1 / 2; }
.vv-plan .vv-down { grid-area: 2 / 1; writing-mode: vertical-rl; }
.vv-plan .vv-symbol { border-bottom: 0; }
.vv-plan .vv-symbol::after { writing-mode: horizontal-tb; }
.vv-measure { display: flex; align-items: center; gap: 0.4rem; }
.vv-measure::before, .vv-measure::after { content: ""; flex: 1; border: 0 solid; opacity: 0.7; }
.vv-across::before, .vv-across::after { border-bottom-width: 1.5px; height: 0.6rem; margin-bottom: 0.6rem; }
.vv-across::before { border-left-width: 1.5px; }
.vv-across::after { border-right-width: 1.5px; }
.vv-down::before, .vv-down::after { border-left-width: 1.5px; width: 0.6rem; margin-left: 0.6rem; }
.vv-down::before { border-top-width: 1.5px; }
.vv-down::after { border-bottom-width: 1.5px; }
.vv-cut { position: relative; grid-area: 2 / 2; }
.vv-cut .vv-beside { position: absolute; left: 0; right: 0; display: flex; pointer-events: none; }
.vv-cut .vv-side { pointer-events: auto; padding: 0 0.35rem; margin: 3px 0; border-radius: 0.3rem; line-height: 1.5;
  background: light-dark(#fffffff0, #121016f0); }
.vv-table tr:has(.vv-what-if) td { font-weight: 600; background: color-mix(in srgb, #8e5cf0 16%, transparent); }
</style>"""


def splitting(choice: state.Choice, trace: Trace) -> None:
    """Draw section 2: patches."""
    rows, columns = trace.grid
    values, patch = values_of(trace), followed_patch(trace)
    cut = (
        "Each square of {P} × {P} = {=P} × {=P} pixels will have one token"
        if trace.config.stem
        else "The image is cut into squares of {P} × {P} = {=P} × {=P} pixels"
    )
    section(
        "2 · Splitting",
        f"{cut}. Point at the picture to see one, click to choose the one that this page follows. With the keyboard: "
        "arrows move, Enter chooses.",
        values,
    )
    left, right = st.columns(2, vertical_alignment="center")
    with left:
        st.html(_measured(choice, _sizes(trace, trace.config.patch_size), patch))
    with right:
        st.latex(symbols.formula(r"@N = \frac{@H\,@W}{@P^2} = \frac{@=H \cdot @=W}{@=P^2} = @=N", values))
        st.markdown(
            f"{rows} rows of {columns} patches. The chosen one is number {patch_number(trace, patch) + 1}, "
            f"in row {patch[0] + 1}, column {patch[1] + 1}."
        )


def _measured(choice: state.Choice, sizes: SequenceSizes, patch: Patch) -> str:
    """Return the image with H, W and the grid, and P at the chosen patch."""
    values = {"H": sizes.height, "W": sizes.width, "P": sizes.patch}
    side, (row, column) = sizes.patch, patch
    name = f"{choice.picked.name}, {sizes.width} pixels wide, {sizes.height} high, cut into squares of {side}"
    thick = sizes.width / 120
    marks = [
        _lines(sizes),
        frame(patch, side, "#fff", 2 * thick),
        frame(patch, side, symbols.SYMBOLS["P"].light, thick),
    ]
    above = row > sizes.grid[0] / 2  # more room above than below
    edge = (
        f"bottom:{100 - 100 * row * side / sizes.height:.3f}%"
        if above
        else f"top:{100 * (row + 1) * side / sizes.height:.3f}%"
    )
    across = 100 * (column + 0.5) / sizes.grid[1]  # the label moves with the patch and stays inside the image
    return (
        '<div class="vv-plan">'
        f'<div class="vv-measure vv-across" style="{_ink("W")}">{symbols.html("{W=}", values)}</div>'
        f'<div class="vv-measure vv-down" style="{_ink("H")}">{symbols.html("{H=}", values)}</div>'
        f'<div class="vv-cut">{on_image(state.picture(choice, PHOTO), (sizes.width, sizes.height), marks, name)}'
        f'<div class="vv-beside" style="{edge}"><i style="flex:{across:.3f}"></i>'
        f'<span class="vv-side">{symbols.html("{P=}", values)}</span><i style="flex:{100 - across:.3f}"></i></div>'
        "</div></div>"
    )


def _ink(symbol: str) -> str:
    """Return a symbol's colour as CSS."""
    return f"color:light-dark({symbols.SYMBOLS[symbol].light},{symbols.SYMBOLS[symbol].dark})"


def _lines(sizes: SequenceSizes) -> str:
    """Return the grid lines as SVG; pixels left over at the edges are darkened."""
    rows, columns = sizes.grid
    bottom, right = rows * sizes.patch, columns * sizes.patch
    across = "".join(f"M0 {row * sizes.patch}H{right}" for row in range(1, rows + bool(sizes.remainder[0])))
    down = "".join(f"M{column * sizes.patch} 0V{bottom}" for column in range(1, columns + bool(sizes.remainder[1])))
    thick = sizes.width / 300
    return (
        f'<path d="M{right} 0H{sizes.width}V{sizes.height}H0V{bottom}H{right}Z" fill="#0f0d16" fill-opacity="0.75"/>'
        f'<path d="{across}{down}" fill="none" stroke="#14121b" stroke-opacity="0.5" stroke-width="{2 * thick:.3f}"/>'
        f'<path d="{across}{down}" fill="none" stroke="#fff" stroke-opacity="0.85" stroke-width="{thick:.3f}"/>'
    )


@st.fragment
@show_errors()
def what_if(choice: state.Choice) -> None:
    """Draw the arithmetic of other patch sizes; choosing one reruns only this fragment."""
    trace = state.trace(choice)
    now = _sizes(trace, trace.config.patch_size)
    st.header("What if patches were larger or smaller?", anchor=False)
    st.caption("Arithmetic only: a model with another patch size would be another model, and none is run here.")
    sides = [side for side in sorted({*PATCH_SIDES, now.patch}) if side <= min(now.height, now.width)]
    chosen = WHAT_IF.draw(
        st.segmented_control,
        "Side of a patch, in pixels",
        sides,
        context=(now.patch, *sides),
        format_func=lambda side: f"{side} (this model)" if side == now.patch else str(side),
        required=True,
    )
    then = _sizes(trace, chosen)
    left, right = st.columns([0.4, 0.6], vertical_alignment="center")
    name = f"{choice.picked.name}, cut into {then.grid[0]} rows of {then.grid[1]} squares"
    left.html(on_image(state.picture(choice, PHOTO), (then.width, then.height), [_lines(then)], name))
    with right:
        _compared(then, now)
    st.html(table(_head(now), [_row(_sizes(trace, side), now, then) for side in sides]))


def _sizes(trace: Trace, side: int) -> SequenceSizes:
    values = values_of(trace)
    width = None if trace.config.stem else trace.config.embed_dim
    return sequence.sequence_sizes(values["H"], values["W"], side, trace.config.in_chans, width, trace.prefix)


def _compared(then: SequenceSizes, now: SequenceSizes) -> None:
    """Draw the numbers of the chosen size beside the model's."""
    values = {"P": then.patch, "N": f"{then.patches:,}"}

    def instead(this: int, model: int) -> str:
        return f" ({_factor(this / model)})" if then != now else ""

    draw_text(
        f"{{P=}}: {then.grid[0]} rows of {then.grid[1]} patches, so {{N=}}{instead(then.patches, now.patches)}. "
        f"A patch is a vector of {{P}}²{{C}} = {then.patch_dim:,} numbers{instead(then.patch_dim, now.patch_dim)}"
        f"{_projected(then, then == now)}. "
        f"A head has {_tokens(then)}² = {then.attention_weights:,} attention weights"
        f"{instead(then.attention_weights, now.attention_weights)}: that is what attention costs.",
        values,
    )
    if then != now:
        st.caption(f"In brackets: times as many as with the model's patches of {now.patch}.")
    rows, columns = then.remainder
    if rows or columns:
        left = " and ".join(f"{count} {what}" for count, what in ((rows, "rows"), (columns, "columns")) if count)
        with st.container(key="pixels_left_over"):
            st.markdown(f"Left over, and dark in the picture: {left} of pixels that fill no patch.")


def _projected(sizes: SequenceSizes, is_model: bool) -> str:
    if sizes.projection_weights is None:
        return ""
    return f", and {{W_LP}} {'has' if is_model else 'would have'} {sizes.projection_weights:,}"


def _tokens(sizes: SequenceSizes) -> str:
    return f"({sizes.patches:,} + {sizes.prefix})" if sizes.prefix else f"{sizes.patches:,}"


def _head(now: SequenceSizes) -> list[str]:
    """Return the column headings as HTML."""
    tokens = f"({{N}} + {now.prefix})²" if now.prefix else "{N}²"
    texts = ("{P}", "grid", "{N}", "{P}²{C} numbers", f"{tokens} weights of a head", "cost")
    return [symbols.html(text) for text in texts]


def _row(sizes: SequenceSizes, now: SequenceSizes, chosen: SequenceSizes) -> list[str]:
    model = " (this model)" if sizes == now else ""
    mark = ' <span class="vv-what-if" aria-label="chosen">◂</span>' if sizes == chosen else ""
    return [
        f"{sizes.patch}{model}{mark}",
        f"{sizes.grid[0]} × {sizes.grid[1]}",
        f"{sizes.patches:,}",
        f"{sizes.patch_dim:,}",
        f"{sizes.attention_weights:,}",
        _factor(sizes.cost(now)),
    ]


def _factor(factor: float) -> str:
    return f"× {factor:.3g}"
