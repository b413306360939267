"""Messages of components: whatever a browser sends is refused or is an action that the page can take."""

import importlib
import json
from contextlib import nullcontext
from dataclasses import asdict
from unittest.mock import patch

import numpy as np
import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st

from tests.support.app_pages import picture
from tests.support.fake_browser import SESSION, Sent, message
from tests.support.hostile.limits import cpu_limit
from tests.support.hostile.strategies import json_values, mutated_json
from tests.support.random_models import CONFIGS, PLAIN, trace_of
from tests.support.session_state import SessionState
from vitviz.notation.view import View, token_layout
from vitviz.ui.app import lesson_section
from vitviz.ui.app.tour import read_stop
from vitviz.ui.app.views import VIEW, view_parameters
from vitviz.ui.components._shared import Component, Listener, dispatch
from vitviz.ui.components._shared.messages import MOST, Message, read_messages
from vitviz.ui.components.diagram import model_steps
from vitviz.viz.colour import Style

GRID, PATCHES = (4, 6), 24
PATCH = {"role": "query", "row": 1, "column": 2, "grid": [4, 6]}
VALID = {  # by component and event
    ("board", "click"): {"layer": 0, "column": 1, "layers": 3, "heads": 3},
    ("class_sets", "add"): True,
    ("class_sets", "rename"): [1, "mug"],
    ("class_sets", "discard"): 1,
    ("class_sets", "remove"): ["0123456789abcdef"],
    ("class_sets", "move"): [["0123456789abcdef"], 2],
    ("class_sets", "refused"): "photo.jpg",
    ("class_sets", "missing"): 2,
    ("class_sets", "lost"): 6,
    ("diagram", "go"): "attention/scores",
    ("diagram", "here"): "scores",
    ("explorer", "view"): {"view": asdict(View(1, 0, 3)), "places": [0, 4, 6]},
    ("explorer", "style"): asdict(Style()),
    ("flattening", "chosen"): {"index": 3, "count": 48},
    ("gallery", "chosen"): "cat",
    ("gallery", "removed"): "mine",
    ("image_input", "refused"): "photo.jpg",
    ("image_input", "lost"): "photo.jpg",
    ("matrix", "chosen"): {"row": 1, "rows": PATCHES},
    ("own_image", "nothing"): True,
    ("own_image", "refused"): "photo.jpg",
    ("own_image", "lost"): "photo.jpg",
    ("own_image", "owner"): "secret",
    ("patches", "chosen"): PATCH,
    ("scatter", "chosen"): PATCH,
    ("similarity", "chosen"): PATCH,
    ("tour", "go"): 3,
}


def act(*values: object) -> None:
    """Take any action: what a browser can choose is written and shown."""
    for value in values:
        assert isinstance(value, int | str | View | Style | tuple), value
        if isinstance(value, View):
            for kind in CONFIGS:
                trace = trace_of(kind)
                VIEW.choose(value, values[1])
                view = VIEW.of(trace)
                assert view.label(trace)
                assert set(view_parameters(view, trace).values())


CHOOSING = {"on_choose": act, "key": "it"}
DATA, TOKENS, COLOURS = picture(32), np.ones((PATCHES, 8), np.float32), np.zeros((PATCHES, 3), np.uint8)
HERE = Listener("a section", lesson_section.reader("attention"), lambda name: lesson_section.choose("attention", name))
DRAWN = {  # functions that draw a component with everything on it, given its module
    "board": lambda it: it.board(3, 3, {}, on_click=act, key="it"),
    "class_sets": lambda it: it.class_sets(
        [it.ShownClass(1, "a", [])],
        it.Actions(*[act] * 7),
        least=2,
        most=10,
        longest=40,
        key="it",
    ),
    "diagram": lambda it: it.diagram(model_steps(PLAIN, GRID), "attention", act, on_here=HERE, key="it"),
    "explorer": lambda it: it.explorer(
        *(trace_of("mean"), None, View(0), Style()),
        sums=None,
        picture=DATA,
        image_name="a",
        is_public=False,
        token_source=None,
        tokens_key=None,
        on_view=act,
        on_style=act,
        key="it",
    ),
    "flattening": lambda it: it.flattening(COLOURS[:16].reshape(4, 4, 3), np.ones((4, 4, 3)), "RGB", 0, **CHOOSING),
    "gallery": lambda it: it.gallery(
        *("a", {"cat": DATA, "mine": DATA}),
        chosen=None,
        columns=2,
        titles=True,
        whole=True,
        removable=("mine",),
        on_remove=act,
        **CHOOSING,
    ),
    "image_input": lambda it: it.image_input("a", act, key="it"),
    "matrix": lambda it: it.sequence_matrix(it.drawn(TOKENS), (), GRID, DATA, "a", 0, **CHOOSING),
    "own_image": lambda it: it.own_image(lambda: None),
    "patches": lambda it: it.patch_picker(DATA, "a", GRID, (0, 0), on_key=act, **CHOOSING),
    "scatter": lambda it: it.scatter(DATA, "a", GRID, (0, 0), TOKENS[:, :2], COLOURS, "a", **CHOOSING),
    "similarity": lambda it: it.similarity_picker(DATA, "a", GRID, (0, 0), TOKENS, (), "a", **CHOOSING),
}


def begin(session) -> None:
    """Begin a session."""
    trace = trace_of("mean")
    session.clear()
    session.update(
        own=None,
        own_request="kept",
        own_dropped_turn=0,
        class_sets_files_turn=0,
        it_upload_turn=0,
        session_mark=SESSION,
    )
    session.update(view=View(0), places=token_layout(trace))


@pytest.fixture(scope="module")
def session():
    with pytest.MonkeyPatch.context() as patched:
        found = SessionState()
        patched.setattr(streamlit, "session_state", found)
        begin(found)
        yield found


@pytest.fixture(scope="module")
def listeners(session):
    """Listeners of all components, by component and event."""
    found = {("tour", "go"): Listener("a stop", lambda value: read_stop(value, 5), act)}
    for name, draw in DRAWN.items():
        module = importlib.import_module(f"vitviz.ui.components.{name}")
        heard = {}
        with (
            patch.object(Component, "draw", lambda self, data, listeners, heard=heard, **_: heard.update(listeners)),
            patch.object(module, "payload", lambda *_, **__: {}) if name == "explorer" else nullcontext(),
            patch.object(module, "drop_zone") if name in ("own_image", "class_sets") else nullcontext(),
        ):
            draw(module)
        found |= {(name, event): listener for event, listener in heard.items()}
    return found


def test_every_listener_hears_a_valid_message(listeners, session):
    assert listeners.keys() == VALID.keys()
    for key, value in VALID.items():
        begin(session)
        label, parse, take = listeners[key]
        assert label
        take(parse(value))


@given(st.sampled_from(tuple(VALID)), st.data())
def test_any_value_is_refused_or_an_action(listeners, session, key, data):
    value = data.draw(mutated_json(VALID[key]) | json_values)
    begin(session)
    _, parse, take = listeners[key]
    with cpu_limit():
        try:
            parsed = parse(value)
        except ValueError:
            return
        take(parsed)


OUTBOX = {"session": SESSION, "messages": [message(1, "add", 10), message(2, "clear", True), message(5, "other", [])]}


@given(mutated_json(OUTBOX) | json_values)
def test_any_outbox_is_read_or_refused(outbox):
    try:
        found = read_messages(outbox, SESSION)
    except ValueError:
        return
    assert len(found) <= MOST
    assert all(isinstance(one, Message) and type(one.number) is int and isinstance(one.event, str) for one in found)


@given(st.lists(mutated_json(OUTBOX), min_size=1, max_size=3))
def test_each_message_is_heard_at_most_once(session, outboxes):
    begin(session)
    heard, received = [], 0

    def number(value: object) -> int:
        if type(value) is not int:
            raise ValueError("not a number")
        return value

    for outbox in outboxes:
        session["it"] = Sent(outbox=outbox)
        before = len(heard)
        dispatch("it", {"add": Listener("a number", number, heard.append)})
        assert len(heard) - before <= MOST
        assert all(type(value) is int for value in heard)
        now = session.get("received", {}).get("it", 0)
        assert now >= received
        if now == received:
            assert len(heard) == before
        received = now
        json.dumps(received)
