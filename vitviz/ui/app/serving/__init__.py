"""Server without its pages: compression, the outline that is seen at once, and loading of the first model.

Streamlit serves its scripts uncompressed, for a reverse proxy to compress, and shows nothing before they have all
arrived. Most who run vitviz have no proxy. `st.App` takes what is here (see app.py).
"""

from __future__ import annotations

import asyncio
import gc
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from streamlit import runtime

from ..memory import few_arenas
from .head_scripts import add_scripts
from .metrics import CacheStats
from .middleware import RewritePage, StaticCache, UploadLimit
from .page import add_outline

__all__ = ["MIDDLEWARE", "lifespan"]


def files_of(session: str) -> int:
    """Number of files that a session has uploaded and that are kept for it."""
    return len(runtime.get_instance().uploaded_file_mgr.file_storage.get(session, ()))


# The first is the outermost: what it keeps is already compressed.
MIDDLEWARE = (
    Middleware(StaticCache),
    Middleware(GZipMiddleware, compresslevel=6),
    Middleware(UploadLimit, waiting=files_of),
    Middleware(RewritePage, rewrite=lambda page: add_outline(add_scripts(page))),
)


# Starlette writes uploads of more than 1 MB to a temporary file, which fails where the disk is full or read-only, and
# would leave visitors' photos on it.
MultiPartParser.spool_max_size = (st.get_option("server.maxUploadSize") + 1) * 1024 * 1024


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Load PyTorch and the first model before anybody is served, so that the first visitor does not wait for them.

    That is not left to a thread: visitors' runs import modules, too, and two threads that do so in different orders may
    find one of them half done.
    """
    few_arenas()
    from .. import cache, sessions
    from ..shell import state  # only now, for components are registered with a server that runs

    state.model(next(iter(state.zoo.SHIPPED)))
    gc.collect()
    gc.freeze()  # what stays for good, such as all modules, is not looked through again
    if not st.get_option("server.headless"):  # `streamlit run` opens a browser only for a script without an `st.App`
        port, path = st.get_option("server.port"), st.get_option("server.baseUrlPath").strip("/")
        threading.Thread(target=webbrowser.open, args=(f"http://localhost:{port}/{path}",), daemon=True).start()
    runtime.get_instance().stats_mgr.register_provider(CacheStats(cache.shared, cache.results))
    watch = asyncio.create_task(sessions.watch())
    yield
    watch.cancel()
