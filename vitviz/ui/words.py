"""Text that is not ours, on screen; and errors, in one plain sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from ..errors import VitvizError


def literally(text: str) -> str:
    """Text that Streamlit shows as it is, although it reads Markdown: a link's or a file's words are not ours."""
    return re.sub(r"([\\`*_{}\[\]()<>#$~:|!&])", r"\\\1", text)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say what went wrong and what to do, where the library knows it; Streamlit logs anything else.

    Also a decorator, for fragments: Streamlit handles their exceptions before the page sees them.
    """
    try:
        yield
    except VitvizError as error:
        st.error(literally(str(error)))
