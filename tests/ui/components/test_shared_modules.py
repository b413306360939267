"""vitviz/ui/components/_shared: what scripts of components have in common, run as it is."""

import numpy as np
import pytest

from tests.support.node_runner import run
from vitviz.ui.components._shared import packed
from vitviz.ui.components._shared.messages import MOST, Message, read_messages
from vitviz.viz import colour
from vitviz.viz.browser.binary import header_of


def test_colours_of_the_library_are_those_in_scripts():
    script = 'import { KEY, QUERY } from "../../viz/browser/theme.js"; answer([QUERY, KEY]);'
    assert run(script) == [colour.QUERY, colour.KEY]


# --- Bytes -----------------------------------------------------------------------------------------------------------


def test_all_halves_are_read_as_numpy_reads_them():
    script = """
        import { halves } from "../../viz/browser/binary.js";
        const numbers = halves(given.buffer, given.byteOffset, 65536);
        answer([...new Uint32Array(numbers.buffer)]);
    """
    bits = np.arange(65536, dtype=np.uint16)
    read, meant = (
        np.array(run(script, bits.tobytes()), np.uint32).view(np.float32),
        bits.view(np.float16).astype(np.float32),
    )
    assert np.array_equal(read, meant, equal_nan=True)
    numbers = ~np.isnan(meant)
    assert np.array_equal(np.signbit(read[numbers]), np.signbit(meant[numbers]))  # of -0, too


@pytest.mark.parametrize("length", range(5))
def test_a_header_and_its_sections_are_read_wherever_they_lie(length):
    sections = {"odd": b"x" * length, "numbers": np.arange(3, dtype=np.float32).tobytes(), "none": b""}
    data = packed({"name": "Grüße 猫", "at": [1, None]}, sections)
    script = """
        import { readHeader } from "../../viz/browser/binary.js";
        const { start, ...header } = readHeader(given.subarray(3));
        const sections = Object.entries(header.sections).map(([name, [at, size]]) =>
          [name, [...given.subarray(3 + start + at, 3 + start + at + size)]]);
        answer({ start, header, sections: Object.fromEntries(sections) });
    """
    answer = run(script, b"abc" + data)
    assert answer["header"] == header_of(data)
    assert answer["start"] % 4 == 0
    assert [start % 4 for start, _ in answer["header"]["sections"].values()] == [0, 0, 0]
    assert {name: bytes(section) for name, section in answer["sections"].items()} == sections


# --- Keys, pointer and frames ----------------------------------------------------------------------------------------


def test_keys_come_with_their_step_unless_they_are_the_browsers():
    script = """
        import { Listening } from "../../viz/browser/listening.js";
        import { onKeys } from "../../viz/browser/keys.js";
        const [node, listening, steps] = [new EventTarget(), new Listening(), []];
        onKeys(listening, node, (event, step) => { steps.push(step ?? event.key); return event.key !== "x"; });
        const press = ({ key, altGraph, ...held }) => {
          const event = Object.assign(new Event("keydown", { cancelable: true }), { key, ...held });
          event.getModifierState = () => Boolean(altGraph);
          node.dispatchEvent(event);
          return event.defaultPrevented;
        };
        const taken = given.map(press);
        listening.end();
        press({ key: "ArrowUp" });
        answer({ steps, taken });
    """
    pressed = [
        *({"key": f"Arrow{direction}"} for direction in ("Left", "Right", "Up", "Down")),
        {"key": "x"},
        {"key": "ArrowLeft", "altKey": True},
        {"key": "[", "ctrlKey": True, "altKey": True},
        {"key": "[", "ctrlKey": True, "altKey": True, "altGraph": True},
    ]
    answer = run(script, pressed)
    assert answer["steps"] == [[0, -1], [0, 1], [-1, 0], [1, 0], "x", "["]
    assert answer["taken"] == [True, True, True, True, False, False, False, True]


def test_the_pointer_is_over_a_cell_even_beyond_the_edge():
    script = """
        import { cellAt } from "../../viz/browser/pointer.js";
        const node = { getBoundingClientRect: () => ({ left: 10, top: 20, width: 60, height: 40 }) };
        answer(given.map(([clientX, clientY]) => cellAt({ clientX, clientY }, node, [4, 6])));
    """
    assert run(script, [[10, 20], [19.9, 29.9], [20, 30], [69, 59], [70, 60], [0, 99]]) == [
        [0, 0],
        [0, 0],
        [1, 1],
        [3, 5],
        [3, 5],
        [3, 0],
    ]


def test_there_is_one_drawing_a_frame_and_a_slide_ends_where_it_should():
    script = """
        import { Frames } from "../../viz/browser/frames.js";
        let waiting = new Map(), number = 0;
        globalThis.requestAnimationFrame = (act) => { waiting.set(++number, act); return number; };
        globalThis.cancelAnimationFrame = (one) => waiting.delete(one);
        const frame = (now) => {
          const acts = waiting;
          waiting = new Map();
          for (const act of acts.values()) act(now);
        };
        let drawn = 0;
        const steps = [], frames = new Frames(() => { drawn += 1; });
        for (let i = 0; i < 3; i++) frames.schedule();
        frame(0);
        frames.schedule();
        frame(0);
        frames.slide(0, (done) => steps.push(done));
        frames.slide(1e6, (done) => steps.push(done));
        frame(0);
        frame(performance.now() + 2e6);
        frames.schedule();
        frames.slide(1e6, (done) => steps.push(done));
        frames.end();
        frame(0);
        answer({ drawn, steps, measured: performance.getEntriesByName("vitviz-draw", "measure").length });
    """
    assert run(script) == {"drawn": 2, "steps": [1, 0, 1], "measured": 2}


# --- Messages --------------------------------------------------------------------------------------------------------

MOUNT = """
import { mounted } from "./_shared/mounted.js";
globalThis.document = new EventTarget();
class Kind {
  constructor(root, mount) { Object.assign(this, { mount, shown: [] }); kinds.push(this); }
  receive(data, parts) { this.shown.push(parts.map((part) => part ?? null)); }
  close() { this.closed = true; }
}
class Momentary extends Kind { static momentary = true; }
const kinds = [], told = [];
const place = () => ({ root: {}, querySelector() { return this.root; } });
const receive = (parentElement, data = {}, kind = Kind) => mounted(kind, "p", {
  data: { key: "it", session: "one", received: 0, ...data },
  parentElement,
  setStateValue: (name, value) => told.push(structuredClone(value)),
});
const here = place();
"""


def heard(told, session="one"):
    """Messages that Python reads from the last transmission."""
    return read_messages(told[-1], session)


def test_messages_are_numbered_on_and_told_until_they_are_heard():
    script = (
        MOUNT
        + """
        receive(here, { received: 7 });
        const { mount } = kinds[0];
        mount.send("add", 1);
        mount.send("add", 2);
        const pending = [mount.pending("add")];
        receive(here, { received: 8 });
        pending.push(mount.pending("add"));
        mount.send("clear", true);
        receive(here, { received: 10 });
        pending.push(mount.pending("add"), mount.pending("clear"));
        answer({ told, pending });
    """
    )
    answer = run(script)
    assert [heard([one]) for one in answer["told"]] == [
        [Message(8, "add", 1)],
        [Message(8, "add", 1), Message(9, "add", 2)],
        [Message(9, "add", 2), Message(10, "clear", True)],
    ]
    assert answer["pending"] == [[1, 2], [2], [], []]


def test_a_message_takes_the_place_of_earlier_ones_of_its_kind():
    script = (
        MOUNT
        + """
        receive(here);
        for (let i = 0; i < 3; i++) kinds[0].mount.send("view", i, { instead: true });
        kinds[0].mount.send("add", 9);
        answer(told);
    """
    )
    assert heard(run(script)) == [Message(3, "view", 2), Message(4, "add", 9)]


def test_no_more_messages_wait_than_python_reads():
    script = MOUNT + "receive(here); for (let i = 0; i < given + 5; i++) kinds[0].mount.send('add', i); answer(told);"
    messages = heard(run(script, MOST))
    assert len(messages) == MOST
    assert messages[-1].value == MOST + 4


def test_a_component_that_is_mounted_anew_counts_on():
    script = (
        MOUNT
        + """
        receive(here)();
        receive(here, { received: 3 });
        kinds[1].mount.send("add", 1);
        here.root = {};
        receive(here, { received: 4 });
        kinds[2].mount.send("add", 2);
        const overtaken = receive(here, { received: 4 });
        receive(here, { received: 4 });
        overtaken();
        answer({ told, closed: kinds.map(({ closed }) => Boolean(closed)) });
    """
    )
    answer = run(script)
    assert [heard([one]) for one in answer["told"]] == [[Message(4, "add", 1)], [Message(5, "add", 2)]]
    assert answer["closed"] == [True, True, False]


@pytest.mark.parametrize(("kind", "lost", "resent"), [("Kind", 0, [1]), ("Kind", 1e15, []), ("Momentary", 0, [])])
def test_a_new_session_is_told_what_was_done_since_the_connection_was_lost(kind, lost, resent):
    script = (
        MOUNT
        + f"""
        globalThis.vitvizLost = {lost};
        receive(here, {{}}, {kind});
        kinds[0].mount.send("add", 1);
        told.length = 0;
        receive(here, {{ session: "two" }}, {kind});
        await null;
        const pending = kinds[0].mount.pending("add");
        kinds[0].mount.send("clear", true);
        answer({{ told, pending }});
    """
    )
    answer = run(script)
    assert [message.value for message in heard(answer["told"], "two")] == [*resent, True]
    assert len(answer["told"]) == len(resent) + 1
    assert answer["pending"] == []  # it was another session's


def test_a_component_is_shown_with_the_first_part_and_again_with_each_further_one():
    script = (
        MOUNT
        + """
        const arrive = (key) => {
          (globalThis.vitvizPayloads ??= new Map()).set(key, { bytes: key });
          document.dispatchEvent(new Event("vitviz-payload"));
        };
        receive(here, { parts: ["a", "b", "c"] });
        const before = kinds.length;
        for (const key of ["b", "a", "a", "c"]) arrive(key);
        answer({ before, shown: kinds[0].shown });
    """
    )
    assert run(script) == {"before": 0, "shown": [["a", "b", None], ["a", "b", "c"]]}
