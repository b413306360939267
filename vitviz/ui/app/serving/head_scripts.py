"""Scripts that run before those of Streamlit: for the browser's history, the sidebar, and units of numbers."""

from pathlib import Path

_FOLDER = Path(__file__).parent
_SCRIPTS = "".join((_FOLDER / f"{name}.js").read_text("utf-8") for name in ("address", "sidebar", "units"))


def add_scripts(page: str) -> str:
    """The HTML of a page with these scripts at the end of its head: media queries need the viewport stated there."""
    return page.replace("</head>", f"<script>{_SCRIPTS}</script></head>", 1)
