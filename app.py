"""The vitviz app: `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

from vitviz.ui.registry import PAGES
from vitviz.ui.shell import run

st.set_page_config(page_title="vitviz", page_icon=str(Path(__file__).parent / "assets" / "icon.svg"), layout="wide")
run(
    st.navigation(
        [st.Page(page.file, title=page.title, icon=page.icon, default=page is PAGES[0]) for page in PAGES],
        position="top",
    )
)
