"""The explorer as a Jupyter widget, for JupyterLab, VS Code, Colab and marimo. Requires the extra `notebook`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import anywidget
import traitlets

from ...errors import ArgumentError
from ...notation.marks import join_words
from ...notation.view import View, has_pool, scales, token_layout
from ...trace.trace import Trace
from ..browser.binary import header_of
from ..browser.modules import link
from ..browser.themes import rule
from ..colour import Style
from . import FOLDER, MARKUP
from .contents import Shown, parts_of
from .linked import has_tokens, layer_of, token_parts

_THEMES = rule(":host", "light") + rule(":host([data-theme=dark])", "dark")
_HOST = ":host { display: block; padding: 0.5rem; background: var(--st-background-color); }\n"


class ExplorerWidget(anywidget.AnyWidget):
    """Explorer of a trace.

    Attributes:
        view: layer, head, pinned token, direction and scale that are shown; it follows the user, and can be set.
        style: opacity, smoothing and marks, likewise.

    Args:
        trace: trace to explore.
        view: first view.
        layers: layers that follow the pointer, in order. The layer of the view is sent when it is chosen.
        picture: picture of the model input, and its name.

    Raises:
        EditError: if an edit of the trace changes attention scores.
    """

    _esm = link(FOLDER / "widget.js")
    _html = traitlets.Unicode(MARKUP.html).tag(sync=True)
    _css = traitlets.Unicode(_THEMES + _HOST + MARKUP.css).tag(sync=True)
    view = traitlets.Instance(View).tag(
        sync=True, to_json=lambda view, _: asdict(view), from_json=lambda data, _: View.from_dict(data)
    )
    style = traitlets.Instance(Style).tag(
        sync=True, to_json=lambda style, _: asdict(style), from_json=lambda data, _: Style.read(data)
    )
    _places = traitlets.List().tag(sync=True)
    # The parts of the explorer. Those that change with the view are apart, so that the others are sent once.
    _frame = traitlets.Bytes().tag(sync=True)
    _layers = traitlets.List(traitlets.Bytes()).tag(sync=True)
    _rows = traitlets.List(traitlets.Bytes()).tag(sync=True)
    _tokens = traitlets.List(traitlets.Bytes()).tag(sync=True)  # of linked views, while they are shown
    _has_tokens = traitlets.Bool().tag(sync=True)
    _keys = traitlets.List(traitlets.Unicode()).tag(sync=True)  # identities of all parts; set last

    def __init__(self, trace: Trace, view: View, layers: tuple[int, ...], picture: Shown):
        self._trace, self._always, self._picture = trace, layers, picture
        self._view_keys: list[str] = []  # identities of the parts without tokens
        parts = self._parts(view)
        places, offered = list(token_layout(trace)), has_tokens(trace)
        super().__init__(view=view, style=Style(), _places=places, _has_tokens=offered, _keys=self._view_keys, **parts)
        self.observe(self._send_parts, ["view", "style"])

    @traitlets.validate("view")
    def _check_view(self, proposal: dict[str, Any]) -> View:
        view = proposal["value"]
        if view != view.fitted(self._trace):
            raise ArgumentError(_what_is_missing(view, self._trace))
        return view

    def _send_parts(self, change: dict[str, Any]) -> None:
        values = self._parts(self.view) if change["name"] == "view" else {}
        tokens = self._chosen_tokens()
        values |= {"_tokens": tokens, "_keys": [*self._view_keys, *_keys_of(tokens)]}
        if values["_keys"] != self._keys:
            with self.hold_sync():
                for name, value in values.items():
                    setattr(self, name, value)

    def _parts(self, view: View) -> dict[str, Any]:
        """Values of the traits with the parts for a view, without tokens; empty if they stay the same."""
        if len(self._always) == self._trace.layers and self._view_keys:
            return {}  # the same for every view
        layers = {*self._always} | ({view.layer} if view.layer < self._trace.layers else set())
        parts = parts_of(self._trace, view, tuple(sorted(layers)), self._picture)
        self._view_keys = _keys_of(parts.values())
        return {
            "_frame": parts["frame"],
            "_layers": [part for name, part in parts.items() if name.startswith("layer ")],
            "_rows": [part for name, part in parts.items() if name == "rows"],
        }

    def _chosen_tokens(self) -> list[bytes]:
        """Return the part with the tokens of the view, if linked views show them."""
        if not (self.style.linked and self._has_tokens):
            return []
        layer = layer_of(self._trace, self.view)
        is_same = self._tokens and header_of(self._tokens[0])["tokens_of"] == layer
        return self._tokens if is_same else token_parts(self._trace, [layer])


def _what_is_missing(view: View, trace: Trace) -> str:
    """Return a sentence on the first part of a view that the trace does not have."""
    fitted = view.fitted(trace)
    if view.layer != fitted.layer:
        return f"There is no layer {view.layer}; use 0 to {trace.layers - 1 + has_pool(trace)}."
    if view.head != fitted.head:
        return f"There is no head {view.head}; use 0 to {fitted.num_heads(trace) - 1}, or None for the mean."
    if view.query != fitted.query:
        last = trace.token_count - 1
        return f"The query {view.query} is not here; use a token from 0 to {last}, or several from {trace.prefix}."
    return f"The scale {view.scale!r} is not for this model; use {join_words(list(scales(trace)))}."


def _keys_of(parts: Iterable[bytes]) -> list[str]:
    return [header_of(part)["key"] for part in parts]
