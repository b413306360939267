"""The pages without a browser, as tests open and read them."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

import vitviz
from vitviz.ui.app import state
from vitviz.ui.app.registry import offered

NAMES = tuple(page.name for page in offered())
APP = str(Path(__file__).parents[2] / "app.py")
PATIENCE = 240  # seconds that a run may take; nothing here depends on how fast the machine is


def addresses(*without: str, **queries: str) -> list[str]:
    """The addresses of all pages.

    Args:
        *without: names of pages that are left out.
        **queries: what follows after the `?`, by the page's name.
    """
    kept = [name for name in NAMES if name not in without]
    shown = {name: "" if name == NAMES[0] else name for name in kept}
    return [f"{shown[name]}?{queries[name]}" if name in queries else shown[name] for name in kept]


def app_with(parameters: dict[str, str]) -> AppTest:
    """The app with a link's parameters, not run yet."""
    app = AppTest.from_file(APP, default_timeout=PATIENCE)
    app.query_params.update(parameters)
    return app


def start(**parameters: str) -> AppTest:
    """The app as a link opens it: its first page, or that of the tour's stop."""
    return app_with(parameters).run()


def opened(page: str, **parameters: str) -> AppTest:
    """A page by its file's name, as a link opens it."""
    return app_with(parameters).switch_page(f"pages/{page}.py").run()


def explore(**parameters: str) -> AppTest:
    return opened("explore", **parameters)


def settings(app: AppTest) -> dict:
    """The values of all settings that were set, by key."""
    return app.session_state["settings"]


def choice_of(app: AppTest) -> state.Choice:
    """Image and model that the app looks at."""
    return state.Choice(app.session_state.picked, *(settings(app)[name] for name in ("model", "size", "fit")))


def texts(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.markdown, app.caption, app.warning, app.error) for element in kind)


def placed(app: AppTest, key: str) -> list[str] | None:
    """Texts inside the container with this key, in order; None if it is not on the page."""
    containers, blocks = [], [app._tree]
    while blocks:
        block = blocks.pop()
        containers += [block] if getattr(block, "key", None) == key else []
        blocks += [child for child in block.children.values() if hasattr(child, "children")]
    if not containers:
        return None
    (container,) = containers
    kinds = ("markdown", "caption", "warning", "error", "header")
    return [element.value for element in container if element.type in kinds]


def query(app: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}


def picture(side: int = 64, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def show_instead(monkeypatch, trace: vitviz.Trace, kind: str) -> None:
    """Have every page look at this trace, whatever the sidebar says."""
    monkeypatch.setattr(state, "trace", lambda _: trace)
    monkeypatch.setattr(state, "picture", lambda _, longest=960: picture())
    monkeypatch.setattr(state.Choice, "key", property(lambda _: ("kind", kind)))


def dropped(app: AppTest, zone: str, name: str, data: bytes, kind: str = "image/png") -> AppTest:
    """The app after a file was dropped into a zone (see `vitviz.ui.app.uploads`)."""
    (widget,) = [widget for widget in app.file_uploader if widget.key.startswith(f"{zone}_")]
    return widget.upload(name, data, kind).run()
