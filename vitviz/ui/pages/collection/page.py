"""The page "Collection": the images of a scan, and what its model makes of them."""

from __future__ import annotations

import streamlit as st

from ....analysis.scan.queries.scan_run import ScanRun, short
from ....notation.marks import percent
from ...app import models, scans, shell
from ...app.messages import escape_markdown, show_errors
from . import confusion, filters, heads, image_list, neighbours, odd, scan_data, scan_map
from .settings import CHOSEN, SCAN, SECTION, SECTIONS

SHARES = (0.76, 0.24)  # of the width: the section, and the chosen image
STICKY = """<style>
@media (min-width: 1100px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-collection_card) { position: sticky; top: 4.5rem; }
}
</style>"""
DRAW = dict(zip(SECTIONS, (scan_map.draw, confusion.draw, heads.draw, odd.draw), strict=True))


def draw() -> None:
    """Draw the page."""
    st.html(STICKY)
    st.title("Collection", anchor=False)
    page = st.session_state.pop(image_list.OPENS, None)
    if page is not None:
        st.switch_page(f"pages/{page}.py")
    collection()


@st.fragment
@show_errors()
def collection() -> None:
    """Draw a scan; what is chosen in it reruns only this fragment."""
    if image_list.OPENS in st.session_state:
        st.rerun()
    offered = scans.names()
    if not offered:
        st.info("There is no scan in the folder VITVIZ_RUNS of this server; write one with vitviz scan.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = SCAN.draw(st.selectbox, "Scan", offered, format_func=short, width=300, then=CHOSEN.reset)
        filter_place = st.container(horizontal=True, vertical_alignment="bottom")
    shell.write_address()
    run = scans.opened(name)
    _about(run)
    index = scan_data.index_of(run)
    with filter_place:
        filters.draw(run, index)
    section = SECTION.draw(st.pills, "Section", SECTIONS, required=True)
    left, right = st.columns(SHARES, gap="large")
    with left:
        DRAW[section](run, index)
    position = CHOSEN.get()
    with right, st.container(key="collection_card"):
        if position is None:
            st.caption("Choose an image to see it here.")
        has_image = position is not None and image_list.card(run, position)
    if has_image:
        neighbours.draw(run, position)


def _about(run: ScanRun) -> None:
    """Draw what was scanned, and with which model."""
    title = escape_markdown(short(models.title(run.model), 80))
    height, width = run.size
    state = ""
    if not run.complete:
        done = scan_data.overview(run, None, filters.Filter()).count
        share = f" ({percent(done / run.count)})" if run.count else ""
        state = f" The scan is not complete: {done:,} images{share} so far."
    st.caption(f"{title}, input {height} × {width} pixels, fit {escape_markdown(short(run.fit, 20))}.{state}")
