"""Bars of the top-k predictions."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from ...analysis.predictions import Prediction
from ...notation.marks import percent
from ...viz.colour import ATTENTION


def prediction_bars(predictions: Sequence[Prediction], *, one_of_all: bool, heading: str = "") -> None:
    """Draw the top-k predictions side by side; on phones, below each other.

    Args:
        predictions: top-k classes, most probable first.
        one_of_all: whether the classes are exclusive, with probabilities that sum to 100 % (softmax); otherwise, they
            are independent (sigmoid).
        heading: page heading in the same line. The bars then have the height of `no_prediction`, and phones show the
            top 3 side by side.
    """
    rows = "".join(
        f'<li data-class="{escape(one.label)}" data-probability="{one.probability:.9f}" title="{escape(one.label)}">'
        f"<span>{escape(one.label)}</span><b>{percent(one.probability)}</b>"
        f'<i style="--share: {100 * one.probability:.2f}%"></i></li>'
        for one in predictions
    )
    text = "Prediction" if one_of_all else "Prediction, independent classes"
    title = f'<span class="title" id="prediction">{text}</span>'
    bars = f'<ol data-testid="prediction" aria-labelledby="prediction">{rows}</ol>'
    _draw(f"{title}{bars}", heading)


def no_prediction(numbers: int, heading: str) -> None:
    """Draw a line stating that the model is not a classifier, with the same height as the bars.

    Args:
        numbers: output dimension.
        heading: page heading in the same line.
    """
    _draw(f'<span class="title">The model returns {numbers:,} numbers and no classes.</span>', heading)


def _draw(inner: str, heading: str) -> None:
    one_line = f"<h1>{escape(heading)}</h1>" if heading else ""
    st.html(f'{_STYLE}<div class="vv-outcome{" line" if heading else ""}">{one_line}{inner}</div>')


_STYLE = f"""<style>
.vv-outcome {{ display: flex; align-items: center; gap: 0.4rem 1.2rem; font-size: 0.875rem; }}
.vv-outcome.line {{ min-height: 2rem; }}
.vv-outcome h1 {{ margin: 0; padding: 0; font-size: 1.25rem; line-height: 2rem; white-space: nowrap; }}
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
  .vv-outcome.line {{ flex-wrap: wrap; }}
  .vv-outcome h1 {{ flex: 1 0 100%; }}
  .vv-outcome:not(.line) {{ flex-direction: column; align-items: stretch; }}
  .vv-outcome:not(.line) ol {{ grid-template-columns: 1fr; }}
  .vv-outcome.line ol {{ grid-template-columns: repeat(3, minmax(0, 1fr)); }}
  .vv-outcome.line li:nth-child(n + 4) {{ display: none; }} /* top 3 only */
}}
</style>"""
