"""Teacher's guide, docs/teaching.md, shown over the page."""

import streamlit as st

from ...notation.installation import app_folder

FILE = app_folder() / "docs" / "teaching.md"
_OPEN = "teaching_is_open"


def button(key: str) -> None:
    """Draw the button that opens the guide, if its file is there."""
    if FILE.exists():
        st.button("Teacher's guide", icon=":material/co_present:", key=key, on_click=_set_open, args=(True,))


def dialog_if_open() -> None:
    """Draw the guide over the page if it is open."""
    if st.session_state.get(_OPEN):
        _dialog()


def _set_open(is_open: bool) -> None:
    st.session_state[_OPEN] = is_open


@st.dialog("Teacher's guide", width="large", on_dismiss=lambda: _set_open(False))
def _dialog() -> None:
    _, _, text = FILE.read_text("utf-8").partition("\n")  # the first line is the title
    st.markdown(text)
