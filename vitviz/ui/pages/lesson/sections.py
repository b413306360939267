"""What both pages of explanations are made of: the visitor's patch, sections, and sums that anybody can redo."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ....analysis.arithmetic import Normed
from ....model.config import ViTConfig
from ....trace.trace import Trace
from ....walkthrough.checks import Check
from ...widgets import symbols
from ...widgets.strips import number
from ...widgets.sums import round_consistently

# The picture (container "follow") stays beside the text ("story") while that scrolls; in a narrow window it stands
# above it.
BESIDE = """<style>
@media (min-width: 1100px) {
  [data-testid="stColumn"]:has(.st-key-follow) {
    position: sticky; top: 4.2rem; align-self: flex-start; max-height: calc(100vh - 4.6rem); overflow-y: auto;
  }
}
@media (max-width: 1099.98px) {
  [data-testid="stHorizontalBlock"]:has(.st-key-follow) { flex-direction: column; }
  [data-testid="stColumn"]:has(.st-key-follow), [data-testid="stColumn"]:has(.st-key-story) { width: 100%; flex: none; }
}
.st-key-story h2 { padding-top: 1.6rem; }
.st-key-story > :first-child h2 { padding-top: 0; }
</style>"""

Patch = tuple[int, int]  # row and column, from 0


def patch_number(trace: Trace, patch: Patch) -> int:
    """Which patch this is, counted row by row from 0."""
    return patch[0] * trace.grid[1] + patch[1]


def beside_the_text() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Where the picture that stays goes, and where the text goes; `BESIDE` is their style."""
    left, right = st.columns([0.34, 0.66], gap="large")
    return left.container(key="follow"), right.container(key="story")


def title(words: str, config: ViTConfig) -> None:
    """The page's title, and beside it what all letters of this model mean."""
    has = {"w_CLS": config.class_token, "W_pos": config.position_embedding, "W_LP": not config.stem}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(words, anchor=False)
        # a part of the page itself, because what Streamlit lays over pages does not know their colour scheme
        known = symbols.glossary([name for name in symbols.SYMBOLS if has.get(name, True)])
        st.html(f'<details class="vv-letters"><summary>Letters</summary>{known}</details>', width="content")


def part(name: str) -> DeltaGenerator:
    """A part of the story, which style sheets and the tour find by its name."""
    return st.container(key=f"part_{name}")


def values_of(trace: Trace) -> dict[str, int]:
    """The numbers behind the symbols, for the model and image at hand."""
    config = trace.config
    rows, columns = trace.grid
    return {
        "H": rows * config.patch_size,
        "W": columns * config.patch_size,
        "C": config.in_chans,
        "P": config.patch_size,
        "N": rows * columns,
        "D": config.embed_dim,
        "L": config.depth,
        "d": config.head_dim,
    }


def norm_in_words(norm: Normed, channel: int) -> str:
    """What a norm makes of one number: `"(0.1 − 0.2) / 0.5 × 1.5 + 0.1 = **−0.2**"`, in digits that come out."""
    parts = [norm.x[channel], norm.mean, norm.std, norm.gain[channel], norm.shift[channel]]
    (x, mean, std, gain, shift), result = round_consistently(
        [float(part) for part in parts],
        float(norm.result[channel]),
        lambda p: (p[0] - p[1]) / (p[2] or 1) * p[3] + p[4],  # a deviation that rounds to 0 needs more decimals
    )
    return f"({x} − ({mean})) / {std} × {gain} + {shift} = **{result}**"


def section(title: str, text: str, values: Mapping[str, int | float | str] | None = None) -> None:
    """A step of the story: its title and its text, in which `{N}` is a symbol and `{N=}` one with its value."""
    st.header(title, anchor=False)
    say(text, values)


def say(text: str, values: Mapping[str, int | float | str] | None = None) -> None:
    """Text with symbols, see `vitviz.ui.widgets.symbols.html`."""
    st.markdown(symbols.html(text, values), unsafe_allow_html=True)


def by_hand(check: Check) -> None:
    """A number that was computed from what is shown, beside the model's: both, and whether they agree."""
    ours, models = np.ravel(check.by_hand), np.ravel(check.model)
    words = f"by hand **{number(float(ours[0]))}**, model **{number(float(models[0]))}**"
    if len(ours) > 1:
        words = f"{len(ours):,} numbers, the first {words}"
    agree = f"{'agree' if check.holds else 'differ'}, relative difference {check.error:.0e}"
    colour = "green" if check.holds else "red"
    with st.container(key=f"check_{check.what}"):
        st.markdown(f":{colour}-badge[{'✓' if check.holds else '✗'}] {check.what}: {words} ({agree})")
