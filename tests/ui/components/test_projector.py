"""vitviz/ui/components/projector: the width of the window goes to Python once, rounded and within limits."""

import pytest

from tests.support.node_runner import run
from vitviz.ui.app.projector import WINDOW

# The component on a page without sections. `given` has the limits of the width, and steps: the width of the window and,
# if Python draws the component, the width that it knows and the number of the last message that it has received. The
# answer is the pending widths that are sent in each step.
SCRIPT = """
import projector from "./projector/projector.js";
const node = () => Object.assign(new EventTarget(), { dataset: {}, append() {}, remove() {} });
const frames = [];
Object.assign(globalThis, {
  window: new EventTarget(),
  document: Object.assign(node(), {
    head: { appendChild: (style) => style }, createElement: node, querySelector: () => null, querySelectorAll: () => [],
  }),
  MutationObserver: class { observe() {} disconnect() {} },
  requestAnimationFrame: (act) => frames.push(act),
  cancelAnimationFrame: () => {},
});
const root = node(), bar = ["back", "next", "share", "leave", "pager", "at"];
root.querySelectorAll = () => bar.map((ref) => Object.assign(node(), { dataset: { ref } }));
const parentElement = { querySelector: () => root };
let posted;
const setStateValue = (_, { messages }) => { posted = messages.map(({ value }) => value); };
answer(given.steps.map(({ width, known, received = 0 }) => {
  posted = null;
  globalThis.innerWidth = width;
  const data = { key: "bar", session: "a", received, page: "attention", section: "", window: known };
  if (known !== undefined) projector({ data: { ...data, widths: given.widths }, parentElement, setStateValue });
  else window.dispatchEvent(new Event("resize"));
  for (const act of frames.splice(0)) act();
  return posted;
}));
"""


def widths_sent(steps):
    return run(SCRIPT, {"widths": list(WINDOW), "steps": steps})


@pytest.mark.parametrize(
    ("width", "told"),
    [(1280, None), (1359, None), (1361, 1440), (1919, 1920), (100, WINDOW[0]), (99_999, WINDOW[1])],
)
def test_the_width_is_rounded_and_within_what_python_takes(width, told):
    assert widths_sent([{"width": width, "known": 1280}]) == [told and [told]]


def test_a_width_is_sent_when_the_window_changes_and_once():
    steps = [
        {"width": 1280, "known": 1280},
        {"width": 1920},
        {"width": 1921},  # the same, rounded
        {"width": 1920, "known": 1280},  # drawn before Python has received it
        {"width": 640},
        {"width": 640, "known": 640, "received": 2},
    ]
    assert widths_sent(steps) == [None, [1920], None, None, [640], None]


def test_the_present_width_replaces_one_that_python_has_not_received():
    steps = [{"width": 1920, "known": 1280}, {"width": 640}, {"width": 1280}]
    assert widths_sent(steps) == [[1920], [640], [1280]]


def test_a_width_that_python_lacks_is_sent_again():
    """For example because the settings of the session were reset."""
    steps = [
        {"width": 1920, "known": 1280},
        {"width": 1920, "known": 1920, "received": 1},
        {"width": 1920, "known": 1280, "received": 1},
    ]
    assert widths_sent(steps) == [[1920], None, [1920]]
