"""What surrounds every page: a link is read once, the sidebar is drawn, the address bar follows."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import streamlit as st

from ...notation.view import TokenLayout, View, token_layout
from ...trace.trace import Trace
from ...viz.colour import Style
from ..components import own
from ..components.reach import reach
from . import link, pad, sidebar, state, tour
from .catalogue import catalogue_if_open
from .turns import one_at_a_time
from .words import literally, plain_errors


def run(page: st.Page) -> None:
    """Begin the session if it is new, draw what all pages share, and run the page."""
    one_at_a_time.arrive()
    is_new = not state.has_begun()
    if is_new:
        parameters = st.query_params.to_dict()
        chosen, notices = link.read_choice(parameters, state.samples())
        state.begin(**chosen)
        st.session_state.link = parameters  # the view in it can be read once there is a trace
        st.session_state.notices = notices
        own.begin(wanted=parameters.get("image") == link.OWN)
    problem = state.problem_of_model()
    if is_new and not problem:
        stop, wrong = link.read_guide(parameters, tour.counts())
        tour.begin_at(stop)
        st.session_state.notices += wrong
    st.set_page_config(page_title=f"{page.title} · vitviz")
    st.html(_ROOM)
    reach(page.url_path)
    if not problem:
        tour.turn_to_its_page(page.url_path)
    # What comes and goes has places that are always there: if it stood among the parts of the page, all that follow
    # would move on by one, and Streamlit would take them off the page and make them anew.
    st.session_state.notices_place = st.container(key="notices", gap="xxsmall")
    tours_place = st.container(gap=None, key="tour_place")
    pad.page_place()
    sidebar.page_place()
    own_place = st.container(gap=None, key="own_place")
    st.session_state.last_said = {"notices": [], "image_problem": None}
    show_notices()
    st.session_state.surrounded = True
    try:
        with plain_errors():
            with own_place:
                own.own_image(say_again)
            if problem:
                sidebar.model_that_does_not_load(problem)
            elif own.is_waiting():
                st.caption("Getting your image back …")
            else:
                sidebar.sidebar(page.url_path)
                with tours_place:
                    tour.tour(page.url_path)
                page.run()
        catalogue_if_open()
    finally:
        st.session_state.surrounded = False


def enter(page: str) -> None:
    """Begin a page, given by its file as `app.py` names it. Go through app.py if this run did not.

    A server that has not yet served anybody takes the folder `pages` for Streamlit's old kind of app, and runs the page
    that the first link names without app.py. Calling `st.navigation` ends that misunderstanding for good.
    """
    if not st.session_state.get("surrounded"):
        st.navigation([st.Page(lambda: None, title="app", default=True), st.Page(page)], position="hidden")
        st.switch_page(page, query_params=st.query_params.to_dict())


def show_notices() -> None:
    """Say what a link asked for in vain, and why an image was not taken; once, over the page."""
    session = st.session_state
    said = session.last_said
    said["notices"] = said["notices"] + session.notices
    said["image_problem"] = session.image_problem or said["image_problem"]
    problems = [session.image_problem] if session.image_problem else []
    with session.notices_place:
        if session.notices:
            st.warning("  \n".join(map(literally, session.notices)))
        for problem in problems:
            st.error(literally(problem))
        if session.notices or problems:
            session.said = session.get("said", 0) + 1  # another text for each, so that the browser makes it anew, open
            st.html(f'<details class="vv-close said-{session.said}" open><summary title="Close">×</summary></details>')
    session.notices, session.image_problem = [], None


def say_again() -> None:
    """Say the same once more, because the page runs again although the visitor has done nothing."""
    st.session_state.update(st.session_state.last_said)


def take_from_link(understand: Mapping[str, Callable]) -> dict:
    """What the link asks for under these names, see `link.read`; only once, for then the visitor's choices count."""
    link_ = st.session_state.link
    found, wrong = link.read(understand, {name: link_.pop(name) for name in understand if name in link_})
    st.session_state.notices += wrong
    show_notices()
    return found


def current_view(trace: Trace, opening: Callable[[], View] | None = None) -> View:
    """The user's current view: what they chose last, else what the link asks for, else what a page opens with.

    Args:
        trace: of what they look at.
        opening: the view that the page opens with, as long as nobody has chosen one; else the last layer, or what
            another page has opened with.
    """
    state = st.session_state
    if "view" not in state:
        state.view, state.notices = link.read_view(state.link, trace)
        state.view_is_chosen = any(name in state.link for name in link.VIEW)
        show_notices()
    if opening is not None and not state.view_is_chosen:
        state.view = opening()
    elif state.get("places", token_layout(trace)) != token_layout(trace):  # the same number would be another token
        state.view = state.view.without_pinned_patch(trace, state.places[0])
    state.view, state.places = state.view.fitted(trace), token_layout(trace)
    return state.view


def remember_view(view: View, seen: TokenLayout | None = None) -> None:
    """Keep a view that the visitor chose, also for their return to the page.

    Args:
        view: what they chose.
        seen: the places of the trace that they saw, if these may be others than now: on another grid the number of a
            pinned token would be another place.
    """
    now = st.session_state.places
    if seen is not None and seen != now and view.query is not None and view.query >= min(seen[0], now[0]):
        view = replace(view, query=None)
    st.session_state.view, st.session_state.view_is_chosen = view, True


def current_style() -> Style:
    """Style in which this visitor has maps drawn: what they chose last, else what the link asks for."""
    if "style" not in st.session_state:
        st.session_state.style, wrong = link.read_style(st.session_state.link)
        st.session_state.notices += wrong
        show_notices()
    return st.session_state.style


def remember_style(style: Style) -> None:
    """Keep a style that the visitor chose, also for their return to the page."""
    st.session_state.style = style


def write_address(more: Mapping[str, str] | None = None) -> None:
    """Make the address bar a link to the current choice, and to `more`."""
    parameters = link.choice_parameters(state.choice()) | tour.parameters() | dict(more or {})
    # Also if this run began with them: of a page that was left in a hurry, the browser may have got others meanwhile.
    st.query_params.from_dict(parameters)


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
