"""App behind nginx as docs/deployment.md describes it: two replicas under a path, with TLS and a security policy."""

import gzip
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from scripts.app_server import running_app
from tests.browser.conftest import LAPTOP
from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import PATIENCE, go_to, settled
from tests.browser.test_own_image import assert_looked_at, picture
from tests.support.nginx import Proxy, Request, running_proxy
from vitviz.ui.app.registry import offered

PATH = "vitviz"
NOTED = """window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));"""


@pytest.fixture(scope="module")
def replicas() -> Iterator[list[str]]:
    """Two replicas that accept the name of the proxy only."""
    with ExitStack() as stack:
        yield [stack.enter_context(running_app("--server.allowedHosts=127.0.0.1", path=PATH)) for _ in range(2)]


@pytest.fixture(scope="module")
def proxy(replicas, tmp_path_factory) -> Iterator[Proxy]:
    with running_proxy(replicas, PATH, tmp_path_factory.mktemp("nginx")) as running:
        yield running


def ask(proxy: Proxy, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    """Send the headers of a request. Returns the response and its body."""
    connection = HTTPSConnection(urlsplit(proxy.url).netloc, context=proxy.tls, timeout=60)
    connection.request(
        method, f"/{PATH}/{path}", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def cookies_of(response: HTTPResponse) -> dict[str, tuple[str, set[str]]]:
    """Return value and attributes of the cookies that a response sets, by name."""
    found = {}
    for line in response.headers.get_all("Set-Cookie") or ():
        cookie, *attributes = line.split("; ")
        name, _, value = cookie.partition("=")
        found[name] = value, {attribute.lower() for attribute in attributes}
    return found


def logged(proxy: Proxy, matches: Callable[[Request], bool], count: int = 1) -> list[Request]:
    """Wait until this many requests are in the log, which mentions a request when it has ended."""
    deadline = time.monotonic() + PATIENCE
    while len(found := [request for request in proxy.requests() if matches(request)]) < count:
        assert time.monotonic() < deadline, "a request is not in the log"
        time.sleep(0.05)
    return found


def replica_of(proxy: Proxy, cookie: str) -> str:
    """Return the address of the replica that a cookie selects."""
    ask(proxy, "_stcore/health", Cookie=f"vitviz_replica={cookie}")
    return logged(proxy, lambda request: request.cookie == cookie)[-1].replica


@pytest.fixture
def visit(proxy, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages behind the proxy, each in its own browser context; none may violate the policy."""
    pages = []

    def open_page(cookie: str | None = None) -> Page:
        context = browser.new_context(viewport=LAPTOP, ignore_https_errors=True)
        context.add_init_script(NOTED)
        if cookie:
            context.add_cookies([{"name": "vitviz_replica", "value": cookie, "url": proxy.url}])
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        pages.append(page)
        return page

    yield open_page
    violations = [page.evaluate("window.violations") for page in pages if not page.is_closed()]
    for page in pages:
        page.context.close()
    assert not any(violations), violations


def test_users_stay_on_their_replica_and_upload_there(proxy, visit):
    """One user arrives without a cookie, the other with that of the other replica."""
    first = visit()
    explorer = ExplorerPage(first).open(f"{proxy.url}/explore?model=digits")
    (own,) = [cookie for cookie in first.context.cookies() if cookie["name"] == "vitviz_replica"]
    replica = replica_of(proxy, own["value"])
    other = next(name for name in map(str, range(100)) if replica_of(proxy, name) != replica)
    explorers = {own["value"]: explorer, other: ExplorerPage(visit(other)).open(f"{proxy.url}/explore?model=digits")}
    for name, page in explorers.items():
        page.upload(f"{name}.png", picture("teal"), "image/png")
        assert_looked_at(page.page, f"{name}.png")
        go_to(page.page, "Tokens")
        page.page.wait_for_url(f"{proxy.url}/tokens**", wait_until="commit")
        settled(page.page)
        assert page.page.evaluate("window.violations") == []
        page.page.close()  # ends its websocket, which the log then mentions

    logged(proxy, lambda request: request.path.endswith("/stream"), count=2)
    found = {}
    for name in explorers:
        of_user = [request for request in proxy.requests() if request.cookie == name]
        (found[name],) = {request.replica for request in of_user}
        statuses = {Path(request.path).name: request.status for request in of_user}
        assert statuses["stream"] == 101
        assert [request.status for request in of_user if "/upload_file/" in request.path] == [204]
    assert found[own["value"]] == replica != found[other]


def test_new_users_are_spread_over_the_replicas(proxy):
    cookies = set()
    for _ in range(40):
        response, _ = ask(proxy, "_stcore/health")
        cookies.add(cookies_of(response)["vitviz_replica"][0])
    assert len(cookies) == 40
    assert len({request.replica for request in logged(proxy, lambda request: request.cookie == "-", 40)}) == 2


def test_cookies_have_the_stated_attributes(proxy):
    """As the section on cookies and SECURITY.md state; there are no others."""
    cookies = cookies_of(ask(proxy, "_stcore/health")[0])
    assert {name: attributes for name, (_, attributes) in cookies.items()} == {
        "_streamlit_xsrf": {"path=/", "samesite=lax", "secure"},
        "vitviz_replica": {"path=/", "samesite=lax", "secure", "httponly"},
    }
    again = f"vitviz_replica={cookies['vitviz_replica'][0]}; _streamlit_xsrf={cookies['_streamlit_xsrf'][0]}"
    assert cookies_of(ask(proxy, "", Cookie=again)[0]) == {}
    assert set(cookies_of(ask(proxy, "_stcore/health", Cookie=again)[0])) == {"_streamlit_xsrf"}


def test_a_page_has_the_policy_with_a_fresh_nonce(proxy):
    nonces = set()
    for _ in range(2):
        response, body = ask(proxy, "explore", Accept_Encoding="gzip")
        assert response.headers["Content-Encoding"] == "gzip"
        policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert "'unsafe-inline'" not in policy["script-src"]
        assert "'unsafe-eval'" not in policy["script-src"]
        (nonce,) = re.findall("'nonce-([^']+)'", policy["script-src"])
        scripts = re.findall("<script[^>]*>", gzip.decompress(body).decode())
        assert scripts
        assert all(f'nonce="{nonce}"' in script for script in scripts)
        nonces.add(nonce)
        for header in ("X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy"):
            assert response.headers[header]
    assert len(nonces) == 2


def test_scripts_are_compressed_and_unchanged(proxy, replicas):
    _, page = ask(proxy, "")
    script = re.search(r"static/js/index\.[\w.-]+\.js", page.decode())[0]
    packed, body = ask(proxy, script, Accept_Encoding="gzip")
    plain, whole = ask(proxy, script)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Content-Encoding"] is None
    assert gzip.decompress(body) == whole
    assert len(body) < len(whole) / 2


def test_files_above_the_limit_are_refused(proxy):
    """Above its own limit by nginx, below that by Streamlit, which asks for the token first."""
    address = "_stcore/upload_file/session/file"
    assert ask(proxy, address, "PUT", Content_Length="22500000")[0].status == 413
    assert ask(proxy, address, "PUT", Content_Length="0")[0].status == 403


def test_internal_addresses_are_not_served(proxy):
    assert ask(proxy, "_stcore/health")[0].status == 200
    assert ask(proxy, "_stcore/host-config")[0].status == 200
    for name in ("metrics", "script-health-check", "message"):
        assert ask(proxy, f"_stcore/{name}")[0].status == 404


def test_websockets_under_other_names_are_refused(proxy, replicas):
    """Because of `server.allowedHosts`: a page of another site whose name leads here."""
    headers = {"Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    for host, status in (("127.0.0.1", 101), ("rebound.example", 403)):
        origin = f"https://{host}"
        assert ask_for_websocket(proxy, Host=host, Origin=origin, **headers) == status
    assert ask_for_websocket(proxy, Host="127.0.0.1", Origin="https://other.example", **headers) == 403


def ask_for_websocket(proxy: Proxy, **headers: str) -> int:
    """Return the status of the response to a handshake."""
    connection = HTTPSConnection(urlsplit(proxy.url).netloc, context=proxy.tls, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", f"/{PATH}/_stcore/stream", headers={**named, "Connection": "Upgrade"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.exhaustive
def test_no_page_violates_the_policy(proxy, visit):
    page = visit()
    page.goto(proxy.url)
    settled(page)
    for entry in offered()[1:]:
        go_to(page, entry.title)
        page.wait_for_url(f"**/{entry.name}*", wait_until="commit")
        settled(page)
        assert page.evaluate("window.violations") == [], entry.name
