"""Preloading of the Streamlit scripts that every page needs.

Otherwise, a browser requests the script of an element type, and then its imports, only when the first such element
arrives. On slow connections, this costs many round trips.
"""

import re
from functools import cache
from pathlib import Path

import streamlit as st

FOLDER = Path(st.__file__).parent / "static" / "static" / "js"
_KINDS = ("BidiComponent", "Html", "Selectbox", "Checkbox", "FileUploader", "Button")
_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([\w.-]+\.js)["']""")
# Low priority, so that preloads do not delay requests of the page.
_LINK = '<link rel="modulepreload" fetchpriority="low" crossorigin href="./static/js/{}">'


def preloads() -> str:
    """Return the preload links as HTML; empty if a version of Streamlit uses other file names."""
    return "".join(map(_LINK.format, scripts()))


@cache
def scripts() -> tuple[str, ...]:
    """Return the file names of these scripts and of all their imports."""
    names = {path.name: None for kind in _KINDS for path in sorted(FOLDER.glob(f"{kind}.*.js"))}
    waiting = list(names)
    while waiting:
        for name in _IMPORT.findall((FOLDER / waiting.pop()).read_text("utf-8")):
            if name not in names:
                names[name] = None
                waiting.append(name)
    return tuple(names)
