"""Escaping of external text for Markdown, and display of errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from ...errors import VitvizError
from .class_images import NoLongerSharedError


def escape_markdown(text: str) -> str:
    """Escape text from links and files, so that Streamlit's Markdown shows it unchanged.

    Invisible characters, such as line breaks and changes of the writing direction, become spaces.
    """
    visible = "".join(char if char.isprintable() or char in "\u00a0\u202f" else " " for char in text)
    escaped = re.sub(r"([\\`*_{}\[\]()<>#$~:|!&])", r"\\\1", visible.lstrip(" "))
    return re.sub(r"^([-+=]|[0-9]+(?=[.)](?:\s|$)))", _escape_line_start, escaped)


def _escape_line_start(match: re.Match) -> str:
    """Escape the start of a list or heading underline, such as `-` or the number in `12.`."""
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


@contextmanager
def show_errors() -> Iterator[None]:
    """Show errors of vitviz on the page. Other exceptions are left to Streamlit.

    An image that is no longer shared is an error only here: the page runs again, which replaces it by a sample.

    Fragments need this as a decorator, because Streamlit handles their exceptions before the page sees them.
    """
    try:
        yield
    except NoLongerSharedError:
        st.rerun()
    except VitvizError as error:
        st.error(escape_markdown(str(error)))
