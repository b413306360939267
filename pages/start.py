"""Start: what this is, an image to begin with, and what each page answers."""

import streamlit as st

from vitviz.ui import own, shell, sidebar, state, tour
from vitviz.ui.registry import PAGES

CARDS = """<style>
.st-key-page_cards > div { flex: 1 1 13rem; }
.st-key-page_cards [data-testid="stPageLink"] p { font-weight: 600; }
</style>"""

shell.enter("pages/start.py")
shell.write_address()

st.title("See what a Vision Transformer sees", anchor=False)
st.markdown(
    "It cuts an image into patches and lets every patch look at every other. Point at one and see where each head of "
    "each layer looks from there. Every number comes from a real model that runs on this server."
)
with st.container(horizontal=True):
    tour.offer("tour", "start_tour", type="primary")
    tour.offer("lesson", "start_lesson")
left, right = st.columns([3, 2], gap="large")
with left:
    st.header("Begin with an image", anchor=False)
    chosen = sidebar.choose_sample("start_gallery", columns=3 if st.session_state.own is None else 4, titles=True)
with right:
    st.header("Or your own", anchor=False)
    accepted = sidebar.upload("start_upload", "Drop or paste it anywhere, or choose a file")
    camera_place = st.container()
    with st.container(horizontal=True):
        drawn = st.button("Draw a digit", on_click=state.try_model, args=(state.DRAWS_ON,), icon=":material/draw:")
        photographed = sidebar.camera(camera_place)
st.header("What each page answers", anchor=False)
st.html(CARDS)
with st.container(horizontal=True, key="page_cards"):
    for page in PAGES[1:]:
        with st.container(border=True, gap=None, key=f"card_{page.name}"):
            st.page_link(page.file, label=page.title, icon=page.icon)
            st.caption(page.answers)
if chosen or accepted or drawn or photographed or own.just_taken():
    st.switch_page("pages/explore.py")
