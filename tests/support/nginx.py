"""nginx with the configuration of docs/deployment.md, in front of replicas of the app."""

from __future__ import annotations

import os
import re
import shlex
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from scripts.app_server import ROOT, free_port
from tests.support.programs import program

DOCUMENT = (ROOT / "docs/deployment.md").read_text("utf-8")
PATIENCE = 30  # seconds until it listens

# The rest of /etc/nginx/nginx.conf, with all files in one folder. The log has one line for each request.
_REST = """
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format replicas '$cookie_vitviz_replica|$upstream_addr|$status|$uri';
    access_log {folder}/access.log replicas;
    {configuration}
}}
"""


@dataclass(frozen=True)
class Request:
    """Line of the log.

    Attributes:
        cookie: value of the cookie that selects the replica; `"-"` without it.
        replica: address of the replica.
        status: status of the response.
        path: path of the address.
    """

    cookie: str
    replica: str
    status: int
    path: str


@dataclass(frozen=True)
class Proxy:
    """Running proxy.

    Attributes:
        url: address of the app behind the proxy.
        certificate: file of its certificate, signed by itself.
        log: file of its log.
    """

    url: str
    certificate: Path
    log: Path

    @property
    def tls(self) -> ssl.SSLContext:
        """TLS settings of clients that trust its certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def requests(self) -> list[Request]:
        """Return the requests that have ended so far."""
        lines = [line.split("|") for line in self.log.read_text().splitlines()]
        return [Request(cookie, replica, int(status), path) for cookie, replica, status, path in lines]


def documented(path: str) -> str:
    """Return the configuration of the document for several replicas under a path, changed as the document says."""
    server, before, header = re.findall(r"^```nginx\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    server = _replaced(r"proxy_pass http://127\.0\.0\.1:8501;", "proxy_pass http://vitviz;", server, 3)
    server = _replaced(r"^(?= *add_header Referrer-Policy)", header, server, 1)
    server = _replaced(r"(location (?:= |~ \^)?)/", lambda found: f"{found[1]}/{path}/", server, 4)
    return before + server


@contextmanager
def running_proxy(replicas: Sequence[str], path: str, folder: Path) -> Iterator[Proxy]:
    """Run nginx until the `with` block ends.

    Args:
        replicas: addresses of the replicas, without the path.
        path: path of the app on the server.
        folder: folder for its files.

    Yields:
        The proxy, when it listens.
    """
    port, nginx = free_port(), program("nginx", "nginx")
    key, certificate = folder / "tls.key", folder / "tls.crt"
    request = shlex.split(
        "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=127.0.0.1"
    )
    request += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    request.insert(0, program("openssl", "openssl"))
    subprocess.run(request, check=True, capture_output=True)
    configuration = documented(path)
    servers = "".join(f"server {urlsplit(url).netloc}; " for url in replicas)
    configuration = _replaced(r"( +server 127\.0\.0\.1:\d+;\n)+", f"{servers}\n", configuration, 1)
    configuration = _replaced(r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;", configuration, 1)
    configuration = _replaced(r"/etc/nginx/tls/vitviz\.crt", str(certificate), configuration, 1)
    configuration = _replaced(r"/etc/nginx/tls/vitviz\.key", str(key), configuration, 1)
    user = "user root;" if os.getuid() == 0 else ""  # its files are in a folder that others cannot read
    (folder / "nginx.conf").write_text(_REST.format(folder=folder, user=user, configuration=configuration))
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait(process, folder)
            yield Proxy(f"https://127.0.0.1:{port}/{path}", certificate, folder / "access.log")
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (folder / "pid").exists():  # written after it listens
        assert process.poll() is None, (folder / "output").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _replaced(pattern: str, by: str | Callable[[re.Match], str], text: str, times: int) -> str:
    """Replace a pattern, which must occur this number of times."""
    text, count = re.subn(pattern, by if callable(by) else lambda _: by, text, flags=re.MULTILINE)
    assert count == times, f"{pattern} occurs {count} times in the document"
    return text
