"""The app as a child process, and a browser to look at it with; for browser tests, benchmarks and screenshots."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from scripts.fonts import STATED, Fonts, check, only

ROOT = Path(__file__).resolve().parents[1]
START_WITHIN = 240  # seconds; a busy machine with a cold disk needs more than a few
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
def running_app(*options: str, port: int | None = None, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run `streamlit run app.py` on a free port of this machine until the `with` block ends.

    Args:
        *options: further options for Streamlit, such as `"--theme.base=dark"`.
        port: where it listens; None for a free port.
        environment: further environment variables.

    Yields:
        The app's address, such as `"http://127.0.0.1:40123"`, once its health page answers.

    Raises:
        RuntimeError: if the app ends, or does not answer within four minutes. This and any exception that leaves the
            block carries the app's log as a note.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
    command += [f"--server.port={port}", "--server.headless=true"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_healthy(process, url)
            yield url
        except Exception as error:
            error.add_note(f"The app's log ends with:\n{_end_of(log)}")
            raise
        finally:
            _stop(process)


@contextmanager
def launched_browser(fonts: Fonts = STATED, *flags: str) -> Iterator[Browser]:
    """Start the Chromium that the environment variable VITVIZ_BROWSER names (see scripts/find_browser.sh).

    Args:
        fonts: what it finds instead of this machine's fonts.
        *flags: further options of Chromium.

    Yields:
        A Playwright browser without pages. It is closed when the `with` block ends.

    Raises:
        RuntimeError: if VITVIZ_BROWSER is not set, or if the browser does not draw with these fonts.
    """
    path = os.environ.get("VITVIZ_BROWSER")
    if not path:
        raise RuntimeError('Set VITVIZ_BROWSER to a Chromium: export VITVIZ_BROWSER="$(scripts/find_browser.sh)"')
    with only(fonts) as found, sync_playwright() as playwright:
        environment = {**os.environ, **found}
        browser = playwright.chromium.launch(executable_path=path, args=[*BROWSER_FLAGS, *flags], env=environment)
        try:
            check(browser, fonts)
            yield browser
        finally:
            browser.close()


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_healthy(process: subprocess.Popen, url: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine's ports
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The app ended with exit code {process.returncode} before it answered.")
        try:
            with direct.open(f"{url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The app did not answer within {START_WITHIN} seconds.")


def _end_of(log, size: int = 8000) -> str:
    written = os.fstat(log.fileno()).st_size  # pread, because the app writes where a seek would leave the file
    return os.pread(log.fileno(), size, max(0, written - size)).decode(errors="replace")


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
