"""Link to the present view for a class: QR code, address, and sharing of the user's own image for some hours."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode, urlsplit

import streamlit as st

from ...errors import ImageError
from ..widgets import qr
from . import class_images, class_shares, network_address, state, taught
from .class_images import STORE, Share
from .lesson_section import SECTION, open_page
from .link import GUIDE, choice_parameters
from .messages import escape_markdown, show_errors
from .projector import PROJECTOR
from .settings import Setting

LEFT_OUT = (GUIDE, *PROJECTOR.names)  # query parameters that are about the teacher's own screen
ADDRESS = Setting("class_address", default=lambda address: address)  # its context is the address found
_OPEN, _PROBLEM, _CHANGED = "class_link_is_open", "class_link_problem", "class_shares_changed"


def button(key: str) -> None:
    """Draw the button that opens the class link."""
    st.button("Class link", icon=":material/qr_code_2:", key=key, on_click=open_dialog)


def open_dialog() -> None:
    """Open the class link with the next run."""
    st.session_state[_OPEN] = True


def close_dialog() -> None:
    """Close the class link."""
    st.session_state[_OPEN] = False


def dialog_if_open() -> None:
    """Draw the class link over the page if it is open."""
    if st.session_state.get(_OPEN):
        _dialog()


def parameters() -> dict[str, str]:
    """Return the query parameters of the present view, as another person can open them.

    The user's own image is included only while it is shared.
    """
    shown = {name: text for name, text in st.query_params.to_dict().items() if name not in (*LEFT_OUT, "image")}
    mark, section = image_mark(state.choice()), SECTION.get(open_page())
    at = {"section": section.get()} if section is not None and section.get() else {}
    return shown | ({"image": mark} if mark else {}) | at


def image_mark(choice: state.Choice) -> str:
    """Return the image in links that others can open; empty for an image of the user that is not shared."""
    mark = choice_parameters(choice)["image"]
    if mark != state.OWN:
        return mark
    share = _share_of(choice)
    return "" if share is None else class_images.MARK + share.name


def ends(choice: state.Choice) -> str:
    """Return the date and time at which links to the image of a choice end; empty if they do not.

    It is in the time zone of the user's browser, without which it is in that of the server.
    """
    share = _share_of(choice)
    if share is None:
        return ""
    offset = st.context.timezone_offset  # minutes west of Greenwich
    zone = None if offset is None else timezone(timedelta(minutes=-offset))
    end = datetime.now(zone) + timedelta(seconds=STORE.seconds_left(share))
    return f"{end.day} {end:%B %Y}, {end:%H:%M}"


def _share_of(choice: state.Choice) -> Share | None:
    """Return the share that links to the image of a choice refer to; None for samples and images not shared."""
    picked = choice.picked
    if isinstance(picked, class_images.ClassImage):
        return STORE.find(picked.shared)
    return None if picked.sample else class_shares.of_image(picked)


def page_address() -> str:
    """Return the address of the open page, as the user's browser sees it, without query parameters."""
    if st.context.url:
        return st.context.url
    return f"http://localhost:{st.get_option('server.port')}/"  # a browser that does not say


def network_page() -> str | None:
    """Return the address of the open page for phones in the network; None if they cannot open it."""
    found = page_address()
    if not network_address.is_loopback(urlsplit(found).hostname or "localhost"):
        return found
    origin = network_address.checked_origin(ADDRESS.get(_proposed(found))) if _serves_network() else None
    return None if origin is None else network_address.at_origin(found, origin)


def _serves_network() -> bool:
    """Return True if the server answers other machines."""
    return network_address.serves_network(st.get_option("server.address"))


def _proposed(found: str) -> str:
    """Return the origin of a page with this machine's address in the network; empty if it is in no network."""
    local = network_address.local_address()
    return "" if local is None else network_address.on_host(found, local)


def time_left(name: str) -> str:
    """Describe for how long an image is shared."""
    share = STORE.find(name)
    if share is None:
        return class_images.GONE
    left = class_images.format_duration(STORE.seconds_left(share))
    return f"Shared with the class for another {left}, and kept in the server's memory until then."


@st.dialog("Class link", width="large", on_dismiss=close_dialog)
def _dialog() -> None:
    if st.session_state.pop(_CHANGED, False):
        st.rerun()  # the sidebar describes the image, and the browser keeps the secret
    with show_errors():
        with st.container(key="class_image"):
            _shares()
            if state.chosen_mark() == state.OWN:
                _own_image()
            elif state.chosen_mark() == state.CLASS:
                st.caption(time_left(state.choice().picked.shared))
        if taught.is_used():
            st.caption("Your classes are not in the link: the model is shown without them.")
        base = _base()
        if base is not None:
            _link(f"{base}?{urlencode(parameters())}")


def _link(url: str) -> None:
    """Draw the QR code and the address."""
    drawn = qr.qr_html(url, "QR code of the link below")
    if drawn:
        st.html(qr.STYLE + drawn)
    else:
        st.warning("This link is too long for a QR code; send it as text.")
    end = ends(state.choice())
    if end:
        with st.container(key="class_until"):
            st.markdown(f"This link opens the image until **{end}**.")
    with st.container(key="class_url"):
        st.code(url, language=None, wrap_lines=True)


def _base() -> str | None:
    """Return the address of this page for other devices, and draw what is in the way."""
    found = page_address()
    if not network_address.is_loopback(urlsplit(found).hostname or "localhost"):
        return found
    if not _serves_network():
        st.warning(
            "Only this computer can open the link. To let phones in, start the app with `vitviz app --address 0.0.0.0` "
            "or `make run HOST=0.0.0.0`."
        )
        return found
    proposed = _proposed(found)
    others = [f"`{network_address.on_host(found, host)}`" for host in network_address.local_addresses()]
    typed = ADDRESS.draw(
        st.text_input,
        "Address of this computer in the network",
        context=proposed,
        help="Phones must be in the same network. Correct it if this computer is in several networks.",
    )
    others = [other for other in others if other != f"`{typed}`"]
    if others:
        st.caption(f"Other addresses of this computer: {', '.join(others)}")
    origin = network_address.checked_origin(typed)
    if origin is None:
        example = network_address.on_host(found, "192.168.0.2")
        if typed.strip():
            problem = "Phones cannot open this address."
        else:
            problem = "No address of this computer was found. Look it up in the network settings of the computer."
        st.warning(f"{problem} Type http:// and the name or number of this computer in the network, such as {example}.")
        return None
    return network_address.at_origin(found, origin)


def _shares() -> None:
    """Draw the images that this session shares, whatever image is chosen, each with the button that ends it."""
    if st.session_state.get(_PROBLEM):
        st.error(escape_markdown(st.session_state.pop(_PROBLEM)))
    for share in class_shares.shares():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{escape_markdown(share.title)}.** {time_left(share.name)}", width="stretch")
            # with the name alone: Streamlit keeps the arguments for as long as the session
            st.button("End sharing", key=f"class_end_{share.name}", on_click=_end, args=(share.name,))


def _own_image() -> None:
    """Draw that the user's own image is not shared, if so, and the button that shares it."""
    hours = class_images.hours()
    if class_shares.of_image(state.choice().picked) is not None:
        return
    if hours:
        duration = class_images.format_duration(3600 * hours)
        st.markdown(
            f"Your image is not in the link. If you share it, everybody with the link can see it for {duration} "
            "or until you end it. The server keeps it in memory only."
        )
        label = f"Share my image for {duration}"
        st.button(label, key="class_share", type="primary", on_click=_share, args=(hours,))
    else:
        st.caption("Your own image is not in the link: a sample is shown instead. This server shares no images.")


def _share(hours: float) -> None:
    try:
        class_shares.begin(state.choice().picked, hours)
        st.session_state[_CHANGED] = True
    except ImageError as error:
        st.session_state[_PROBLEM] = str(error)


def _end(name: str) -> None:
    class_shares.end(name)
    st.session_state[_CHANGED] = True
