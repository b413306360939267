"""The vitviz app: `streamlit run app.py`.

Streamlit imports this file once and serves its `app`; then it runs the file as a script, for each visitor again.
"""

from pathlib import Path

import streamlit as st

if __name__ == "__main__":
    from vitviz.ui.shell import run

    icon = Path(__file__).parent / "assets" / "icon.svg"
    st.set_page_config(page_title="vitviz", page_icon=str(icon), layout="wide")
    run(
        st.navigation(
            [
                st.Page("pages/start.py", title="Start", icon=":material/home:", default=True),
                st.Page("pages/explore.py", title="Explore", icon=":material/visibility:"),
                st.Page("pages/sequence.py", title="Image to sequence", icon=":material/grid_on:"),
                st.Page("pages/attention.py", title="Attention", icon=":material/hub:"),
                st.Page("pages/tokens.py", title="Tokens", icon=":material/scatter_plot:"),
                st.Page("pages/explain.py", title="Explain", icon=":material/lightbulb:"),
                st.Page("pages/intervene.py", title="Intervene", icon=":material/tune:"),
                st.Page("pages/lens.py", title="Lens", icon=":material/layers:"),
            ],
            position="top",
        )
    )
else:
    from vitviz.ui import serving

    app = st.App(__file__, middleware=serving.MIDDLEWARE, lifespan=serving.lifespan)
