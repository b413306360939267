"""The outline of a page, seen before any script has arrived."""

from pathlib import Path
from string import Template

import streamlit as st

_PAGE = Template((Path(__file__).parent / "outline.html").read_text("utf-8"))


def outline() -> str:
    """HTML in the colours of .streamlit/config.toml: a sidebar, and in the page an image with maps beside it."""
    colours = {
        f"{theme}_{part}": st.get_option(f"theme.{theme}.{option}")
        for theme in ("light", "dark")
        for part, option in (("page", "backgroundColor"), ("part", "secondaryBackgroundColor"))
    }
    return _PAGE.substitute(colours)
