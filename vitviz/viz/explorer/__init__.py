"""Attention explorer for browsers: the data it needs, and its markup, style and scripts.

The app, notebooks and files show the same explorer: each has a short script that creates an `Explorer` (explorer.js)
and hands it the parts made by `payload.payload`.
"""

from pathlib import Path

from ..browser import THEME, Markup

FOLDER = Path(__file__).parent
_STYLES = [(FOLDER / name).read_text("utf-8") for name in ("explorer.css", "linked.css", "screen.css")]
MARKUP = Markup((FOLDER / "explorer.html").read_text("utf-8"), THEME + "".join(_STYLES))
