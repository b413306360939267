"""The page "Start": introduction, choice of an image, and links to all pages."""

from __future__ import annotations

import streamlit as st

from ...app import shell, sidebar, state, teaching, tour
from ...app.registry import offered, page_at
from ...components import own_image
from ..lesson import overview

LOOKS = """<style>
[data-testid="stMain"] h2 { font-size: 1.4rem; padding: 0.8rem 0 0; }
.st-key-page_cards > div { flex: 1 1 13rem; }
.st-key-page_cards [data-testid="stPageLink"] a { padding-left: 0; }
.st-key-page_cards [data-testid="stPageLink"] p { font-weight: 600; }
/* the whole card is the link */
.st-key-page_cards [data-testid="stVerticalBlock"] { position: relative; }
.st-key-page_cards [data-testid="stVerticalBlock"] :not(a) { position: static; }
.st-key-page_cards a::after { content: ""; position: absolute; inset: 0; }
.st-key-page_cards [data-testid="stVerticalBlock"]:hover { border-color: var(--primary-color, currentColor); }
</style>"""


def draw() -> None:
    """Draw the page."""
    shell.write_address()
    st.html(LOOKS)
    st.title("See what a Vision Transformer sees", anchor=False)
    st.markdown(
        "A Vision Transformer splits an image into patches, and every patch can attend to every other. Point at one to "
        "see what each head of each layer attends to. Every number comes from a real model that runs on this server."
    )
    with st.container(horizontal=True):
        tour.offer("tour", "start_tour", type="primary")
        tour.offer("lesson", "start_lesson")
        teaching.button("start_teaching")
    st.header("Choose an image", anchor=False)
    chosen = sidebar.choose_sample("start_gallery", columns=min(8, len(sidebar.offered_images())), titles=True)
    st.header("Or use your own", anchor=False)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        accepted = sidebar.upload("start_upload", "Drop or paste it on any page, or choose a file")
    with right, st.container(horizontal=True, vertical_alignment="center"):
        drawn = st.button(
            "Draw a digit",
            key="start_draw",
            on_click=state.try_model,
            args=(state.DRAWS_ON,),
            icon=":material/draw:",
        )
        camera_on = sidebar.camera_switch()
    photographed = sidebar.camera(camera_on, st.container())
    st.header("Pages", anchor=False)
    with st.container(horizontal=True, key="page_cards"):
        for page in offered()[1:]:
            with st.container(border=True, gap=None, key=f"card_{page.name}"):
                st.page_link(page.file, label=page.title, icon=page.icon)
                st.caption(page.answers)
    overview.draw_map("")  # last, because the browser learns its height late
    if chosen or accepted or drawn or photographed or own_image.just_taken():
        st.switch_page(page_at("explore").file)
