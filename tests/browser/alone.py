"""Component in a plain page, without Streamlit."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping

from playwright.sync_api import Page

from vitviz.ui.components._shared import Component
from vitviz.viz.browser.binary import header_of

# Minimal version of Streamlit's mounting. Sent messages are recorded: `messages` are the pending ones, and `told` is
# the history of the last message of each transmission.
_START = """async (script) => {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: run } = await import(url);
  Object.assign(window, { told: [], messages: [] });
  window.hold = (parts) => {
    for (const [key, bytes] of Object.entries(parts)) {
      const stored = { bytes: Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)) };
      (globalThis.vitvizPayloads ??= new Map()).set(key, stored);
      document.dispatchEvent(new CustomEvent("vitviz-payload"));
    }
  };
  window.receive = (data) => {
    window.cleanup = run({
      data,
      parentElement: document.querySelector("main"),
      setStateValue: (name, value) => {
        window.messages = structuredClone(value.messages);
        const { event, value: last } = window.messages.at(-1);
        window.told.push([event, last]);
      },
    });
  };
}"""
_keys = (f"alone {number}" for number in itertools.count())


class Alone:
    """Component of a page, with the Python side of its message exchange.

    Args:
        page: page to draw on.
        component: component to draw.
        css: style of the page.
        head: additional HTML of the page's head.
    """

    def __init__(self, page: Page, component: Component, css: str, head: str = ""):
        self.page, self.key, self.html = page, next(_keys), component.html
        page.set_content(f"{head}<style>{css} {component.css}</style><main>{self.html}</main>")
        page.evaluate(_START, component.script)

    def receive(
        self,
        data: Mapping,
        *,
        received: int = 0,
        session: str = "one",
        parts: Mapping[str, bytes] | None = None,
        late=(),
    ) -> None:
        """Update the component; `received`: number of the last received message, `late`: parts that do not arrive."""
        said = {**data, "key": self.key, "session": session, "received": received}
        if parts is not None:
            said["parts"] = [header_of(part)["key"] for part in parts.values()]
            self.hold(*(part for name, part in parts.items() if name not in late))
        self.page.evaluate("data => receive(data)", said)

    def hold(self, *parts: bytes) -> None:
        """Deliver parts of the state."""
        self.page.evaluate(
            "parts => hold(parts)", {header_of(part)["key"]: base64.b64encode(part).decode() for part in parts}
        )

    def leave_and_come_back(self) -> None:
        """Unmount the component, as on a page change. The next update mounts it again."""
        self.page.evaluate("html => { cleanup(); document.querySelector('main').innerHTML = html; }", self.html)

    @property
    def told(self) -> list:
        """Event and value of each message, in order."""
        return self.page.evaluate("told")

    @property
    def messages(self) -> list[dict]:
        """Pending messages."""
        return self.page.evaluate("messages")
