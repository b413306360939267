"""The explorer as one HTML file, which contains its data and opens without a network.

The page computes attention weights from the same queries and keys, with the same scripts, as the app. Its data are
embedded as text, see `vitviz.viz.browser.embedded`. A content security policy allows only the page's own script and
style, so that nothing is loaded or sent.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from string import Template

from PIL import Image

from ... import __version__
from ...errors import TraceError
from ...errors.arguments import of_kind
from ...notation.view import View, token_layout
from ...trace.atomic_write import save_file
from ...trace.trace import Trace
from ..browser.binary import header_of
from ..browser.embedded import embedded
from ..browser.modules import link
from ..browser.themes import rule
from ..colour import Style
from . import FOLDER, MARKUP
from .contents import Shown, description, first_view, kept_layers, parts_of, shown
from .linked import layers_with_tokens, token_parts
from .payload import limited_jpeg

PICTURE = 140_000  # bytes of the picture, so that any photo at 224 pixels becomes a file of at most 5.5 MB
FRAME_HEIGHT = 760  # pixels of a frame in a notebook


def save_html(
    trace: Trace,
    path: str | Path,
    *,
    layer: int | str | None = None,
    head: int | None = None,
    query: int | Sequence[int] | None = None,
    layers: Sequence[int] | None = None,
    image: str | Path | bytes | Image.Image | None = None,
    tokens: bool = False,
) -> None:
    """Write the explorer of a trace to an HTML file; arguments and errors as in `Trace.save_html`."""
    of_kind(path, str | Path, "path")
    of_kind(tokens, bool, "tokens")
    view = first_view(trace, layer, head, query, layers)
    kept = kept_layers(trace, view, layers)
    with_tokens = token_parts(trace, layers_with_tokens(trace, view, kept)) if tokens else ()
    text = page(trace, view, kept, shown(trace, image), tokens=with_tokens)
    save_file(Path(path), text.encode("utf-8"), "page", TraceError)


def frame(trace: Trace, view: View, layers: tuple[int, ...], picture: Shown) -> str:
    """Return HTML that shows the page in a frame of a notebook, which cannot reach the notebook; see `page`."""
    document = html.escape(page(trace, view, layers, picture))
    style = f"width: 100%; height: {FRAME_HEIGHT}px; border: 0"
    return f'<iframe sandbox="allow-scripts" title="Attention explorer" style="{style}" srcdoc="{document}"></iframe>'


def page(
    trace: Trace,
    view: View,
    layers: tuple[int, ...],
    picture: Shown,
    *,
    style: Style | None = None,
    model_title: str = "",
    origin: str = "",
    tokens: Sequence[bytes] = (),
) -> str:
    """Return the page as text.

    Args:
        trace: trace to explore.
        view: view with which the page opens.
        layers: layers that follow the pointer, in order.
        picture: picture of the model input, and its name.
        style: style with which the page opens; the default style if None.
        model_title: title of the model, by default its name.
        origin: hexadecimal identity of the image file, for later runs of a command.
        tokens: parts with the tokens of some layers, see `vitviz.viz.explorer.linked`, for linked views.

    Raises:
        EditError: if an edit of the trace changes attention scores.
    """
    picture = picture._replace(jpeg=limited_jpeg(picture.jpeg, PICTURE))
    parts = [*parts_of(trace, view, layers, picture).values(), *tokens]
    state = {
        "view": asdict(view),
        "style": asdict(style or Style()),
        "places": token_layout(trace),
        "kept": layers if len(layers) < trace.layers else None,
        "parts": [header_of(part)["key"] for part in parts],
        "token_source": header_of(tokens[0])["source"] if tokens else None,
    }
    made_by = f"vitviz {__version__}, with Trace.save_html or vitviz attention --interactive"
    facts = description(trace, picture.name, model_title or trace.model.name, layers, bool(tokens))
    facts["Made by"] = made_by
    css, script = _assets()
    return Template((FOLDER / "standalone.html").read_text("utf-8")).substitute(
        title=_escape(f"Attention explorer: {picture.name}"),
        origin=origin,
        version=_escape(__version__),
        explorer=MARKUP.html,
        facts=_described(facts),
        state=json.dumps(state).replace("<", "\\u003c"),
        parts="\n".join(map(_part, parts)),
        style=css,
        style_hash=_digest(css),
        script=script,
        script_hash=_digest(script),
    )


@cache
def _assets() -> tuple[str, str]:
    """Style sheet and script of the page."""
    themes = (
        rule(":root", "light"),
        f"@media (prefers-color-scheme: dark) {{ {rule(':root', 'dark')}}}\n",
        rule(":root[data-theme=light]", "light"),
        rule(":root[data-theme=dark]", "dark"),
    )
    css = "".join([*themes, (FOLDER / "standalone.css").read_text("utf-8"), MARKUP.css])
    return css, link(FOLDER / "standalone.js")


def _part(part: bytes) -> str:
    text, size = embedded(part)
    return f'<script type="application/octet-stream" data-size="{size}">{text}</script>'


def _described(facts: Mapping[str, str]) -> str:
    return "".join(f"<dt>{_escape(title)}</dt><dd>{_escape(text)}</dd>" for title, text in facts.items())


def _escape(text: str) -> str:
    """Escape markup; characters that no file can contain, as in names of damaged files, are replaced."""
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
