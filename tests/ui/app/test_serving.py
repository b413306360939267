"""vitviz.ui.app.serving: scripts are compressed once, and pages have an outline before any script."""

import asyncio
import gzip

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.event_loops import run_to_its_end
from vitviz.ui.app.serving import MIDDLEWARE
from vitviz.ui.app.serving.head_scripts import add_scripts
from vitviz.ui.app.serving.middleware import RewritePage, UploadLimit
from vitviz.ui.app.serving.page import add_outline
from vitviz.ui.app.serving.scripts import FOLDER, scripts

SCRIPT = "const weights = 0;\n" * 500
PAGE = '<html><head><title>Streamlit</title></head><body><div id="root"></div></body></html>'
DOWNLOAD = '<html><head><title>A café’s summary</title></head><body><div id="root"></div></body></html>'
FOREVER = {"Cache-Control": "public, immutable, max-age=31536000"}


class Server:
    """A server that counts what it is asked for."""

    def __init__(self, middleware=MIDDLEWARE):
        self.asked = []

        def answer(make):
            def endpoint(request):
                self.asked.append(request.url.path)
                return make(request)

            return endpoint

        async def pieces():
            for start in range(0, len(SCRIPT), 1000):
                yield SCRIPT[start : start + 1000]

        def conditional(request):
            return Response(status_code=304 if "if-none-match" in request.headers else 200, headers=FOREVER)

        answers = {
            "/index.js": lambda _: Response(SCRIPT, media_type="text/javascript", headers=FOREVER),
            "/pieces.js": lambda _: StreamingResponse(pieces(), media_type="text/javascript", headers=FOREVER),
            "/changes.js": lambda _: Response(SCRIPT, media_type="text/javascript"),
            "/conditional.js": conditional,
            "/": lambda _: HTMLResponse(PAGE, headers={"ETag": "theirs", "Cache-Control": "no-cache"}),
            "/refused": lambda _: HTMLResponse(PAGE, status_code=400),
            "/summary.html": lambda _: HTMLResponse(DOWNLOAD),
            "/page.json": lambda _: Response(PAGE, media_type="application/json"),
        }
        routes = [Route(path, answer(make), methods=["GET", "POST"]) for path, make in answers.items()]
        self.app = Starlette(routes=routes, middleware=list(middleware))

    def ask(self, path, method="GET", **headers):
        """Status, headers and body as they go out."""
        said = []
        sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "headers": sent, "query_string": b"", "root_path": ""}

        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive():
            if not requests:
                await asyncio.Event().wait()  # who asks stays
            return requests.pop()

        async def send(message):
            said.append(message)

        run_to_its_end(self.app(scope, receive, send))
        start, *bodies = said
        body = b"".join(message.get("body", b"") for message in bodies)
        assert [message.get("more_body", False) for message in bodies] == [True] * (len(bodies) - 1) + [False]
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body


@pytest.mark.parametrize("path", ["/index.js", "/pieces.js"])
def test_a_script_is_compressed_once(path):
    server = Server()
    first, *others = (server.ask(path, accept_encoding="gzip, br") for _ in range(3))
    status, headers, body = first
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert len(body) < len(SCRIPT) / 5
    assert gzip.decompress(body).decode() == SCRIPT
    assert others == [first, first]
    assert server.asked == [path]


def test_who_takes_no_gzip_gets_none():
    server = Server()
    server.ask("/index.js", accept_encoding="gzip")
    status, headers, body = server.ask("/index.js")
    assert status == 200
    assert "content-encoding" not in headers
    assert body.decode() == SCRIPT


def test_only_what_never_changes_is_kept():
    server = Server()
    for _ in range(2):
        assert gzip.decompress(server.ask("/changes.js", accept_encoding="gzip")[2]).decode() == SCRIPT
        server.ask("/index.js", method="POST", accept_encoding="gzip")
    assert server.ask("/conditional.js", accept_encoding="gzip", if_none_match="x")[0] == 304
    assert server.ask("/conditional.js", accept_encoding="gzip")[0] == 200
    assert server.asked == ["/changes.js", "/index.js"] * 2 + ["/conditional.js"] * 2


def test_a_page_has_an_outline_where_it_will_be_drawn():
    status, headers, body = Server().ask("/", accept_encoding="gzip")
    page = gzip.decompress(body).decode()
    assert status == 200
    assert page == add_outline(add_scripts(PAGE))
    assert page.index("history.pushState") < page.index("modulepreload"), "scripts of modules run later"
    assert '<div id="root"></div><div class="vv-outline"' in page
    assert "<title>vitviz</title>" in page
    assert "etag" not in headers, "it is another page than the one that this named"
    assert Server().ask("/")[1]["content-length"] == str(len(page.encode()))


@pytest.mark.parametrize("path", ["/refused", "/page.json"])
def test_what_is_no_page_is_left_as_it_is(path):
    assert Server().ask(path)[2].decode() == PAGE


def test_a_download_is_left_as_it_is():
    _, headers, body = Server().ask("/summary.html")
    assert body.decode() == DOWNLOAD
    assert headers["content-length"] == str(len(body))


def test_a_page_in_which_nothing_is_found_is_served_as_it_is():
    assert add_outline("<p>another server</p>") == "<p>another server</p>"


def test_pages_are_rewritten_in_their_own_language():
    def rewrite(page):
        return page.replace("Streamlit", "Würfel 猫")

    _, headers, body = Server([Middleware(RewritePage, rewrite=rewrite)]).ask("/")
    assert "Würfel 猫" in body.decode()
    assert headers["content-length"] == str(len(body))


def test_streamlit_has_the_scripts_that_are_asked_for_early():
    """Another version of Streamlit may name them otherwise; then nothing breaks, but pages load more slowly."""
    assert any(name.startswith("BidiComponent.") for name in scripts())
    assert all((FOLDER / name).is_file() for name in scripts())
    assert not any(name.startswith("PlotlyChart.") for name in scripts()), "charts can wait"


def test_a_session_cannot_pile_up_files():
    kept = {"greedy": 8, "usual": 7}
    server = Server([Middleware(UploadLimit, waiting=lambda session: kept.get(session, 0))])
    for session, status in (("greedy", 429), ("usual", 404), ("new", 404)):  # there is no such page here
        for method in ("PUT", "POST"):
            assert server.ask(f"/base/_stcore/upload_file/{session}/file", method)[0] == status
    assert server.ask("/base/_stcore/upload_file/greedy/file")[0] == 404, "what is there can be read and taken away"


def test_a_session_cannot_pile_up_files_by_sending_them_at_once():
    statuses = []

    async def all_at_once():
        begun, go_on = asyncio.Semaphore(0), asyncio.Event()

        async def app(_scope, _receive, send):
            begun.release()
            await go_on.wait()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        uploads = UploadLimit(app, waiting=lambda _: 0)
        scope = {"type": "http", "method": "PUT", "path": "/_stcore/upload_file/greedy/file", "headers": []}

        async def receive():
            return {"type": "http.request", "body": b"x" * 1000, "more_body": True}  # and never an end

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        eight = [asyncio.create_task(uploads(scope, receive, send)) for _ in range(8)]
        for _ in eight:
            await begun.acquire()
        await uploads(scope, receive, send)
        go_on.set()
        await asyncio.gather(*eight)
        assert not uploads.coming

    run_to_its_end(all_at_once())
    assert statuses == [429] + [204] * 8
