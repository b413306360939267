"""Start: what this is, and an image to begin with."""

import streamlit as st

from vitviz.ui import shell, sidebar, state, tour
from vitviz.ui.words import literally

shell.enter("pages/start.py")
shell.write_address()

st.title("See what a Vision Transformer sees", anchor=False)
st.markdown(
    "A Vision Transformer cuts an image into patches and lets every patch look at every other. "
    "Here you point at a patch and see, at once, where each head of each layer of a real model looks from there. "
    "Every number comes from the model, which runs on the machine that serves this page and needs no network."
)
tour.offer("start_tour", type="primary")
left, right = st.columns([3, 2], gap="large")
with left:
    st.header("Begin with a sample", anchor=False)
    chosen = sidebar.choose_sample("start_gallery", columns=3, titles=True)
with right:
    st.header("Or with your own photo", anchor=False)
    accepted = sidebar.upload("start_upload", "Drop a photo here")
    st.caption(sidebar.FORMATS)
    st.page_link(
        "pages/explore.py", label=f"Explore {literally(state.choice().picked.name)}", icon=":material/visibility:"
    )
    st.header("Or draw a digit", anchor=False)
    st.caption("A second model, which ships too, has ten classes and says which one it sees.")
    drawn = st.button("Draw a digit", on_click=state.try_model, args=(state.DRAWS_ON,), icon=":material/draw:")
if chosen or accepted or drawn:
    st.switch_page("pages/explore.py")
