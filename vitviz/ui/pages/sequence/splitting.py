"""Section 2: splitting the image into patches."""

from __future__ import annotations

import streamlit as st

from ....trace.trace import Trace
from ....walkthrough import sequence
from ....walkthrough.sequence import SequenceSizes
from ...app import state
from ...widgets import symbols
from ...widgets.drawing import PHOTO, frame, on_image
from ..lesson.followed_token import followed_patch
from ..lesson.sections import Patch, patch_number, section, values_of
from .following import follows_a_patch

# Image with its dimensions: W above, H at the left, P at a patch.
STYLE = """<style>
.vv-plan { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0.3rem; max-width: 13rem;
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
.vv-sizes th, .vv-costs td { white-space: normal; }
.vv-sizes tr:has(.vv-what-if) td { font-weight: 600; background: color-mix(in srgb, #8e5cf0 16%, transparent); }
</style>"""


def splitting(choice: state.Choice, trace: Trace) -> None:
    """Draw section 2: patches."""
    rows, columns = trace.grid
    values, patch = values_of(trace), followed_patch(trace)
    cut = (
        "Each square of {P} × {P} = {=P} × {=P} pixels will have one token"
        if trace.config.stem
        else "The image is split into squares of {P} × {P} = {=P} × {=P} pixels"
    )
    section("2 · Splitting into patches", f"{cut}. Choose one in the picture: the page follows it.", values)
    follows = follows_a_patch(trace, "splitting")
    left, right = st.columns(2, vertical_alignment="center")
    with left:
        st.html(_measured(choice, sizes_of(trace, trace.config.patch_size), patch))
    with right:
        st.latex(symbols.formula(r"@N = \frac{@H\,@W}{@P^2} = \frac{@=H \cdot @=W}{@=P^2} = @=N", values))
        st.markdown(
            f"{rows} rows of {columns} patches."
            + f" The chosen one: number {patch_number(trace, patch) + 1}, row {patch[0] + 1}, column {patch[1] + 1}."
            * follows
        )


def sizes_of(trace: Trace, side: int) -> SequenceSizes:
    """Return the sizes of the sequence for patches of this side."""
    values = values_of(trace)
    embed_dim = None if trace.config.stem else trace.config.embed_dim
    return sequence.sequence_sizes(values["H"], values["W"], side, trace.config.in_chans, embed_dim, trace.prefix)


def _measured(choice: state.Choice, sizes: SequenceSizes, patch: Patch) -> str:
    """Return the image with H, W and the grid, and P at the patch."""
    values = {"H": sizes.height, "W": sizes.width, "P": sizes.patch}
    side, (row, column) = sizes.patch, patch
    name = f"{choice.picked.name}, {sizes.width} pixels wide, {sizes.height} high, split into squares of {side}"
    thick = sizes.width / 120
    marks = [
        lines(sizes),
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


def lines(sizes: SequenceSizes) -> str:
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
