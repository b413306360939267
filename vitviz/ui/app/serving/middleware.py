"""Three ASGI middlewares around Streamlit's server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UPLOAD = "/_stcore/upload_file/"  # before the session and the file
_ITS_PAGE = "<title>Streamlit</title>"  # downloads and parts of other packages are HTML, too, and stay as they are


class StaticCache:
    """Keep answers that never change as they went out, so that each script is compressed once and not for each visitor.

    Streamlit marks its own scripts and style sheets `immutable`: their names change with their contents. There are some
    26 MB of them, of which pages ask for a few.

    Args:
        app: what answers, compressing.
    """

    def __init__(self, app: ASGIApp):
        self.app = app
        self.answers: dict[str, list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _takes_gzip(scope):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path in self.answers:
            for message in self.answers[path]:
                await send(dict(message))
            return
        answer: list[Message] = []

        async def note(message: Message) -> None:
            if answer or _never_changes(message):
                answer.append(dict(message))
            await send(message)

        await self.app(scope, receive, note)
        if answer and not answer[-1].get("more_body", False):
            self.answers[path] = answer


class UploadLimit:
    """Refuse files of a session that has some already which no page has taken: they stay in memory while it lasts.

    Args:
        app: what answers.
        waiting: number of files that a session has, by its id.
        most: number of files that may be there or on their way.
        largest: bytes of a refused file that are waited for.
    """

    def __init__(self, app: ASGIApp, waiting: Callable[[str], int], most: int = 8, largest: int = 25_000_000):
        self.app, self.waiting, self.most, self.largest = app, waiting, most, largest
        self.coming: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] in ("PUT", "POST") and _UPLOAD in scope["path"]:
            session = scope["path"].partition(_UPLOAD)[2].partition("/")[0]
            if self.waiting(session) + self.coming[session] >= self.most:
                await self._refuse(scope, receive, send)
                return
            self.coming[session] += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self.coming -= Counter([session])  # which drops those that have none
            return
        await self.app(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a file once it is there: who is answered before all is sent hears of a lost connection instead."""
        left = self.largest
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                break
        await PlainTextResponse("Too many files at once; wait until the others are there.", 429)(scope, receive, send)


class RewritePage:
    """Serve Streamlit's own page otherwise than it comes.

    Args:
        app: what answers.
        rewrite: makes of a page the one that is served.
    """

    def __init__(self, app: ASGIApp, rewrite: Callable[[str], str]):
        self.app, self.rewrite = app, rewrite

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def fill(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_html(message):
                start = message  # waits for the body, whose length it tells
                return
            if start is not None and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if message.get("more_body", False):
                    return
                headers = MutableHeaders(raw=start["headers"])
                if _ITS_PAGE.encode() in body:
                    body = self.rewrite(body.decode()).encode()
                    headers["content-length"] = str(len(body))
                    for name in ("etag", "last-modified"):  # they tell the version of what came
                        del headers[name]
                message = {**message, "body": body}
                await send({**start, "headers": headers.raw})
            await send(message)

        # asked for as it is: who compresses stands outside
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self.app({**scope, "headers": headers}, receive, fill)


def _takes_gzip(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "gzip" in headers.get("accept-encoding", "") and "range" not in headers


def _never_changes(start: Message) -> bool:
    return start.get("status") == 200 and "immutable" in Headers(raw=start["headers"]).get("cache-control", "")


def _is_html(start: Message) -> bool:
    return start["status"] == 200 and Headers(raw=start["headers"]).get("content-type", "").startswith("text/html")
