"""Server configuration: compression, the outline shown while loading, and preloading of the first model.

Streamlit serves its scripts uncompressed and leaves compression to a reverse proxy, which most installations of vitviz
do not have. It also shows nothing until all scripts have arrived. `st.App` uses this configuration (see app.py).
"""

from __future__ import annotations

import asyncio
import gc
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
import typer
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from streamlit import runtime
from streamlit.logger import get_logger

from ....errors import ModelError
from .. import network_address
from ..memory import few_arenas
from .announcement import announcement
from .head_scripts import add_scripts
from .metrics import CacheStats, JobStats, PassStats
from .middleware import RewritePage, StaticCache, UploadLimit
from .page import add_outline
from .request_log import RequestLog

__all__ = ["MIDDLEWARE", "lifespan"]


def files_of(session: str) -> int:
    """Return the number of uploaded files that are stored for a session."""
    return len(runtime.get_instance().uploaded_file_mgr.file_storage.get(session, ()))


# The first middleware is the outermost, so that it stores compressed responses.
MIDDLEWARE = (
    Middleware(StaticCache),
    Middleware(GZipMiddleware, compresslevel=6),
    Middleware(RequestLog),  # sees the length of a download before it is compressed, and what `UploadLimit` refuses
    Middleware(UploadLimit, waiting=files_of),
    Middleware(RewritePage, rewrite=lambda page: add_outline(add_scripts(page))),
)


# By default, Starlette writes uploads above 1 MB to a temporary file. That fails if the disk is full or read-only, and
# puts images of users on the disk.
MultiPartParser.spool_max_size = (st.get_option("server.maxUploadSize") + 1) * 1024 * 1024


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Load PyTorch and the first model before the server accepts requests.

    This is not done in a thread: page runs also import modules, and two threads that import modules in different orders
    may see a partially initialized module.
    """
    few_arenas()
    get_logger("vitviz")  # configures the loggers of vitviz like those of Streamlit: level, format and output
    from ....model import timing
    from .. import cache, folder_images, models, sessions
    from ..jobs import queue
    from ..shell import state  # not at the top, because components can only be registered with a running server

    try:
        state.model(models.opening())
    except ModelError as error:  # each page shows it, with a box to choose another model
        get_logger("vitviz").warning("The first model cannot be loaded: %s", error)
    gc.collect()
    gc.freeze()  # exclude permanent objects, such as modules, from garbage collection
    if not st.get_option("server.headless"):  # `streamlit run` opens a browser only for a script without an `st.App`
        port, path = st.get_option("server.port"), st.get_option("server.baseUrlPath").strip("/")
        threading.Thread(target=webbrowser.open, args=(f"http://localhost:{port}/{path}",), daemon=True).start()
    passes = PassStats()
    timing.observe(passes.note)
    for provider in (CacheStats(cache.shared, cache.results), JobStats(queue.in_use), passes):
        runtime.get_instance().stats_mgr.register_provider(provider)
    text = announcement(network_address.local_address)
    if text:
        typer.echo(text)
    watch = asyncio.create_task(sessions.watch())
    threading.Thread(target=folder_images.thumbnails, daemon=True).start()  # all modules are imported by now
    yield
    watch.cancel()
