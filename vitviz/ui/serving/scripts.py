"""Those of Streamlit's scripts that every page needs, to be asked for at once.

A browser asks for the script of a kind of element when the first such element arrives, and for what that imports when it
has the script: on a slow line several round trips, while the line is idle before.
"""

import re
from functools import cache
from pathlib import Path

import streamlit as st

_FOLDER = Path(st.__file__).parent / "static" / "static" / "js"
_KINDS = ("BidiComponent", "Html", "Selectbox", "Checkbox", "FileUploader", "Button")
_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([\w.-]+\.js)["']""")


@cache
def preloads() -> str:
    """HTML that has a browser load these scripts and all that they import; empty where Streamlit names them otherwise."""
    names = {path.name: None for kind in _KINDS for path in sorted(_FOLDER.glob(f"{kind}.*.js"))}
    waiting = list(names)
    while waiting:
        for name in _IMPORT.findall((_FOLDER / waiting.pop()).read_text("utf-8")):
            if name not in names and (_FOLDER / name).is_file():
                names[name] = None
                waiting.append(name)
    return "".join(
        f'<link rel="modulepreload" fetchpriority="low" crossorigin href="./static/js/{name}">' for name in names
    )
