"""Thirty visitors at once, each with a photo of their own: `make load`.

They speak with the app as a browser does, over a websocket, and draw nothing: what is measured is the server.
"""

import asyncio
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import websockets
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from scripts.app_server import running_app

from .measure import Row

VISITORS = 30
PHOTO = (3000, 4000)  # pixels, as phones make them
WITHIN = 600  # seconds that anything may take
STEPS = (("Explore is open", 12.0), ("own photo to its attention", 4.6), ("Tokens is open", 12.0))  # within seconds
UPLOADER = "sidebar_upload_0"
HELD = "_held_"  # part of the key under which the explorer's numbers are sent
_direct = build_opener(ProxyHandler({}))


def photo(seed: int) -> bytes:
    """A photo that nobody else has, JPEG."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize(PHOTO[::-1], Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


class Visitor:
    """One browser tab, as the server sees it."""

    def __init__(self, url: str):
        self.url, self.ids, self.session = url, {}, ""
        with _direct.open(f"{url}/_stcore/health") as answer:
            cookies = answer.headers.get_all("Set-Cookie") or []
        self.token = next((cookie.split("=", 1)[1].split(";")[0] for cookie in cookies if "_xsrf=" in cookie), "")

    async def connect(self) -> None:
        """Begin a session."""
        address = f"ws://{urlsplit(self.url).netloc}/_stcore/stream"
        headers = {"Cookie": f"_streamlit_xsrf={self.token}"}
        self.socket = await websockets.connect(
            address, subprotocols=["streamlit"], additional_headers=headers, max_size=None, proxy=None
        )

    async def open(self, page: str) -> float:
        """Open a page; returns the seconds until all of it is there."""
        message = BackMsg()
        message.rerun_script.page_name = page
        began = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        await self._until_finished()
        return time.perf_counter() - began

    async def upload(self, data: bytes) -> float:
        """Give a photo; returns the seconds until its attention is there."""
        began = time.perf_counter()
        message = BackMsg()
        message.file_urls_request.request_id = "1"
        message.file_urls_request.file_names.append("photo.jpg")
        message.file_urls_request.session_id = self.session
        await self.socket.send(message.SerializeToString())
        while (answer := await self._next()).WhichOneof("type") != "file_urls_response":
            pass
        (file,) = answer.file_urls_response.file_urls
        await asyncio.to_thread(self._put, file.upload_url, data)
        message = BackMsg()
        message.rerun_script.page_name = "explore"
        state = message.rerun_script.widget_states.widgets.add()
        state.id = self.ids[UPLOADER]
        info = state.file_uploader_state_value.uploaded_file_info.add()
        info.name, info.size, info.file_id = "photo.jpg", len(data), file.file_id
        info.file_urls.CopyFrom(file)
        await self.socket.send(message.SerializeToString())
        await self._until_finished()
        return (self.map_at or time.perf_counter()) - began

    def _put(self, path: str, data: bytes) -> None:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
            + data
            + b"\r\n--x--\r\n"
        )
        headers = {
            "Content-Type": "multipart/form-data; boundary=x",
            "Cookie": f"_streamlit_xsrf={self.token}",
            "X-Xsrftoken": self.token,
        }
        with _direct.open(Request(self.url + path, body, headers, method="PUT")):
            pass

    async def _next(self) -> ForwardMsg:
        message = ForwardMsg()
        message.ParseFromString(await asyncio.wait_for(self.socket.recv(), WITHIN))
        return message

    async def _until_finished(self) -> None:
        self.map_at = None
        while True:
            message = await self._next()
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.session = message.new_session.initialize.session_id or self.session
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                part = getattr(element, element.WhichOneof("type") or "", None)
                name = getattr(part, "id", "")
                if name.endswith(UPLOADER):
                    self.ids[UPLOADER] = name
                if HELD in name and self.map_at is None:
                    self.map_at = time.perf_counter()
            elif kind == "script_finished":
                return


async def a_round(url: str, photos: list[bytes]) -> tuple[list[float], list[float], list[float]]:
    """Seconds until Explore is open, until an own photo's attention is there, and until Tokens is open; per visitor."""
    visitors = [Visitor(url) for _ in photos]
    await asyncio.gather(*(visitor.connect() for visitor in visitors))
    opened = await asyncio.gather(*(visitor.open("explore") for visitor in visitors))
    mapped = await asyncio.gather(*(visitor.upload(data) for visitor, data in zip(visitors, photos, strict=True)))
    moved = await asyncio.gather(*(visitor.open("tokens") for visitor in visitors))
    await asyncio.gather(*(visitor.socket.close() for visitor in visitors))
    return opened, mapped, moved


def memory(url: str) -> float:
    """Gigabytes that the server has in memory."""
    port = f"--server.port={urlsplit(url).port}"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if port in (folder / "cmdline").read_text():
                return int(re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())[1]) / 1e6
        except OSError:  # it has ended since
            continue
    return float("nan")


def visitors(rounds: int = 2) -> Iterator[Row]:
    """Thirty at once, twice: the second time with other photos, and with no more memory."""
    with running_app() as url:
        before, last = memory(url), None
        for turn in range(rounds):
            photos = [photo(100 * turn + seed) for seed in range(VISITORS)]
            found = asyncio.run(a_round(url, photos))
            for what, seconds, goal in zip(
                ("Explore is open", "own photo to its attention", "Tokens is open"),
                found,
                (12.0, 4.6, 12.0),
                strict=True,
            ):
                middle, late = np.percentile(seconds, [50, 95])
                yield Row(
                    f"round {turn + 1}, {VISITORS} visitors: {what}",
                    f"{middle:.1f} s median, {late:.1f} s for 95 %",
                    f"<= {goal:g} s for 95 %",
                    bool(late <= goal),
                    "",
                )
            now = memory(url)
            is_flat = None if last is None else now <= 1.05 * last
            yield Row(f"memory after round {turn + 1}", f"{now:.2f} GB", "flat", is_flat, f"{before:.2f} GB before")
            last = now
