"""Log of refused uploads and of downloads, without names of files, sessions or addresses."""

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .middleware import UPLOAD

_log = logging.getLogger(__name__)


class RequestLog:
    """Log line for each upload that the server refuses, and for each file that a user downloads.

    Files that reach a page are logged there, see `vitviz.ui.app.sessions.upload`.

    Args:
        app: wrapped application.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note(scope, message["status"], Headers(raw=message["headers"]))
            await send(message)

        await self.app(scope, receive, note)


def _note(scope: Scope, status: int, headers: Headers) -> None:
    if scope["method"] in ("PUT", "POST") and UPLOAD in scope["path"] and status >= 400:
        _log.info("Upload refused by the server: status %d.", status)
    is_file = headers.get("content-disposition", "").startswith("attachment")
    if scope["method"] == "GET" and is_file and status < 400:
        _log.info("Download: %s bytes, %s.", headers.get("content-length"), headers.get("content-type"))
