"""The script of the widget in a plain page, with stand-ins for the model that a notebook shares with Python."""

import base64
from dataclasses import asdict, replace

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.test_linked import Linked
from vitviz.notation.view import View, token_layout
from vitviz.viz.browser.binary import header_of
from vitviz.viz.browser.modules import link
from vitviz.viz.colour import Style
from vitviz.viz.explorer import FOLDER, MARKUP
from vitviz.viz.explorer.contents import parts_of, shown
from vitviz.viz.explorer.linked import token_parts

# `models` are the widgets of the page; `saved` counts what each has sent to Python.
START = """async ([script, states]) => {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: { render } } = await import(url);
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  window.models = states.map((given) => {
    const state = { ...given, _frame: bytes(given._frame), _layers: given._layers.map(bytes), _rows: [], _tokens: [] };
    const listeners = [];
    return {
      saved: 0,
      get: (name) => state[name],
      set(name, value) {
        state[name] = value;
        for (const [events, act] of listeners) if (events.split(" ").includes(`change:${name}`)) act();
      },
      save_changes() { this.saved += 1; },
      on: (events, act) => listeners.push([events, act]),
      off: (events, act) => listeners.splice(listeners.findIndex(([, other]) => other === act), 1),
      listeners,
    };
  });
  window.ends = window.models.map((model) => {
    const el = document.createElement("div");
    const end = render({ model, el });
    document.body.append(el); // afterwards, as in JupyterLab
    return end;
  });
}"""
SCRIPT = link(FOLDER / "widget.js")


def state_of(trace, view):
    """Values of the traits, as `vitviz.viz.explorer.widget` sets them."""
    frame, *layers = parts_of(trace, view, tuple(range(trace.layers)), shown(trace, None)).values()
    text = [base64.b64encode(part).decode() for part in (frame, *layers)]
    return {
        "view": asdict(view),
        "style": asdict(Style()),
        "_has_tokens": False,
        "_places": token_layout(trace),
        "_html": MARKUP.html,
        "_css": MARKUP.css,
        "_frame": text[0],
        "_layers": text[1:],
        "_keys": [header_of(part)["key"] for part in (frame, *layers)],
    }


@pytest.fixture
def notebook(new_page):
    """Function that shows traces below each other, and returns the explorer of each."""

    def show(*shown_traces):
        page = new_page()
        page.set_content("<body style='color: #eee; background: #111'></body>")
        page.evaluate(START, [SCRIPT, [state_of(*one) for one in shown_traces]])
        roots = page.get_by_test_id("explorer")
        explorers = [ExplorerPage(page, roots.nth(at)) for at in range(len(shown_traces))]
        for one in explorers:
            expect(one.status).not_to_be_empty()
        return explorers

    return show


def view_in(one, at=0):
    """The view that Python gets."""
    return View.from_dict(one.page.evaluate("at => models[at].get('view')", at))


def test_it_shows_the_numbers_of_the_trace(notebook, trace):
    (one,) = notebook((trace, View(11, 3)))
    for token in (1, 100, 256):
        one.hover(trace, token)
        assert one.shown == View(11, 3, token)
        one.shows_what_the_library_says(trace)
    assert one.page.evaluate("models[0].saved") == 0, "hovering is not sent"


def test_pins_reach_python_and_its_changes_reach_the_page(notebook, small_trace):
    (one,) = notebook((small_trace, View(1, 0)))
    one.click(small_trace, 9)
    one.page.wait_for_function("models[0].saved === 1")
    assert view_in(one) == View(1, 0, 9)
    one.page.evaluate("view => models[0].set('view', view)", asdict(View(2, 1, 20, "to", "raw")))
    expect(one.root).to_have_attribute("data-layer", "2")
    one.page.mouse.move(0, 0)
    expect(one.root).to_have_attribute("data-query", "20")
    assert one.shown == View(2, 1, 20, "to", "raw")
    one.shows_what_the_library_says(small_trace, 5e-3)


def test_linked_views_show_the_tokens_that_python_sends(notebook, small_trace):
    (one,) = notebook((small_trace, View(1, 0, 9)))
    linked = Linked(one)
    expect(linked.switch).to_be_hidden()
    one.page.evaluate("models[0].set('_has_tokens', true), models[0].set('view', models[0].get('view'))")
    linked.switch.check()
    one.page.wait_for_function("models[0].get('style').linked")
    linked.arrived("")
    (tokens,) = token_parts(small_trace, [1])
    sent = [base64.b64encode(tokens).decode(), header_of(tokens)["key"]]
    one.page.evaluate(
        """([text, key]) => {
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          models[0].set("_tokens", [new DataView(bytes.buffer)]);
          models[0].set("_keys", [...models[0].get("_keys"), key]);
        }""",
        sent,
    )
    linked.tells_the_truth(small_trace, 1, 9)
    linked.move_to(linked.components, small_trace, 20)
    linked.tells_the_truth(small_trace, 1, 20)


def test_linked_views_say_that_the_kernel_has_ended(notebook, small_trace):
    (one,) = notebook((small_trace, View(1, 0, 9)))
    linked = Linked(one)
    one.page.evaluate("models[0].set('_has_tokens', true), models[0].set('view', models[0].get('view'))")
    linked.switch.check()
    expect(linked.root).to_contain_text("Fetching")
    one.page.evaluate("models[0].listeners.find(([events]) => events === 'comm_live_update')[1]()")
    expect(linked.root).to_contain_text("kernel")
    expect(linked.root).not_to_contain_text("Fetching")


def test_two_on_one_page_do_not_disturb_each_other(notebook, small_trace):
    first, second = notebook((small_trace, View(1, 0)), (small_trace, View(2, 1, 5)))
    first.click(small_trace, 9)
    first.page.wait_for_function("models[0].saved === 1")
    assert (view_in(first), view_in(second, 1)) == (View(1, 0, 9), View(2, 1, 5))
    second.page.evaluate("view => models[1].set('view', view)", asdict(replace(View(2, 1, 5), layer=0)))
    expect(second.root).to_have_attribute("data-layer", "0")
    assert first.data("layer") == "1"


def test_it_follows_the_theme_of_the_notebook_and_keeps_its_keys(notebook, small_trace):
    (one,) = notebook((small_trace, View(1, 0)))
    host = one.page.locator("body > div > div")
    expect(host).to_have_attribute("data-theme", "dark")
    one.page.evaluate("document.body.style.cssText = 'color: #111; background: #fff'")
    expect(host).to_have_attribute("data-theme", "light")
    one.page.evaluate("document.addEventListener('keydown', () => { window.heard = true; })")
    one.image.focus()
    one.press("]")
    expect(one.root).to_have_attribute("data-layer", "2")
    assert not one.page.evaluate("window.heard")
    assert host.get_attribute("data-lm-suppress-shortcuts") == "true"


def test_a_widget_that_is_removed_listens_no_longer(notebook, small_trace):
    (one,) = notebook((small_trace, View(1, 0)))
    one.page.evaluate("ends[0]()")
    assert one.page.evaluate("models[0].listeners.length") == 0
