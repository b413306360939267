"""Parts that the browser fetches itself, under Node: in which order, how often, and what happens if one fails."""

import pytest

from tests.support.node_runner import run
from vitviz.viz.browser.binary import header_of, packed

NAMES = [f"layer {number}" for number in range(5)]
PARTS = {name: packed({"name": name}, {}) for name in NAMES}
START = """
import { Later } from "./_shared/later.js";
const scripts = [{ src: "https://example.org/vitviz/static/js/index.js" }];
globalThis.document = Object.assign(new EventTarget(), { querySelector: () => scripts[0] });
const requests = [], delays = [], arrived = [];
let timers = [];
globalThis.setTimeout = (act, delay) => { delays.push(delay); timers.push(act); return act; };
globalThis.clearTimeout = (timer) => { timers = timers.filter((one) => one !== timer); };
document.addEventListener("vitviz-payload", () => arrived.push(globalThis.vitvizPayloads.size));
globalThis.fetch = (url, { signal, cache }) => new Promise((resolve, reject) => {
  const request = { url: `${url}`, cache, name: decodeURIComponent(`${url}`.split("/").at(-1)), done: false };
  const end = (act) => (...values) => { request.done = true; act(...values); };
  request.fail = end(() => reject(new TypeError("Failed to fetch")));
  request.reply = end((bytes, ok = true) => resolve({ ok, arrayBuffer: async () => bytes.slice().buffer }));
  signal.addEventListener("abort", () => { request.aborted = true; end(reject)(new Error("aborted")); });
  requests.push(request);
});
const { parts, keys } = given;
const state = (names) => Object.fromEntries(names.map((name) => [name, { key: keys[name], url: `/media/${name}` }]));
const later = new Later();
const settle = async () => { for (let i = 0; i < 20; i++) await null; };
const reply = async (name) => {
  requests.find((one) => one.name === name && !one.done).reply(parts[name]);
  await settle();
};
const asked = () => requests.map(({ name }) => name);
const held = () => Object.keys(keys).filter((name) => globalThis.vitvizPayloads.has(keys[name]));
"""
GIVEN = {"parts": PARTS, "keys": {name: header_of(part)["key"] for name, part in PARTS.items()}}


def answer(script):
    return run(START + script, GIVEN)


def test_nothing_is_fetched_before_what_is_sent_has_arrived():
    script = """
        later.take(state(["layer 0", "layer 1", "layer 2"]));
        const before = asked();
        later.open();
        answer({ before, after: asked(), url: requests[0].url, cache: requests[0].cache });
    """
    assert answer(script) == {
        "before": [],
        "after": NAMES[:1],
        "url": "https://example.org/vitviz/media/layer%200",
        "cache": "no-store",
    }


def test_all_are_fetched_once_in_order_and_told_one_by_one():
    script = """
        later.take(state(Object.keys(keys)));
        later.open();
        for (const name of Object.keys(keys)) { await reply(name); later.open(); }
        later.take(state(Object.keys(keys)));
        later.open();
        answer({ asked: asked(), arrived, held: held() });
    """
    assert answer(script) == {"asked": NAMES, "arrived": [1, 2, 3, 4, 5], "held": NAMES}


def test_what_is_wanted_is_fetched_at_once_also_while_others_are_on_their_way():
    script = """
        later.take(state(Object.keys(keys)));
        later.want("layer 4");
        const before = asked();
        later.open();
        later.want("layer 3");
        later.want("layer 2");
        const during = asked();
        await reply("layer 4");
        const after = asked();
        await reply("layer 3");
        await reply("layer 2");
        answer({ before, during, after, last: asked() });
    """
    assert answer(script) == {
        "before": ["layer 4"],
        "during": ["layer 4", "layer 3"],
        "after": ["layer 4", "layer 3", "layer 2"],
        "last": ["layer 4", "layer 3", "layer 2", "layer 0"],
    }


def test_wanting_what_is_there_or_is_no_part_fetches_nothing():
    script = """
        later.take(state(["layer 0"]));
        later.open();
        later.want("layer 0");
        await reply("layer 0");
        later.want("layer 0");
        later.want("pool");
        answer(asked());
    """
    assert answer(script) == ["layer 0"]


def test_what_streamlit_has_sent_is_not_fetched():
    script = """
        globalThis.vitvizPayloads.set(keys["layer 0"], { bytes: parts["layer 0"], owner: {} });
        later.take(state(["layer 0", "layer 1"]));
        later.open();
        answer(asked());
    """
    assert answer(script) == ["layer 1"]


@pytest.mark.parametrize(
    "failure",
    [
        "fail()",
        "reply(parts['layer 1'])",
        "reply(parts['layer 0'], false)",
        "reply(new Uint8Array([1, 2, 3]))",
        "reply(new TextEncoder().encode('<html>'))",
    ],
)
def test_a_failure_is_tried_again_after_longer_and_longer_pauses(failure):
    script = f"""
        later.take(state(["layer 0"]));
        later.open();
        for (let i = 0; i < 3; i++) {{
          requests.at(-1).{failure};
          await settle();
          timers.pop()();
          await settle();
        }}
        await reply("layer 0");
        answer({{ count: requests.length, delays, held: held() }});
    """
    told = answer(script)
    assert told["count"] == 4
    assert told["delays"] == sorted(set(told["delays"]))
    assert told["held"] == ["layer 0"]


def test_a_new_state_ends_the_pause_and_what_it_does_not_name():
    script = """
        later.take(state(["layer 0", "layer 1", "layer 2"]));
        later.open();
        await reply("layer 0");
        later.want("layer 2");
        requests.find(({ name }) => name === "layer 1").fail();
        await settle();
        later.take(state(["layer 3"]));
        later.open();
        await settle();
        const aborted = requests.filter((one) => one.aborted).map(({ name }) => name);
        answer({ waiting: timers.length, held: held(), asked: asked(), aborted });
    """
    told = answer(script)
    assert told["waiting"] == 0
    assert told["held"] == []
    assert told["asked"] == NAMES[:4]
    assert told["aborted"] == ["layer 2"]


def test_a_closed_component_fetches_nothing_more_and_loses_nothing():
    script = """
        later.take(state(Object.keys(keys)));
        later.open();
        await reply("layer 0");
        later.close();
        await reply("layer 1");
        const whileClosed = asked();
        later.take(state(Object.keys(keys)));
        later.open();
        answer({ whileClosed, after: asked(), held: held() });
    """
    assert answer(script) == {"whileClosed": NAMES[:2], "after": NAMES[:3], "held": NAMES[:2]}
