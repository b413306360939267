"""Drop zone that is cleared after each upload.

Streamlit's uploader would keep showing the name of the last file, even if the file was rejected or another image has
been chosen since, with a remove button that has no effect.
"""

from collections.abc import Callable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile


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


def _release(file: UploadedFile) -> None:
    """Delete a file on the server, which would otherwise keep it until the session ends."""
    context = get_script_run_ctx()
    if context is not None:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
