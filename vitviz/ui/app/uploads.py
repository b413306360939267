"""A drop zone that empties itself once it has handed on a file.

Streamlit's own would go on naming the file that was dropped last, also when that was refused, or another image has been
chosen since; and its button to remove the file would remove nothing that is shown.
"""

from collections.abc import Callable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile


def drop_zone(
    label: str, take: Callable[[str, bytes], None], *, key: str, help: str | None = None, many: bool = False
) -> None:
    """Draw a drop zone for image files.

    Args:
        label: what it is for.
        take: called with the name and the bytes of a file, before the page runs again.
        key: of the zone in the session, and the class `st-key-...` of the place that it has in the page.
        help: more about it, behind a question mark.
        many: whether several files can be dropped at once; `take` is called for each.
    """
    turn = st.session_state.setdefault(f"{key}_turn", 0)

    def hand_on() -> None:
        dropped = st.session_state[f"{key}_{turn}"]
        files = [file for file in (dropped if many else [dropped]) if isinstance(file, UploadedFile)]
        if dropped:  # what the server has not got, as after a restart, is none of the files
            st.session_state[f"{key}_turn"] = turn + 1  # another widget, and so an empty one
        for file in files:
            take(file.name, file.getvalue())
            _let_go(file)

    with st.container(key=key):
        st.file_uploader(label, key=f"{key}_{turn}", on_change=hand_on, help=help, accept_multiple_files=many)


def _let_go(file: UploadedFile) -> None:
    """Have the server keep a file no longer, which it would do until the session ends: the widget of it is gone."""
    context = get_script_run_ctx()
    if context is not None:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
