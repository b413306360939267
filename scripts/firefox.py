"""Firefox as it is released, driven by Playwright over WebDriver BiDi.

Playwright offers a patched Firefox from a server of its own; this one comes from the system's packages. Playwright
sends a command that Firefox ESR does not know yet, even to override no media feature at all. So it starts
`python -m scripts.firefox FIREFOX OPTION ...`, which starts Firefox, and passes on all messages except that one.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Playwright
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
UNKNOWN = "emulation.setMediaFeaturesOverride"
# Without this, a system without a desktop counts as one without a mouse.
PREFERENCES = {"ui.primaryPointerCapabilities": 6, "ui.allPointerCapabilities": 6}


@contextmanager
def launched_firefox(path: str, playwright: Playwright) -> Iterator[Browser]:
    """Start Firefox with this machine's fonts. Its contexts need the option `color_scheme="null"`.

    Args:
        path: path of Firefox.
        playwright: a started Playwright.

    Yields:
        Playwright browser without pages, closed when the `with` block ends.
    """
    with TemporaryDirectory(prefix="vitviz-firefox-") as folder:
        preferences = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (Path(folder) / "user.js").write_text("\n".join(preferences), "utf-8")
        options = ("--remote-debugging-port=0", "--headless", "--profile", folder)
        browser = playwright.firefox.launch(
            channel="moz-firefox",
            executable_path=sys.executable,
            ignore_default_args=True,
            args=["-m", "scripts.firefox", path, *options],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            yield browser
        finally:
            browser.close()


async def run(command: Sequence[str]) -> int:
    """Start Firefox, print the address of the relay, and wait for the end."""
    firefox = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    async for line in firefox.stderr:
        if found := ADDRESS.search(line):
            break
        sys.stderr.buffer.write(line)
    else:
        return await firefox.wait()

    async def relay(playwright: ServerConnection) -> None:
        async with connect(f"{found[1].decode()}{playwright.request.path}", max_size=None, proxy=None) as bidi:
            await asyncio.gather(_forward(playwright, bidi), _forward(bidi, playwright))

    async with serve(relay, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        sys.stderr.write(f"WebDriver BiDi listening on ws://127.0.0.1:{port}\n")
        sys.stderr.flush()
        while line := await firefox.stderr.readline():
            sys.stderr.buffer.write(line)
    return await firefox.wait()


async def _forward(source: Connection, target: Connection) -> None:
    async for message in source:
        command = json.loads(message)
        if command.get("method") == UNKNOWN and not any(command["params"]["features"].values()):
            await source.send(json.dumps({"type": "success", "id": command["id"], "result": {}}))
        else:
            await target.send(message)
    await target.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1:])))
