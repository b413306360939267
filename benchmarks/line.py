"""A slow line to a server of this machine: what it carries is late, and shares what the line holds.

Chromium can slow its own network down (CDP's Network.emulateNetworkConditions), but it delays each piece of a websocket
message as if it were a request: five megabytes at 10 Mbit/s and 60 ms take 10 s and not 4.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

PIECE = 16_384  # bytes
AHEAD = 4  # pieces of one connection that may be under way, so that connections share the line


class Line:
    """A TCP proxy.

    Args:
        port: of the server.
        rate: bytes a second, of all connections together, each way.
        round_trip: seconds to the server and back.
    """

    def __init__(self, port: int, rate: float, round_trip: float):
        self.port, self.rate, self.round_trip = port, rate, round_trip
        self.free = {"up": 0.0, "down": 0.0}  # when the line has carried all that it was given
        self.carried = 0  # bytes down

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        try:
            await asyncio.sleep(self.round_trip)  # TCP's handshake, which was with this proxy
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.gather(self.carry(reader, server_writer, "up"), self.carry(server_reader, writer, "down"))
        except asyncio.CancelledError:
            writer.close()  # the line has ended, and with it what it carried

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        """Carry one direction of a connection."""
        under_way = asyncio.Queue(AHEAD)
        await asyncio.gather(self.depart(reader, under_way, way), self.arrive(under_way, writer))

    async def depart(self, reader: asyncio.StreamReader, under_way: asyncio.Queue, way: str) -> None:
        """Give pieces to the line; an empty one ends the connection."""
        piece = None
        while piece != b"":
            try:
                piece = await reader.read(PIECE)
            except ConnectionError:  # a browser that is closed ends its connections in this way
                piece = b""
            now = asyncio.get_running_loop().time()
            self.free[way] = max(now, self.free[way]) + len(piece) / self.rate
            self.carried += len(piece) * (way == "down")
            await under_way.put((self.free[way] + self.round_trip / 2, piece))

    async def arrive(self, under_way: asyncio.Queue, writer: asyncio.StreamWriter) -> None:
        """Deliver pieces when their time has come."""
        piece = None
        while piece != b"":
            at, piece = await under_way.get()
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            try:
                writer.write(piece)
                await writer.drain()
            except ConnectionError:  # as above; the rest arrives nowhere
                writer.close()
        writer.close()


@contextmanager
def line_to(url: str, megabits: float, round_trip: float) -> Iterator[tuple[str, Line]]:
    """Put a slow line before a server until the `with` block ends.

    Args:
        url: the server's address.
        megabits: a second.
        round_trip: seconds.

    Yields:
        The line's own address, and the line.
    """
    line = Line(urlsplit(url).port, megabits * 1e6 / 8, round_trip)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(line.connect, "127.0.0.1", 0), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", line
    finally:
        asyncio.run_coroutine_threadsafe(_end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
