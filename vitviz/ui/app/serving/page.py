"""The page that is served before any script has run."""

from pathlib import Path
from string import Template

import streamlit as st

from .scripts import preloads

_ROOT = '<div id="root"></div>'  # where Streamlit's scripts draw the page
_OUTLINE = Template((Path(__file__).parent / "outline.html").read_text("utf-8"))


def add_outline(page: str) -> str:
    """Streamlit's page with an outline of ours, which is seen until something is drawn, and with our name.

    Args:
        page: HTML as Streamlit serves it. What is not found in it is left out: then a page appears later.
    """
    page = page.replace("<title>Streamlit</title>", "<title>vitviz</title>", 1)
    page = page.replace("</head>", f"{preloads()}</head>", 1)
    return page.replace(_ROOT, f"{_ROOT}{outline()}", 1)


def outline() -> str:
    """HTML in the colours of .streamlit/config.toml: a sidebar, and in the page an image with maps beside it."""
    colours = {
        f"{theme}_{part}": st.get_option(f"theme.{theme}.{option}")
        for theme in ("light", "dark")
        for part, option in (("page", "backgroundColor"), ("part", "secondaryBackgroundColor"))
    }
    return _OUTLINE.substitute(colours)
