"""Settings of the page "Explore"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...app import state
from ...app.second_image import SECOND
from ...app.settings import Setting
from ...app.views import STYLE, VIEW
from ..compare.settings import LINES, SHOW, THRESHOLD


def _with_second_image(setting: Setting, **changes: Any) -> Setting:
    """Return the setting, changed; links contain it only if there is a second image."""
    return replace(
        setting,
        write=lambda value, choice: setting.write(value, choice) if SECOND.is_set(choice) else "",
        **changes,
    )


OPENED = replace(VIEW, default=state.opening, has_regions=True)  # the view; by default a telling one
SHOWN = _with_second_image(SHOW, key="explore_show", default="attention")  # in the pictures of both images
SETTINGS = (OPENED, STYLE, SECOND, SHOWN, _with_second_image(LINES), _with_second_image(THRESHOLD))
