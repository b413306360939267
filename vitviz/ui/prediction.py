"""What the model says of the image: the likeliest classes, as bars."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from ..colour import ATTENTION, percent
from ..predictions import Prediction


def prediction_bars(found: Sequence[Prediction], *, one_of_all: bool, one_line: bool = False) -> None:
    """Draw predictions side by side, the likeliest first; on a phone one below the other.

    Args:
        found: the likeliest classes.
        one_of_all: whether one class is right, so that the shares of all sum to 100 %; else each stands alone.
        one_line: whether they stay side by side on a phone too, and are as high as `no_prediction`.
    """
    rows = "".join(
        f'<li data-class="{escape(one.label)}" data-probability="{one.probability:.9f}" title="{escape(one.label)}">'
        f"<span>{escape(one.label)}</span><b>{percent(one.probability)}</b>"
        f'<i style="--share: {100 * one.probability:.2f}%"></i></li>'
        for one in found
    )
    words = "Prediction" if one_of_all else "Prediction, each class on its own"
    title = f'<span class="title" id="prediction">{words}</span>'
    bars = f'<ol data-testid="prediction" aria-labelledby="prediction">{rows}</ol>'
    _draw(f"{title}{bars}", one_line)


def no_prediction(numbers: int) -> None:
    """Say that a model predicts no classes, in one line, so that what is below stays where it is.

    Args:
        numbers: how many it returns instead.
    """
    _draw(f'<span class="title">This model names no classes: it returns {numbers:,} numbers.</span>', one_line=True)


def _draw(inner: str, one_line: bool) -> None:
    st.html(f'{_STYLE}<div class="vv-outcome{" line" if one_line else ""}">{inner}</div>')


_STYLE = f"""<style>
.vv-outcome {{ display: flex; align-items: center; gap: 0.4rem 1.2rem; font-size: 0.875rem; }}
.vv-outcome.line {{ height: 2rem; }}
.vv-outcome .title {{ opacity: 0.7; line-height: 1.15; }}
.vv-outcome ol {{ min-width: 0; list-style: none; margin: 0 !important; padding: 0 !important; font-size: inherit;
  flex: 1; display: grid; gap: 0.3rem 1rem; grid-template-columns: repeat(5, minmax(0, 1fr)); }}
.vv-outcome li {{ margin: 0 !important; padding: 0 !important; font-size: inherit;
  display: grid; gap: 0.1rem 0.5rem; grid-template-columns: minmax(0, 1fr) auto; }}
.vv-outcome li:first-child {{ font-weight: 600; }}
.vv-outcome li span {{ overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }}
.vv-outcome b {{ font-weight: inherit; font-variant-numeric: tabular-nums; }}
.vv-outcome i {{ grid-column: 1 / -1; height: 0.3rem; border-radius: 0.15rem;
  background: linear-gradient({ATTENTION}, {ATTENTION}) 0 / var(--share) 100% no-repeat,
    color-mix(in srgb, currentColor 12%, transparent); }}
@media (max-width: 640px) {{
  .vv-outcome:not(.line) {{ flex-direction: column; align-items: stretch; }}
  .vv-outcome:not(.line) ol {{ grid-template-columns: 1fr; }}
  .vv-outcome.line ol {{ grid-template-columns: repeat(5, minmax(5.5rem, 1fr)); overflow-x: auto; }}
}}
</style>"""
