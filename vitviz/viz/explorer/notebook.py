"""Display of a trace in a notebook: a widget, or without the extra `notebook` a frame with the page of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ...errors import EditError
from ...notation.extras import missing
from ...trace.trace import Trace
from .contents import check_computable, first_view, kept_layers, shown
from .standalone import frame

if TYPE_CHECKING:  # it requires anywidget
    from .widget import ExplorerWidget


class Frame:
    """HTML that a notebook displays.

    Args:
        html: the HTML.
    """

    def __init__(self, html: str):
        self._html = html

    def _repr_html_(self) -> str:
        return self._html


def show(
    trace: Trace,
    *,
    layer: int | str | None = None,
    head: int | None = None,
    query: int | Sequence[int] | None = None,
    layers: Sequence[int] | None = None,
    image: str | Path | bytes | Image.Image | None = None,
) -> ExplorerWidget | Frame:
    """Return the explorer of a trace for a notebook; arguments and errors as in `Trace.show`."""
    view = first_view(trace, layer, head, query, layers)
    kept, picture = kept_layers(trace, view, layers), shown(trace, image)
    if missing("notebook"):
        return Frame(frame(trace, view, kept, picture))
    from .widget import ExplorerWidget

    always = kept if layers is not None or len(kept) == trace.layers else ()
    return ExplorerWidget(trace, view, always, picture)


def frame_of(trace: Trace) -> str | None:
    """Return the display of a trace as the last value of a cell; None if the explorer cannot show it."""
    try:
        check_computable(trace)
    except EditError:
        return None  # the notebook prints the trace instead
    view = first_view(trace)
    return frame(trace, view, kept_layers(trace, view), shown(trace, None))
