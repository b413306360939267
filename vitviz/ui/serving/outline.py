"""What stands in a page before any script of Streamlit has arrived: its outline, and how it treats address and text."""

from pathlib import Path
from string import Template

import streamlit as st

_PAGE = Template((Path(__file__).parent / "outline.html").read_text("utf-8"))


_SCRIPTS = "".join((Path(__file__).parent / script).read_text("utf-8") for script in ("address.js", "units.js"))


def first_html() -> str:
    """What the first HTML holds besides Streamlit's: the outline, and what has to run before Streamlit's scripts."""
    return f"{outline()}<script>{_SCRIPTS}</script>"


def outline() -> str:
    """HTML in the colours of .streamlit/config.toml: a sidebar, and in the page an image with maps beside it."""
    colours = {
        f"{theme}_{part}": st.get_option(f"theme.{theme}.{option}")
        for theme in ("light", "dark")
        for part, option in (("page", "backgroundColor"), ("part", "secondaryBackgroundColor"))
    }
    return _PAGE.substitute(colours)
