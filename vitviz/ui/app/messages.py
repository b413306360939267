"""Text that is not ours, on screen; and errors, in one plain sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from ...errors import VitvizError


def escape_markdown(text: str) -> str:
    """Text that Streamlit shows as it is, although it reads Markdown: a link's or a file's words are not ours.

    Signs that cannot be seen, such as line ends and those that turn the direction of writing round, become spaces.
    """
    seen = "".join(sign if sign.isprintable() or sign in "\u00a0\u202f" else " " for sign in text)
    escaped = re.sub(r"([\\`*_{}\[\]()<>#$~:|!&])", r"\\\1", seen.lstrip(" "))
    return re.sub(r"^([-+=]|[0-9]+(?=[.)](?:\s|$)))", _not_a_list, escaped)


def _not_a_list(match: re.Match) -> str:
    """What begins a list or a line in Markdown, `-` or the number in `12.`, so that it begins none."""
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


@contextmanager
def show_errors() -> Iterator[None]:
    """Say what went wrong and what to do, where the library knows it; Streamlit logs anything else.

    Also a decorator, for fragments: Streamlit handles their exceptions before the page sees them.
    """
    try:
        yield
    except VitvizError as error:
        st.error(escape_markdown(str(error)))
