"""The vitviz app: `streamlit run app.py`."""

import streamlit as st

from vitviz.ui.shell import shell

st.set_page_config(page_title="vitviz", page_icon="assets/icon.svg", layout="wide")
page = st.navigation(
    [
        st.Page("pages/start.py", title="Start", icon=":material/home:", default=True),
        st.Page("pages/explore.py", title="Explore", icon=":material/visibility:"),
    ]
)
shell()
page.run()
