"""A real server over its websocket, without a browser: hostile and careless clients."""

import asyncio
import contextlib
import io
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg

from benchmarks.session import Session, results_made
from scripts.app_server import running_app
from tests.support.event_loops import run_to_its_end

ZONE, MAP = "sidebar_upload_0", "explorer_part_layer"


def photo(seed: int = 0, side: int = 1200) -> bytes:
    """A file of more than 1 MB, which servers usually write to the disk."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    assert len(buffer.getvalue()) > 1_000_000
    return buffer.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An app that cannot write temporary files, with a folder of checkpoints that holds a name that is no text."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "sitecustomize.py").write_text(f"import tempfile\ntempfile.tempdir = {str(folder / 'gone')!r}\n")
    checkpoints = tmp_path_factory.mktemp("checkpoints")
    with contextlib.suppress(OSError):  # not every file system has such names
        Path(os.fsdecode(os.fsencode(checkpoints) + b"/\xff.pth")).write_bytes(b"weights")
    environment = {"PYTHONPATH": str(folder), "VITVIZ_CHECKPOINT_DIR": str(checkpoints)}
    with running_app(environment=environment) as url:
        yield url


def visit(url: str, act: Callable[[Session], Awaitable]) -> None:
    """Open Explore in a new session, act and leave."""

    async def all_of_it() -> None:
        session = Session(url)
        await session.connect()
        await session.open("explore")
        await act(session)
        await session.leave()

    run_to_its_end(all_of_it())


def made(url: str, kind: str) -> int:
    """Number of results of a kind that the server has computed."""
    return results_made(url).get(kind, 0)


def test_a_large_file_needs_no_disk(server):
    async def act(session):
        await session.upload(photo(), ZONE, shown=MAP)
        assert f"{ZONE[:-1]}1" in session.elements, "the zone was emptied, so the file has been taken"
        assert "photo.jpg" in str(session.elements["own_image"][1].bidi_component.json)

    visit(server, act)


def test_a_photo_is_decoded_once_and_passed_once_for_a_visit(server):
    decodes, passes = made(server, "_decode"), made(server, "_trace")

    async def act(session):
        await session.upload(photo(1), ZONE, shown=MAP)
        await session.tell("explorer", "view", lambda data: {"view": data["view"], "places": data["places"]})
        await session.open("tokens")
        await session.open("explore")

    visit(server, act)
    assert (made(server, "_decode") - decodes, made(server, "_trace") - passes) == (1, 1)


def test_a_message_cannot_empty_the_cache(server):
    async def act(session):
        message = BackMsg()
        message.clear_cache = True
        await session.socket.send(message.SerializeToString())
        await session.open("explore")

    visit(server, act)
    before = made(server, "_trace")
    visit(server, act)
    assert before > 0
    assert made(server, "_trace") == before


def test_files_that_no_page_takes_do_not_pile_up(server):
    refused = []

    async def act(session):
        for number in range(12):
            try:
                await session.send_file(photo(2))
            except HTTPError as error:
                refused.append((number, error.code))

    visit(server, act)
    assert refused == [(number, 429) for number in range(8, 12)]


def test_a_job_ends_when_its_tab_is_closed(server):
    """A short sweep of another user needs the only worker, which a long sweep has until its tab is closed."""

    async def sweep(session: Session, query: str, what: str) -> asyncio.Task:
        await session.connect()
        await session.open("intervene", query)
        await session.choose("sweep_what", what)
        return asyncio.create_task(session.click("sweep_run"))

    async def both() -> None:
        long, short = Session(server), Session(server)
        running = await sweep(long, "size=392&image=coffee", "patches")
        while not long.progress:
            await asyncio.sleep(0.05)
        watching = await sweep(short, "model=digits&image=digit-7", "layers")
        while not short.progress:
            await asyncio.sleep(0.05)
        before = short.arrived.copy()
        while short.arrived["progress"] < before["progress"] + 3:
            await asyncio.sleep(0.05)
        assert short.arrived["sweep_what"] == before["sweep_what"], "a section that waits does not run again"
        assert made(server, "sweep") == 0
        await long.leave()
        await watching
        await short.leave()
        await asyncio.gather(running, return_exceptions=True)
        assert "sweep_csv" in short.elements, "the page runs again when the sweep has ended"

    run_to_its_end(both())
    assert made(server, "sweep") == 1
