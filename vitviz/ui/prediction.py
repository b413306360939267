"""What the model says of the image: the likeliest classes, as bars."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from ..colour import ATTENTION, percent
from ..predictions import Prediction


def prediction_bars(found: Sequence[Prediction], key: str) -> None:
    """Draw predictions, the likeliest first.

    Args:
        found: what the model says.
        key: where it stands; `"phone"` shows it on narrow screens only, which have no sidebar beside the picture.
    """
    rows = "".join(
        f'<li data-class="{escape(one.label)}" data-probability="{one.probability:.9f}">'
        f"<span>{escape(one.label)}</span>"
        f'<i style="--share:{100 * one.probability:.2f}%"></i><b>{percent(one.probability)}</b></li>'
        for one in found
    )
    st.html(f'{_STYLE}<ol class="prediction {key}" data-testid="prediction-{key}" aria-label="Prediction">{rows}</ol>')


_STYLE = f"""<style>
.prediction {{ list-style: none; margin: 0; padding: 0; font-size: 0.875rem; display: grid; gap: 0.3rem; }}
.prediction.phone {{ display: none; }}
@media (max-width: 640px) {{ .prediction.phone {{ display: grid; }} }}
.prediction li {{ display: grid; grid-template-columns: 1fr auto; gap: 0 0.5rem; margin: 0; padding: 0; }}
.prediction span {{ overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }}
.prediction b {{ font-weight: 400; font-variant-numeric: tabular-nums; }}
.prediction i {{ grid-column: 1 / -1; height: 0.3rem; border-radius: 0.15rem;
  background: linear-gradient({ATTENTION}, {ATTENTION}) 0 / var(--share) 100% no-repeat,
    color-mix(in srgb, currentColor 12%, transparent); }}
</style>"""
