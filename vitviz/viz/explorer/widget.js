// The explorer in a notebook, as the module of an anywidget (widget.py). It computes in the browser: after Python has
// stopped, hovering and pinning still work.

import { Explorer } from "./explorer.js";

const ENDED = "comm_live_update"; // of the widget manager, once it has lost the kernel

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

// `model` holds the state that Python shares; what the user chooses is written to it.
class Shared {
  constructor(model) {
    this.model = model;
  }

  send(event, value) {
    this.model.set(event, event === "view" ? value.view : value);
    this.model.save_changes();
  }

  // the model always has the user's last choice
  pending() {
    return [];
  }
}

// Follow the notebook's theme, which is that of the text around the explorer.
function follow(el, host) {
  const apply = () => {
    const colour = getComputedStyle(el).color.match(/[\d.]+/g);
    if (!colour) return; // JupyterLab adds the element to the page only after it has been rendered
    const [red, green, blue] = colour.map(Number);
    host.dataset.theme = 0.3 * red + 0.6 * green + 0.1 * blue > 127 ? "dark" : "light";
  };
  apply();
  const appearing = new ResizeObserver(apply);
  appearing.observe(host);
  const changing = new MutationObserver(apply);
  for (const node of [document.documentElement, document.body]) changing.observe(node, { attributes: true });
  return () => {
    appearing.disconnect();
    changing.disconnect();
  };
}

function render({ model, el }) {
  const host = document.createElement("div");
  host.dataset.lmSuppressShortcuts = "true"; // JupyterLab must not act on the explorer's keys
  const root = host.attachShadow({ mode: "open" });
  root.innerHTML = `<style>${model.get("_css")}</style>${model.get("_html")}`;
  el.append(host);
  const unfollow = follow(el, host);
  const explorer = new Explorer(root.querySelector("[data-testid=explorer]"), new Shared(model));
  explorer.ref.link.hidden = true; // a notebook has no address of the view

  let hasEnded = false; // whether the kernel has
  const receive = () => {
    const parts = [model.get("_frame"), ...model.get("_layers"), ...model.get("_rows"), ...model.get("_tokens")].map(bytesOf);
    explorer.receive({
      view: model.get("view"), style: model.get("style"), places: model.get("_places"), parts: model.get("_keys"),
      token_source: model.get("_has_tokens") ? "" : null, has_ended: hasEnded,
    }, parts);
  };
  const end = () => {
    hasEnded = true;
    receive();
  };
  receive();
  const shared = ["view", "style", "_keys"].map((name) => `change:${name}`).join(" ");
  model.on(shared, receive);
  model.on(ENDED, end);
  return () => {
    model.off(shared, receive);
    model.off(ENDED, end);
    unfollow();
    explorer.close();
  };
}

export default { render };
