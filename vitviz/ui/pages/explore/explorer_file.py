"""Download of the explorer as a file, with a choice of layers where all of them would make it large."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ....notation.view import View
from ....trace.trace import Trace
from ....viz.colour import Style
from ....viz.explorer.contents import Shown, kept_layers
from ....viz.explorer.standalone import page
from ...app import models, state
from ...app.cache import cached
from . import linked_views

LABEL = "Explorer (HTML)"
MEGABYTE = 1_000_000


def draw(choice: state.Choice, trace: Trace, view: View, style: Style, name: str) -> None:
    """Draw the download button; the file is made on click."""
    kept = kept_layers(trace, view)
    if len(kept) == trace.layers:
        _button(LABEL, choice, view, style, kept, name)
        return
    with st.popover(LABEL, key="explorer_file", on_change="rerun") as more:
        if more.open:
            layers = st.multiselect(
                "Layers that follow the pointer",
                range(trace.layers),
                kept,
                format_func=lambda layer: f"{layer + 1}",
                key=f"explorer_file_layers_{trace.layers}",
                help="The layer that is shown is always one of them.",
            )
            chosen = kept_layers(trace, view, layers)
            one, two = (_size(choice.key, count, style.linked, choice) for count in (1, 2))
            st.caption(f"About {(one + (len(chosen) - 1) * (two - one)) / MEGABYTE:.1f} MB")
            _button("Download", choice, view, style, chosen, name)


def _button(label: str, choice: state.Choice, view: View, style: Style, layers: Sequence[int], name: str) -> None:
    # the session keeps this callback: it must not hold a trace, which the cache may have dropped by then
    def contents() -> bytes:
        return _contents(choice, view, style, layers)

    st.download_button(label, contents, f"{name}.html", "text/html", on_click="ignore", key="explorer_file_download")


def _contents(choice: state.Choice, view: View, style: Style, layers: Sequence[int]) -> bytes:
    recorded = state.trace(choice)
    picture = Shown(choice.picked.name, state.picture(choice))
    tokens = linked_views.of_file(choice, recorded, view, layers) if style.linked else ()
    title = models.title(choice.model)
    return page(recorded, view, tuple(layers), picture, style=style, model_title=title, tokens=tokens).encode("utf-8")


@cached()
def _size(key: tuple, count: int, linked: bool, _choice: state.Choice) -> int:
    """Return the bytes of a file with the first `count` layers; those of other layers take about the same."""
    return len(_contents(_choice, View(0), Style(linked=linked), range(count)))
