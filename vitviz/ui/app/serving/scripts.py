"""Those of Streamlit's scripts that every page needs, to be asked for at once.

A browser asks for the script of a kind of element when the first such element arrives: on a slow line many round trips
for all that it imports, while the line was idle before.
"""

import re
from functools import cache
from pathlib import Path

import streamlit as st

FOLDER = Path(st.__file__).parent / "static" / "static" / "js"
_KINDS = ("BidiComponent", "Html", "Selectbox", "Checkbox", "FileUploader", "Button")
_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([\w.-]+\.js)["']""")
# What is not urgent lets what the page asks for meanwhile pass.
_LINK = '<link rel="modulepreload" fetchpriority="low" crossorigin href="./static/js/{}">'


def preloads() -> str:
    """HTML that has a browser load these scripts; empty where Streamlit gives them other names."""
    return "".join(map(_LINK.format, scripts()))


@cache
def scripts() -> tuple[str, ...]:
    """The names of these scripts, and of all that they import."""
    names = {path.name: None for kind in _KINDS for path in sorted(FOLDER.glob(f"{kind}.*.js"))}
    waiting = list(names)
    while waiting:
        for name in _IMPORT.findall((FOLDER / waiting.pop()).read_text("utf-8")):
            if name not in names:
                names[name] = None
                waiting.append(name)
    return tuple(names)
