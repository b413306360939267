"""The vitviz app: `vitviz app`, or `streamlit run app.py`.

Streamlit imports this file once and serves its `app`. It then runs the file as a script for each user.
"""

import streamlit as st

if __name__ == "__main__":
    from vitviz.ui.app.registry import PAGES, offered
    from vitviz.ui.app.shell import run
    from vitviz.zoo import assets

    st.set_page_config(page_title="vitviz", page_icon=str(assets() / "icon.svg"), layout="wide")
    run(
        st.navigation(
            [st.Page(page.file, title=page.title, icon=page.icon, default=page is PAGES[0]) for page in offered()],
            position="top",
        )
    )
else:
    from vitviz.ui.app import serving

    app = st.App(__file__, middleware=serving.MIDDLEWARE, lifespan=serving.lifespan)
