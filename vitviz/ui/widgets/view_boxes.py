"""Boxes for the layer and the head that all pages follow."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ...trace.trace import Trace
from ..app.settings import bound
from ..app.views import VIEW


def layer_and_head(trace: Trace, layer: int, head: int, key: str, **options: Any) -> None:
    """Draw boxes for layer and head, from 1.

    Args:
        trace: trace that is shown.
        layer: chosen layer, from 0.
        head: chosen head, from 0.
        key: start of the keys of the boxes.
        **options: further arguments of `st.selectbox`.
    """
    for name, count, chosen in (("layer", trace.layers, layer), ("head", trace.heads, head)):
        bound(
            st.selectbox,
            name.capitalize(),
            range(count),
            key=f"{key}_{name}",
            value=chosen,
            take=lambda place, name=name: VIEW.change(**{name: place}),
            format_func=lambda place, count=count: f"{place + 1} of {count}",
            **options,
        )
