"""Scripts of ours that run before those of Streamlit: how a page treats the browser's history, and its numbers."""

from pathlib import Path

_FOLDER = Path(__file__).parent
_SCRIPTS = "".join((_FOLDER / f"{name}.js").read_text("utf-8") for name in ("address", "units"))


def with_scripts(page: str) -> str:
    """The HTML of a page, with these scripts at its beginning."""
    return page.replace("<head>", f"<head><script>{_SCRIPTS}</script>", 1)
