"""HTML page as served, before any script has run."""

from pathlib import Path
from string import Template

import streamlit as st

from .scripts import preloads

_ROOT = '<div id="root"></div>'  # element in which Streamlit draws the page
_OUTLINE = Template((Path(__file__).parent / "outline.html").read_text("utf-8"))


def add_outline(page: str) -> str:
    """Add the outline, the title and preloads to Streamlit's page. The outline is shown until an element is drawn.

    Args:
        page: HTML as served by Streamlit. Parts that it lacks are not replaced.
    """
    page = page.replace("<title>Streamlit</title>", "<title>vitviz</title>", 1)
    page = page.replace("</head>", f"{preloads()}</head>", 1)
    return page.replace(_ROOT, f"{_ROOT}{outline()}", 1)


def outline() -> str:
    """Return an outline of the sidebar, the image and the maps, as HTML in the colours of .streamlit/config.toml."""
    colours = {
        f"{theme}_{part}": st.get_option(f"theme.{theme}.{option}")
        for theme in ("light", "dark")
        for part, option in (("page", "backgroundColor"), ("part", "secondaryBackgroundColor"))
    }
    return _OUTLINE.substitute(colours)
