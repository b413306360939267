"""Settings of the page "Explore"."""

from __future__ import annotations

from dataclasses import replace

from ...app import state
from ...app.views import STYLE, VIEW

OPENED = replace(VIEW, default=state.opening, has_regions=True)  # the view; by default a telling one
SETTINGS = (OPENED, STYLE)
