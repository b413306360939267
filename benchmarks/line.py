"""Simulation of a slow network connection to a local server, with limited bandwidth and added latency.

Chromium's own simulation (CDP's Network.emulateNetworkConditions) delays each frame of a websocket message as if it
were a request: five megabytes at 10 Mbit/s and 60 ms take 10 s instead of 4 s.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

PIECE = 16_384  # bytes
AHEAD = 4  # pieces of a connection in flight, so that connections share the bandwidth


class Line:
    """TCP proxy with limited bandwidth and added latency.

    Args:
        port: port of the server.
        rate: bandwidth of all connections together in bytes per second, in each direction.
        round_trip: round-trip time in seconds.
    """

    def __init__(self, port: int, rate: float, round_trip: float):
        self.port, self.rate, self.round_trip = port, rate, round_trip
        self.free = {"up": 0.0, "down": 0.0}  # time when all data so far will have been transferred
        self.carried = 0  # bytes from the server

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a connection until either side closes it."""
        try:
            await asyncio.sleep(self.round_trip)  # TCP handshake with the server
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.gather(self.carry(reader, server_writer, "up"), self.carry(server_reader, writer, "down"))
        except asyncio.CancelledError:
            writer.close()  # the proxy has been closed

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        """Forward one direction of a connection."""
        under_way = asyncio.Queue(AHEAD)
        await asyncio.gather(self.depart(reader, under_way, way), self.arrive(under_way, writer))

    async def depart(self, reader: asyncio.StreamReader, under_way: asyncio.Queue, way: str) -> None:
        """Read pieces and schedule their arrival; an empty piece ends the connection."""
        piece = None
        while piece != b"":
            try:
                piece = await reader.read(PIECE)
            except ConnectionError:  # closed browsers reset their connections
                piece = b""
            now = asyncio.get_running_loop().time()
            self.free[way] = max(now, self.free[way]) + len(piece) / self.rate
            self.carried += len(piece) * (way == "down")
            await under_way.put((self.free[way] + self.round_trip / 2, piece))

    async def arrive(self, under_way: asyncio.Queue, writer: asyncio.StreamWriter) -> None:
        """Deliver pieces at their arrival time."""
        piece = None
        while piece != b"":
            at, piece = await under_way.get()
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            try:
                writer.write(piece)
                await writer.drain()
            except ConnectionError:  # closed browsers reset their connections
                writer.close()
        writer.close()


@contextmanager
def line_to(url: str, megabits: float, round_trip: float) -> Iterator[tuple[str, Line]]:
    """Put a slow proxy in front of a server until the `with` block ends.

    Args:
        url: address of the server.
        megabits: bandwidth in Mbit/s.
        round_trip: round-trip time in seconds.

    Yields:
        Address of the proxy, and the proxy.
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
