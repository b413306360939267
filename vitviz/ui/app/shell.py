"""What surrounds every page: a link is read once, the sidebar is drawn, the address bar follows."""

from collections.abc import Callable
from functools import wraps

import streamlit as st

from ..components import own_image
from ..components.streamlit_fixes import streamlit_fixes
from . import link, notices, pad, registry, settings, sidebar, state, tour
from .catalogue import catalogue_if_open
from .messages import show_errors
from .turns import one_at_a_time

_SURROUNDED = "surrounded"  # in the session: whether a page is being drawn by `run`
_PAGE, _WRITTEN = "page", "address_is_written"  # the page that is open, and whether this run has written its address


def run(page: st.Page) -> None:
    """Begin the session if it is new, draw what all pages share, and run the page."""
    one_at_a_time.arrive()
    is_new = not state.has_begun()
    if is_new:
        parameters = st.query_params.to_dict()
        chosen, wrong = link.read_choice(parameters, state.samples())
        # pages read the rest as soon as they know what it depends on
        settings.begin({name: text for name, text in parameters.items() if name not in link.CHOICE})
        notices.begin(wrong)
        state.begin(**chosen)
        own_image.begin(wanted=parameters.get("image") == state.OWN)
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
    # What comes and goes has places that are always there: if it stood among the parts of the page, all that follow
    # would move on by one, and Streamlit would take them off the page and make them anew.
    notices.make_place()
    tours_place = st.container(gap=None, key="tour_place")
    pad.page_place()
    sidebar.page_place()
    own_place = st.container(gap=None, key="own_place")
    notices.begin_run()
    st.session_state[_SURROUNDED] = True
    try:
        with show_errors():
            with own_place:
                own_image.own_image(notices.repeat)
            if problem:
                sidebar.model_load_failure(problem)
            elif own_image.is_waiting():
                st.caption("Getting your image back …")
            else:
                sidebar.sidebar(page.url_path)
                with tours_place:
                    tour.tour(page.url_path)
                page.run()
                if not st.session_state[_WRITTEN]:
                    write_address()
        catalogue_if_open()
    finally:
        st.session_state[_SURROUNDED] = False


def enter(page: str) -> None:
    """Begin a page, given by its file as `app.py` names it. Go through app.py if this run did not.

    A server that has not yet served anybody takes the folder `pages` for Streamlit's old kind of app, and runs the page
    that the first link names without app.py. Calling `st.navigation` ends that misunderstanding for good.
    """
    if not st.session_state.get(_SURROUNDED):
        st.navigation([st.Page(lambda: None, title="app", default=True), st.Page(page)], position="hidden")
        st.switch_page(page, query_params=st.query_params.to_dict())


def write_address() -> None:
    """Make the address bar a link to the current choice, and to what the page's settings say."""
    st.session_state[_WRITTEN] = True  # or said why it cannot be
    choice = state.choice()
    parameters = link.choice_parameters(choice) | tour.parameters()
    for setting in registry.page_at(st.session_state[_PAGE]).settings:
        parameters |= setting.to_link(choice)
    notices.show()  # what the link asked for in vain: these settings have been read by now
    # Also if this run began with them: of a page that was left in a hurry, the browser may have got others meanwhile.
    st.query_params.from_dict(parameters)


def fragment(draw: Callable[[state.Choice], None]) -> Callable[[state.Choice], None]:
    """Decorator for the part of a page that alone runs again after a click in it; each time it writes the address.

    Args:
        draw: draws the part, for a choice of image and model. An error that the library knows is said in its place.
    """

    @st.fragment
    @show_errors()
    @wraps(draw)
    def part(choice: state.Choice) -> None:
        with st.empty():  # spinners come and go here, and move nothing below
            state.trace(choice)
            write_address()
        draw(choice)

    return part


# Streamlit leaves a hand's breadth of white above a page; the explorer needs it to fit a laptop's screen. And where
# Streamlit's font is not loaded, the one in its place is drawn so that its letters are as high (an x is 0.486 of the
# size): a line then holds about as much. Icons are letters of a font, too, and stay as they are.
_ROOM = """<style>
body { font-size-adjust: 0.486; }
button, input, select, textarea { font-size-adjust: inherit; }
code, pre, .katex, [data-testid="stIconMaterial"] { font-size-adjust: none; }
[data-testid="stMainBlockContainer"] { padding: 4.4rem 2.5rem 3rem; }
[data-testid="stCaptionContainer"] { opacity: 1; color: color-mix(in srgb, currentColor 75%, transparent); }
[data-testid="stBaseButton-primary"] { color: light-dark(#ffffff, #121016); } /* what can be read on primaryColor */
[data-testid="stButtonGroup"] > div { flex-wrap: wrap; } /* where there is no room, nothing is cut */
[data-testid="stSidebarContent"] [data-testid="stVerticalBlock"] { gap: 0.7rem; }
/* A map whose edge is as bright or as dark as the page ends where its line is. */
.vv-maps img, .vv-map .photo, .vv-pair figure > img { outline: 1px solid rgb(128 128 128 / 70%); }
.st-key-notices {
  position: fixed; right: 1rem; bottom: 1rem; z-index: 999999; width: min(30rem, calc(100vw - 2rem)) !important;
  max-height: 60vh; overflow-y: auto; border-radius: 0.5rem; background: Canvas;
  box-shadow: 0 0.2rem 1rem rgb(0 0 0 / 25%);
}
[data-testid="stLayoutWrapper"]:has(> .st-key-notices, > .st-key-tour_place, > .st-key-own_place) {
  position: absolute;
}
.st-key-notices [data-testid="stAlertContainer"] { padding-right: 2.6rem; }
.st-key-notices:has(details:not([open])) { display: none; } /* whoever has read it closes it */
.st-key-notices [data-testid="stElementContainer"]:has(.vv-close) { position: absolute; top: 0; right: 0; width: auto; }
.vv-close summary { list-style: none; cursor: pointer; padding: 0.6rem 0.9rem; font-size: 1.3rem; line-height: 1; }
.vv-close summary::-webkit-details-marker { display: none; }
@media print { .st-key-notices { display: none; } }
[data-testid="stSelectbox"] input { text-overflow: ellipsis; }
/* In a narrow or enlarged window, what would be squeezed beside something else goes below it. */
@media (max-width: 1099.98px) {
  [data-testid="stMain"] [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) { flex-wrap: wrap; }
  [data-testid="stMain"] [data-testid="stColumn"] { min-width: min(100%, 16rem); }
}
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4.2rem 1rem 3rem; } }
</style>"""
