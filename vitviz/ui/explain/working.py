"""Slow work, with a progress bar and a way to stop it.

The page is not a fragment, because Streamlit lets a click in a fragment wait until the run is over: here each click
ends the run, and with it what is being computed. What was done by then is kept; what is still asked for begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ...attribution.progress import Progress
from ...errors import VitvizError
from ..words import literally
from . import wanted


@dataclass(frozen=True)
class Work:
    """Something that takes long and was asked for.

    Attributes:
        place: where the page says how far it is.
        words: what it is.
        do: what computes it, and keeps the result.
    """

    place: DeltaGenerator
    words: str
    do: Callable[[Progress], Any]


def stop_button(key: str) -> None:
    """Stops all that is being computed for this visitor."""
    st.button("Stop", icon=":material/stop_circle:", key=key, on_click=wanted.stop)


def work(pending: Sequence[Work]) -> None:
    """Do the first piece of work, and then draw the page with it."""
    if not pending:
        return
    first = pending[0]
    bar = first.place.progress(0.0, first.words)
    try:
        first.do(lambda done, total: bar.progress(done / total, f"{first.words}: {done:,} of {total:,}"))
    except VitvizError as error:  # it will not go better the next time
        wanted.stop()
        first.place.error(literally(str(error)))
    else:
        st.rerun()
