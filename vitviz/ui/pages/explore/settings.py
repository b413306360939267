"""Settings of the page "Explore"."""

from __future__ import annotations

from dataclasses import replace

from ...app import state
from ...app.second_image import SECOND
from ...app.views import STYLE, VIEW
from ...components.match import Shown
from ..compare.settings import LINES, SHOW, THRESHOLD

OPENED = replace(VIEW, default=state.opening, has_regions=True)  # the view; by default a telling one
SHOWN = replace(SHOW, key="explore_show", default="attention")  # in both pictures, if there is a second image
SETTINGS = (OPENED, STYLE, SECOND, SHOWN, LINES, THRESHOLD)


def shown() -> Shown:
    """Return what both pictures show."""
    return Shown(SHOWN.get(), LINES.get(), THRESHOLD.get())


def set_shown(value: Shown) -> None:
    """Store what both pictures show, as chosen in the component."""
    SHOWN.set(value.show)
    LINES.set(value.lines)
    THRESHOLD.set(value.threshold)
