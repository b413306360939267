"""What the server does besides running pages: it compresses, shows a page's outline at once, and loads the first model.

Streamlit serves its scripts uncompressed, recommends a reverse proxy for that, and shows nothing before they have all
arrived. Most who run vitviz have no proxy. `st.App` takes what is here (see app.py).
"""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from .delivery import Kept, Rewritten
from .first import with_scripts
from .page import first_page

__all__ = ["MIDDLEWARE", "lifespan"]

# The first is the outermost: what it keeps is already compressed.
MIDDLEWARE = (
    Middleware(Kept),
    Middleware(GZipMiddleware, compresslevel=6),
    Middleware(Rewritten, rewrite=first_page),
    Middleware(Rewritten, rewrite=with_scripts),
)


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Load PyTorch and the first model while the first visitor's browser still loads the page."""
    threading.Thread(target=_load_first_model, daemon=True).start()
    if not st.get_option("server.headless"):  # `streamlit run` opens a browser only for scripts without an `st.App`
        port, path = st.get_option("server.port"), st.get_option("server.baseUrlPath").strip("/")
        threading.Thread(target=webbrowser.open, args=(f"http://localhost:{port}/{path}",), daemon=True).start()
    yield


def _load_first_model() -> None:
    # Imports PyTorch, which takes seconds; the server answers meanwhile. A visitor's run begins with the same import, and
    # waits for this one: two threads that import modules in different orders would find some of them half done.
    from .. import shell  # noqa: F401
    from ... import zoo

    zoo.shared(next(iter(zoo.SHIPPED)))
