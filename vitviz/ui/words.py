"""Text that is not ours, on screen."""

import re


def literally(text: str) -> str:
    """Text that Streamlit shows as it is, although it reads Markdown: a link's or a file's words are not ours."""
    return re.sub(r"([\\`*_{}\[\]()<>#$~:|!&])", r"\\\1", text)
