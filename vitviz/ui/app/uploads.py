"""Drop zone that is cleared after each upload.

Streamlit's uploader would keep showing the name of the last file, even if the file was rejected or another image has
been chosen since, with a remove button that has no effect.
"""

from collections.abc import Callable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from . import notices

LONGEST_NAME = 200  # maximum characters of a file name in a message of a browser


def drop_zone(
    label: str, take: Callable[[str, bytes], None], *, key: str, help: str | None = None, many: bool = False
) -> None:
    """Show a drop zone for image files.

    Args:
        label: label of the zone.
        take: function called with the name and the bytes of a file, before the page runs again.
        key: key of the zone in the session, and of its container (CSS class `st-key-...`).
        help: tooltip.
        many: whether several files can be dropped at once; `take` is called for each.
    """
    turn = st.session_state.setdefault(f"{key}_turn", 0)

    def hand_on() -> None:
        dropped = st.session_state[f"{key}_{turn}"]
        files = [file for file in (dropped if many else [dropped]) if isinstance(file, UploadedFile)]
        if dropped:  # true also for files that were lost by a restart of the server
            st.session_state[f"{key}_turn"] = turn + 1  # a new widget, which is empty
        for file in files:
            take(file.name, file.getvalue())
            _release(file)

    with st.container(key=key):
        st.file_uploader(label, key=f"{key}_{turn}", on_change=hand_on, help=help, accept_multiple_files=many)


def report_too_large(name: str) -> None:
    """Report a file that a browser has not sent."""
    most = st.get_option("server.maxUploadSize")
    notices.set_image_problem(f"{name}: the file is larger than {most} MB; reduce its size and try again.")


def report_lost(key: str, name: str) -> None:
    """Report a file that did not arrive in the drop zone with this key, and replace the zone, which shows an error."""
    st.session_state[f"{key}_turn"] += 1
    notices.set_image_problem(f"{name}: the upload failed; try again.")


def read_name(message: object) -> str:
    """Parse the name of a file, as sent by a browser.

    Raises:
        ValueError: if it is not a short text.
    """
    if not isinstance(message, str) or len(message) > LONGEST_NAME:
        raise ValueError("not a short text")
    return message


def _release(file: UploadedFile) -> None:
    """Delete a file on the server, which would otherwise keep it until the session ends."""
    context = get_script_run_ctx()
    if context is not None:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
