"""ASGI middlewares for Streamlit's server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOAD = "/_stcore/upload_file/"  # followed by the session and the file
_PAGE_MARK = "<title>Streamlit</title>"  # distinguishes Streamlit's page from other HTML, which is not rewritten


class StaticCache:
    """Cache of immutable compressed responses, so that each script is compressed only once.

    Streamlit marks its scripts and style sheets as `immutable`, because their names change with their contents. They
    take about 26 MB, of which pages request a small part.

    Args:
        app: wrapped application, which compresses its responses.
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
    """Limit on the stored uploads of a session, which stay in memory until a page takes them or the session ends.

    Args:
        app: wrapped application.
        waiting: function that returns the number of stored files of a session, given by its id.
        most: maximum number of stored and incoming files.
        largest: maximum bytes of a rejected file that are received.
    """

    def __init__(self, app: ASGIApp, waiting: Callable[[str], int], most: int = 8, largest: int = 25_000_000):
        self.app, self.waiting, self.most, self.largest = app, waiting, most, largest
        self.coming: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] in ("PUT", "POST") and UPLOAD in scope["path"]:
            session = scope["path"].partition(UPLOAD)[2].partition("/")[0]
            if self.waiting(session) + self.coming[session] >= self.most:
                await self._refuse(scope, receive, send)
                return
            self.coming[session] += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self.coming -= Counter([session])  # subtraction also removes zero counts
            return
        await self.app(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a file after receiving it. With an earlier response, the browser would report a lost connection."""
        left = self.largest
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                break
        await PlainTextResponse("Too many files at once; wait until the other uploads are complete.", 429)(
            scope, receive, send
        )


class RewritePage:
    """Rewriting of Streamlit's HTML page.

    Args:
        app: wrapped application.
        rewrite: function that returns the modified page.
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
                start = message  # delayed until the length of the body is known
                return
            if start is not None and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if message.get("more_body", False):
                    return
                headers = MutableHeaders(raw=start["headers"])
                if _PAGE_MARK.encode() in body:
                    body = self.rewrite(body.decode()).encode()
                    headers["content-length"] = str(len(body))
                    for name in ("etag", "last-modified"):  # no longer valid
                        del headers[name]
                message = {**message, "body": body}
                await send({**start, "headers": headers.raw})
            await send(message)

        # request the page uncompressed; the outer middleware compresses it
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self.app({**scope, "headers": headers}, receive, fill)


def _takes_gzip(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "gzip" in headers.get("accept-encoding", "") and "range" not in headers


def _never_changes(start: Message) -> bool:
    return start.get("status") == 200 and "immutable" in Headers(raw=start["headers"]).get("cache-control", "")


def _is_html(start: Message) -> bool:
    return start["status"] == 200 and Headers(raw=start["headers"]).get("content-type", "").startswith("text/html")
