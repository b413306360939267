"""Scripts that run before those of Streamlit, for the browser history, the sidebar, and units of numbers."""

from pathlib import Path

_FOLDER = Path(__file__).parent
_SCRIPTS = "".join((_FOLDER / f"{name}.js").read_text("utf-8") for name in ("address", "sidebar", "units"))


def add_scripts(page: str) -> str:
    """Return the HTML of a page with the scripts at the end of its head, after the viewport used by media queries."""
    return page.replace("</head>", f"<script>{_SCRIPTS}</script></head>", 1)
