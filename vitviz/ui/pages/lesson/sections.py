"""Building blocks of the lesson pages: sections, text with symbols, and checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ....analysis.arithmetic import Normed
from ....model.config import ViTConfig
from ....trace.trace import Trace
from ....walkthrough.checks import Check
from ...widgets import symbols
from ...widgets.strips import number
from ...widgets.sums import in_brackets, round_consistently

# The image (container "follow") stays beside the text ("story") while that scrolls, below the map of the model; in a
# narrow window it is above the text.
BESIDE = """<style>
@media (min-width: 1100px) {
  [data-testid="stColumn"]:has(.st-key-follow) {
    position: sticky; top: calc(4.2rem + var(--vv-map, 0px)); align-self: flex-start;
    max-height: calc(100vh - 4.6rem - var(--vv-map, 0px)); overflow-y: auto;
  }
}
@media (max-width: 1099.98px) {
  [data-testid="stHorizontalBlock"]:has(.st-key-follow) { flex-direction: column; }
  [data-testid="stColumn"]:has(.st-key-follow), [data-testid="stColumn"]:has(.st-key-story) { width: 100%; flex: none; }
}
.st-key-story h2 { padding-top: 1rem; }
[data-testid="stVerticalBlock"]:is(.st-key-story, [class*="st-key-part_"]) { gap: 0.5rem; }
.st-key-story > :first-child h2 { padding-top: 0; }
</style>"""

Patch = tuple[int, int]  # row and column, from 0


def patch_number(trace: Trace, patch: Patch) -> int:
    """Return the patch index, row by row from 0."""
    return patch[0] * trace.grid[1] + patch[1]


def beside_the_text() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return the containers of the sticky image and of the text; `BESIDE` is their style."""
    left, right = st.columns([0.34, 0.66], gap="large")
    return left.container(key="follow"), right.container(key="story")


def title(text: str, config: ViTConfig) -> None:
    """Draw the page's title and the notation of this model."""
    has = {"w_CLS": config.class_token, "W_pos": config.position_embedding, "W_LP": not config.stem}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(text, anchor=False)
        # part of the page, because Streamlit's popovers do not follow its colour scheme
        known = symbols.glossary([name for name in symbols.SYMBOLS if has.get(name, True)])
        st.html(f'<details class="vv-letters"><summary>Notation</summary>{known}</details>', width="content")


def part(name: str) -> DeltaGenerator:
    """Return a container that style sheets and the tour find by its name."""
    return st.container(key=f"part_{name}")


def values_of(trace: Trace) -> dict[str, int]:
    """Return the values of the symbols for this model and image."""
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


def format_norm(norm: Normed, channel: int) -> str:
    """Format the normalisation of a number: `"(0.1 − 0.2) / 0.5 × 1.5 + 0.1 = **−0.2**"`, with consistent digits.

    RMSNorm subtracts no mean and adds nothing, so these terms are left out.
    """
    parts = [norm.x[channel], norm.mean, norm.std, norm.gain[channel], norm.shift[channel]]
    (x, mean, std, gain, shift), result = round_consistently(
        [float(part) for part in parts],
        float(norm.result[channel]),
        lambda p: (p[0] - p[1]) / (p[2] or 1) * p[3] + p[4],  # a std that rounds to 0 needs more decimals
    )
    centred = f"({x} − {in_brackets(mean)})" if norm.mean else x
    added = f" + {in_brackets(shift)}" if norm.shift.any() else ""
    return f"{centred} / {std} × {in_brackets(gain)}{added} = **{result}**"


def section(title: str, text: str, values: Mapping[str, int | float | str] | None = None) -> None:
    """Draw a section's title and text, in which `{N}` is a symbol and `{N=}` a symbol with its value."""
    st.header(title, anchor=False)
    draw_text(text, values)


def draw_text(text: str, values: Mapping[str, int | float | str] | None = None) -> None:
    """Draw text with symbols, see `vitviz.ui.widgets.symbols.html`."""
    st.markdown(symbols.html(text, values), unsafe_allow_html=True)


def draw_checks(checks: Iterable[Check], key: str) -> None:
    """Draw one line for all checks of a section; it opens to the values computed by hand beside the model's.

    Args:
        checks: checks of the section; none draws nothing.
        key: identity of the section on the page, such as `"scores"`.
    """
    checks = tuple(checks)
    if not checks:
        return
    holding = sum(check.holds for check in checks)
    if holding == len(checks):
        label = ":green-badge[✓] Checked against the model"
    else:
        label = f":red-badge[✗] Computed by hand: {len(checks) - holding} of {len(checks)} values differ from the model"
    with st.container(key=f"checks_{key}"), st.expander(label):
        for check in checks:
            st.markdown(describe_check(check))


def describe_check(check: Check) -> str:
    """Describe a value computed by hand, the model's, and their difference, as Markdown."""
    ours, models = np.ravel(check.computed), np.ravel(check.model)
    values = f"by hand **{number(float(ours[0]))}**, model **{number(float(models[0]))}**"
    if len(ours) > 1:
        values = f"{len(ours):,} numbers, the first {values}"
    difference = f"relative difference {check.error:.0e}" if check.error else "exactly equal"
    return f"{check.label}: {values} ({difference})"
