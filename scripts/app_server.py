"""App server as a child process, and a browser, for browser tests, benchmarks and screenshots."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

from scripts.fonts import STATED, Fonts, check, only

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT = 240  # seconds; generous, for busy machines and cold disks
STREAMLIT = (sys.executable, "-m", "streamlit", "run", "app.py")
BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def running_app(
    *options: str,
    port: int | None = None,
    path: str = "",
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = STREAMLIT,
    folder: Path = ROOT,
    log: Path | None = None,
) -> Iterator[str]:
    """Run the app on a free port of this machine until the `with` block ends.

    Args:
        *options: further options for Streamlit, such as `"--theme.base=dark"`.
        port: port to listen on; None for a free port.
        path: path of the app on the server, such as `"vitviz"`.
        environment: further environment variables.
        command: command that starts the app; options of Streamlit are appended.
        folder: folder in which the command runs.
        log: file for the output; None for a temporary file.

    Yields:
        Address of the app, such as `"http://127.0.0.1:40123"`, after its health page has answered.

    Raises:
        RuntimeError: if the app ends, or does not answer within four minutes. The server's log is added as a note to
            this and any other exception raised in the block.
    """
    port = port or free_port()
    command = [*command, *options, f"--server.port={port}", "--server.headless=true", f"--server.baseUrlPath={path}"]
    url = f"http://127.0.0.1:{port}/{path}".rstrip("/")
    with running_server(command, f"{url}/_stcore/health", environment=environment, folder=folder, log=log):
        yield url


@contextmanager
def running_server(
    command: Sequence[str],
    health: str,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    log: Path | None = None,
) -> Iterator[None]:
    """Run a server until the `with` block ends.

    Args:
        command: command that starts it.
        health: address that answers when the server is ready.
        environment: further environment variables.
        folder: folder in which the command runs.
        log: file for the output; None for a temporary file.

    Raises:
        RuntimeError: as for `running_app`.
    """
    with tempfile.TemporaryFile() if log is None else log.open("w+b") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        try:
            _wait_until_healthy(process, health)
            yield
        except Exception as error:
            error.add_note(f"The server's log ends with:\n{_end_of(output)}")
            raise
        finally:
            _stop(process)


@contextmanager
def launched_browser(fonts: Fonts = STATED, *flags: str, playwright: Playwright | None = None) -> Iterator[Browser]:
    """Start the Chromium given by the environment variable VITVIZ_BROWSER (see scripts/find_browser.sh).

    Args:
        fonts: fonts that replace this machine's fonts.
        *flags: further options of Chromium.
        playwright: a started Playwright, of which a process can have only one; None to start it.

    Yields:
        Playwright browser without pages, closed when the `with` block ends.

    Raises:
        RuntimeError: if VITVIZ_BROWSER is not set, or if the browser does not use these fonts.
    """
    path = os.environ.get("VITVIZ_BROWSER")
    if not path:
        raise RuntimeError('VITVIZ_BROWSER is not set; run export VITVIZ_BROWSER="$(scripts/find_browser.sh)".')
    with only(fonts) as variables, nullcontext(playwright) if playwright else sync_playwright() as playwright:
        environment = {**os.environ, **variables}
        browser = playwright.chromium.launch(executable_path=path, args=[*BROWSER_FLAGS, *flags], env=environment)
        try:
            check(browser, fonts)
            yield browser
        finally:
            browser.close()


def free_port() -> int:
    """Return an unused TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_healthy(process: subprocess.Popen, health: str) -> None:
    # bypass proxies, which cannot reach this machine
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with exit code {process.returncode} before it answered.")
        try:
            with direct.open(health, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server did not answer within {START_TIMEOUT} seconds.")


def _end_of(log, size: int = 8000) -> str:
    written = os.fstat(log.fileno()).st_size  # pread, because a seek would move the app's write position
    return os.pread(log.fileno(), size, max(0, written - size)).decode(errors="replace")


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
