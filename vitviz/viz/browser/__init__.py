"""Parts of browser components that do not depend on Streamlit: scripts, styles, and the format of their data."""

from pathlib import Path
from typing import NamedTuple

from ..colour import KEY, QUERY

# The chosen token and its keys have the same colours as in all pictures.
THEME = (Path(__file__).parent / "theme.css").read_text("utf-8") + (
    f":host, :root {{ --query: {QUERY}; --key: {KEY}; }}\n"
)


class Markup(NamedTuple):
    """Markup and style sheet of a component.

    Attributes:
        html: markup.
        css: style sheet, including `THEME`.
    """

    html: str
    css: str
