"""Frame of every page: reads the link once, draws the sidebar, and updates the address bar."""

from collections.abc import Callable
from functools import wraps

import streamlit as st

from ...model.hooks import between_blocks
from ..components import own_image
from ..components.projector import projector
from ..components.streamlit_fixes import streamlit_fixes
from . import (
    class_choice,
    class_link,
    link,
    notices,
    pad,
    registry,
    settings,
    sidebar,
    state,
    taught,
    teaching,
    tour,
)
from .catalogue import catalogue_if_open
from .connections import stop_if_closed
from .messages import show_errors
from .projector import PROJECTOR
from .turns import one_at_a_time

_RUNNING = "page_is_run_by_shell"  # key in the session: whether `run` is drawing a page
_PAGE, _WRITTEN = "page", "address_is_written"  # keys: open page, and whether this run has written its address


def run(page: st.Page) -> None:
    """Start the session if it is new, draw the parts shared by all pages, and run the page."""
    one_at_a_time.arrive()
    is_new = not state.has_begun()
    if is_new:
        parameters = st.query_params.to_dict()
        chosen, wrong = link.read_choice(parameters, state.samples())
        # pages read the other parameters once their context is known
        settings.begin(link.page_parameters(parameters))
        notices.begin(wrong)
        state.begin(**chosen)
        own_image.begin(wanted=parameters.get("image") == state.OWN)
    class_choice.check()
    taught.check()
    problem = state.model_problem()
    if is_new and not problem:
        stop, wrong = link.read_guide(parameters, tour.counts())
        tour.begin_at(stop)
        notices.add(wrong)
    st.session_state[_PAGE], st.session_state[_WRITTEN] = page.url_path, False
    st.set_page_config(page_title=f"{page.title} · vitviz")
    st.html(_ROOM)
    streamlit_fixes(page.url_path)
    if not problem:
        tour.open_stop_page(page.url_path)
    # Optional elements get containers at fixed positions. Otherwise, all following elements would change their
    # position, and Streamlit would mount them again.
    notices.make_place()
    tours_place = st.container(gap=None, key="tour_place")
    projector_place = st.container(gap=None, key="projector_place")
    pad.page_place()
    sidebar.page_place()
    own_place = st.container(gap=None, key="own_place")
    notices.begin_run()
    st.session_state[_RUNNING] = True
    try:
        with show_errors(), between_blocks(stop_if_closed):
            with own_place:
                own_image.own_image(notices.repeat)
            if problem:
                sidebar.model_load_failure(problem)
            elif own_image.is_waiting():
                st.caption("Restoring your image …")
            else:
                sidebar.sidebar(page.url_path)
                with tours_place:
                    tour.tour(page.url_path)
                with projector_place:
                    projector(page.url_path, on_share=class_link.open_dialog)
                page.run()
                if not st.session_state[_WRITTEN]:
                    write_address()
        catalogue_if_open()
        class_link.dialog_if_open()
        teaching.dialog_if_open()
    finally:
        st.session_state[_RUNNING] = False


def enter(page: str) -> None:
    """Enter a page, given by its file. Restart through app.py if Streamlit runs the page directly.

    Before the first call of `st.navigation`, Streamlit takes the folder `pages` for an app of the old kind, and may run
    the page of the first link without app.py. Calling `st.navigation` prevents that from then on.
    """
    if not st.session_state.get(_RUNNING):
        st.navigation([st.Page(lambda: None, title="app", default=True), st.Page(page)], position="hidden")
        st.switch_page(page, query_params=st.query_params.to_dict())


def write_address() -> None:
    """Update the address bar to a link with the current choice and the settings of the page."""
    st.session_state[_WRITTEN] = True  # even if an error follows, which is then shown
    choice = state.choice()
    parameters = link.choice_parameters(choice) | tour.parameters() | PROJECTOR.to_link()
    for setting in registry.page_at(st.session_state[_PAGE]).settings:
        parameters |= setting.to_link(choice)
    notices.show()  # on invalid parameters of the link, which have been read by now
    # Needed even if they have not changed: a run of a previous page may have sent others to the browser meanwhile.
    st.query_params.from_dict(parameters)


def fragment(draw: Callable[[state.Choice], None]) -> Callable[[state.Choice], None]:
    """Turn a function into a fragment, which runs alone after a click in it, and updates the address each time.

    Args:
        draw: function that draws the fragment for a choice of image and model. Errors of vitviz are shown in its place.
            If the class no longer shares the image, or a click in the fragment has chosen another model or needs a
            notice, the whole page runs instead.
    """

    @st.fragment
    @show_errors()
    @wraps(draw)
    def part(choice: state.Choice) -> None:
        # the notices are outside of the fragment, which can write there only while the whole page runs
        has_notices = notices.is_pending() and not st.session_state.get(_RUNNING)
        if class_choice.has_ended() or state.choice().model != choice.model or has_notices:
            st.rerun()
        with st.empty():  # fixed position for spinners
            state.trace(choice)
            write_address()
        with between_blocks(stop_if_closed):  # also in a run of the fragment alone
            draw(choice)

    return part


# Reduce Streamlit's top padding, so that the explorer fits on a laptop screen. If Streamlit's font is not loaded,
# adjust the fallback font to the same x-height (0.486 em), so that lines hold about the same text. Icon fonts and
# formulas are excluded.
_ROOM = """<style>
body { font-size-adjust: 0.486; }
button, input, select, textarea { font-size-adjust: inherit; }
code, pre, .katex, [data-testid="stIconMaterial"] { font-size-adjust: none; }
[data-testid="stMainBlockContainer"] { padding: 4.4rem 2.5rem 3rem; }
[data-testid="stCaptionContainer"] { opacity: 1; color: color-mix(in srgb, currentColor 75%, transparent); }
[data-testid="stBaseButton-primary"] { color: light-dark(#ffffff, #121016); } /* readable on primaryColor */
[data-testid="stButtonGroup"] > div { flex-wrap: wrap; } /* wrap instead of being cut */
[data-testid="stSidebarContent"] [data-testid="stVerticalBlock"] { gap: 0.7rem; }
/* Outline that shows the edge of maps with the same brightness as the page. */
.vv-maps img, .vv-map .photo, .vv-pair figure > img { outline: 1px solid rgb(128 128 128 / 70%); }
.st-key-notices {
  position: fixed; right: 1rem; bottom: 1rem; z-index: 999999; width: min(30rem, calc(100vw - 2rem)) !important;
  max-height: 60vh; overflow-y: auto; border-radius: 0.5rem; background: Canvas;
  box-shadow: 0 0.2rem 1rem rgb(0 0 0 / 25%);
}
[data-testid="stLayoutWrapper"]:has(
  > .st-key-notices, > .st-key-tour_place, > .st-key-projector_place, > .st-key-own_place
) { position: absolute; }
.st-key-notices [data-testid="stAlertContainer"] { padding-right: 2.6rem; }
.st-key-notices:has(details:not([open])) { display: none; } /* closed by the user */
.st-key-notices [data-testid="stElementContainer"]:has(.vv-close) { position: absolute; top: 0; right: 0; width: auto; }
.vv-close summary { list-style: none; cursor: pointer; padding: 0.6rem 0.9rem; font-size: 1.3rem; line-height: 1; }
.vv-close summary::-webkit-details-marker { display: none; }
@media print { .st-key-notices { display: none; } }
[data-testid="stSelectbox"] input { text-overflow: ellipsis; }
/* In narrow or zoomed windows, columns wrap instead of being squeezed. */
@media (max-width: 1099.98px) {
  [data-testid="stMain"] [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) { flex-wrap: wrap; }
  [data-testid="stMain"] [data-testid="stColumn"] { min-width: min(100%, 16rem); }
}
@media (max-width: 1400px) { [data-testid="stTopNavLink"] { padding-inline: 5px; gap: 5px; } } /* all in one row */
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4.2rem 1rem 3rem; } }
</style>"""
