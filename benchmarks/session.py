"""Client of the app's websocket protocol, which acts as a browser tab without rendering."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import websockets
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

TIMEOUT = 600  # seconds
direct = build_opener(ProxyHandler({}))  # bypass proxies, which cannot reach this machine


def results_made(url: str) -> dict[str, int]:
    """Return the number of results computed for the cache by the last part of their kind, such as `"_trace"`."""
    with direct.open(f"{url}/_stcore/metrics") as answer:
        text = answer.read().decode()
    counts = re.findall(r'vitviz_results_made_total{kind="([^"]+)"} (\d+)', text)
    return {kind.rpartition(".")[2]: int(count) for kind, count in counts}


class Session:
    """Session with the app. As in a browser, a click in a fragment runs the fragment alone, or again at intervals.

    Attributes:
        elements: widget id and latest element of the page by key.
        arrived: how often elements arrived, by key; progress bars as `"progress"`.
        progress: text of the latest progress bar; empty if there was none.
        errors: error messages shown so far.

    Args:
        url: address of the app.
    """

    def __init__(self, url: str):
        self.url, self.elements, self.progress = url, {}, ""
        self.errors: list[str] = []
        self.arrived: Counter[str] = Counter()
        self._page = self._query = self._script = self._session = ""
        self._fragments: dict[str, str] = {}  # fragment of each widget, by id
        self._again: dict[str, float] = {}  # seconds after which each fragment runs again
        with direct.open(f"{url}/_stcore/health") as answer:
            cookies = answer.headers.get_all("Set-Cookie") or []
        self._token = next((cookie.split("=", 1)[1].split(";")[0] for cookie in cookies if "_xsrf=" in cookie), "")

    async def connect(self) -> None:
        """Connect to the app."""
        address = f"ws://{urlsplit(self.url).netloc}/_stcore/stream"
        headers = {"Cookie": f"_streamlit_xsrf={self._token}"}
        self.socket = await websockets.connect(
            address, subprotocols=["streamlit"], additional_headers=headers, max_size=None, proxy=None
        )

    async def open(self, page: str, query: str = "") -> float:
        """Open a page. Returns the seconds until it is complete."""
        self._page, self._query, self._script = page, query, ""  # the server finds the script by the name
        return await self._run(lambda _: None)

    async def upload(self, data: bytes, zone: str, shown: str, name: str = "photo.jpg") -> float:
        """Upload an image. Returns the seconds until it is shown.

        Args:
            data: bytes of a JPEG file.
            zone: key of the drop zone.
            shown: prefix of the key of the element that shows the image.
            name: name of the file.
        """
        began = time.perf_counter()
        file = await self.send_file(data, name)

        def fill(states) -> None:
            state = states.add()
            state.id = self._id(zone)
            info = state.file_uploader_state_value.uploaded_file_info.add()
            info.name, info.size, info.file_id = name, len(data), file.file_id
            info.file_urls.CopyFrom(file)

        took = time.perf_counter() - began
        return took + await self._run(fill, until=shown, of=zone)

    async def send_file(self, data: bytes, name: str = "photo.jpg") -> FileURLs:
        """Upload a file without using it on the page. Returns its addresses.

        Raises:
            HTTPError: if the server rejects the file.
        """
        message = BackMsg()
        message.file_urls_request.request_id = "1"
        message.file_urls_request.file_names.append(name)
        message.file_urls_request.session_id = self._session
        await self.socket.send(message.SerializeToString())
        while (answer := await self._next()).WhichOneof("type") != "file_urls_response":
            pass
        (file,) = answer.file_urls_response.file_urls
        await asyncio.to_thread(self._put, file.upload_url, data, name)
        return file

    async def click(self, key: str) -> float:
        """Click a button. Returns the seconds until the page is updated and the work that it starts is done."""

        def fill(states) -> None:
            state = states.add()
            state.id, state.trigger_value = self._id(key), True

        return await self._run(fill, of=key)

    async def choose(self, key: str, option: str) -> float:
        """Select an option. Returns the seconds until the page is updated."""

        def fill(states) -> None:
            state = states.add()
            state.id = self._id(key)
            state.string_array_value.data.append(option)

        return await self._run(fill, of=key)

    async def tell(self, key: str, event: str, change: Callable[[dict], object]) -> float:
        """Send an event of a component. Returns the seconds until the page is updated.

        Args:
            key: key of the component.
            event: name of the event.
            change: function from the component's data to the value of the event.
        """
        data = json.loads(self.elements[key][1].bidi_component.json)
        event_message = {"number": data["received"] + 1, "event": event, "value": change(data)}

        def fill(states) -> None:
            state = states.add()
            state.id = self._id(key)
            state.json_value = json.dumps({"outbox": {"session": data["session"], "messages": [event_message]}})

        return await self._run(fill, of=key)

    async def fetch(self, key: str) -> list[bytes]:
        """Fetch the parts of a component that the server does not send, one after the other, as browsers do."""
        later = json.loads(self.elements[key][1].bidi_component.json)["later"]
        return [await asyncio.to_thread(self._get, part["url"]) for part in later.values()]

    async def leave(self) -> None:
        """Close the connection."""
        await self.socket.close()

    def _id(self, key: str) -> str:
        return self.elements[key][0]

    async def _run(self, fill: Callable[[object], None], until: str | None = None, of: str | None = None) -> float:
        """Run the page, or only the fragment of a widget. Returns the seconds until it has ended.

        Fragments that run again at intervals, to show the progress of work, have then ended, too.

        Args:
            fill: function that adds the states of widgets.
            until: prefix of the key of an element whose arrival ends the measured time.
            of: key of the widget.
        """
        began = time.perf_counter()
        at = await self._run_once(fill, self._fragments.get(self._id(of), "") if of else "", until)
        while self._again:
            fragment, seconds = next(iter(self._again.items()))
            await asyncio.sleep(seconds)
            ended = await self._run_once(lambda _: None, fragment, until, is_auto=True)
            at = at if until else ended
        return at - began

    async def _run_once(self, fill: Callable, fragment: str, until: str | None, is_auto: bool = False) -> float:
        """Run the page or a fragment. Returns the time of its end, or of the arrival of an element."""
        message, at = BackMsg(), None
        request = message.rerun_script
        request.page_name, request.query_string = self._page, self._query
        request.page_script_hash, request.fragment_id, request.is_auto_rerun = self._script, fragment, is_auto
        fill(request.widget_states.widgets)
        await self.socket.send(message.SerializeToString())
        while True:
            message = await self._next()
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._session = message.new_session.initialize.session_id or self._session
                if not message.metadata.run.fragment_ids:  # a run of the whole page
                    self._again.clear()
            elif kind == "navigation":
                self._script = message.navigation.page_script_hash
            elif kind == "auto_rerun":
                self._again[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "stop_auto_rerun":
                for stopped in message.stop_auto_rerun.fragment_ids:
                    self._again.pop(stopped, None)
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                key = self._note(message.delta)
                if until and at is None and key.startswith(until):
                    at = time.perf_counter()
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return at or time.perf_counter()

    def _note(self, delta: Delta) -> str:
        """Store an element and return its key, the end of its id; empty if it has none."""
        element = delta.new_element
        part = getattr(element, element.WhichOneof("type") or "", None)
        if element.HasField("progress"):
            self.progress = element.progress.text
            self.arrived["progress"] += 1
        elif element.HasField("exception"):
            self.errors.append(f"{element.exception.type}: {element.exception.message}")
        elif element.HasField("alert") and element.alert.format == Alert.ERROR:
            self.errors.append(element.alert.body)
        name = getattr(part, "id", "")
        key = name.split("-", 2)[-1] if name else ""
        if key:
            self.arrived[key] += 1
            self.elements[key] = name, element
            self._fragments[name] = delta.fragment_id
        return key

    async def _next(self) -> ForwardMsg:
        message = ForwardMsg()
        message.ParseFromString(await asyncio.wait_for(self.socket.recv(), TIMEOUT))
        return message

    def _put(self, path: str, data: bytes, name: str) -> None:
        head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        headers = {
            "Content-Type": "multipart/form-data; boundary=x",
            "Cookie": f"_streamlit_xsrf={self._token}",
            "X-Xsrftoken": self._token,
        }
        body = head + data + b"\r\n--x--\r\n"
        with direct.open(Request(self.url + path, body, headers, method="PUT")):
            pass

    def _get(self, path: str) -> bytes:
        with direct.open(self.url + path) as answer:
            return answer.read()
