// The explorer in a file, which contains its data and needs no server.

import { decoded } from "../browser/embedded.js";
import { Explorer } from "./explorer.js";

const OLD = "This browser is too old for this page, which needs DecompressionStream (2023); please update it.";

// There is no Python that would receive what the user chooses: the explorer alone keeps it.
class Alone {
  chosen = new Set();

  send(event) {
    this.chosen.add(event);
  }

  pending(event) {
    return this.chosen.has(event) ? [event] : [];
  }
}

// The explorer answers once it has the first layer; the others follow.
async function open() {
  const state = JSON.parse(document.getElementById("state").textContent);
  const explorer = new Explorer(document.querySelector("[data-testid=explorer]"), new Alone());
  explorer.ref.link.hidden = true; // the view is not part of the address
  const nodes = [...document.querySelectorAll("script[data-size]")];
  const parts = [];
  for (const node of nodes) {
    parts.push(await decoded(node.textContent, Number(node.dataset.size)));
    node.remove();
    if (parts.length > 1 || nodes.length === 1) explorer.receive(state, parts);
  }
}

function follow(theme) {
  theme.addEventListener("change", () => {
    document.documentElement.dataset.theme = theme.value;
  });
}

function fail(text) {
  const problem = document.getElementById("problem");
  problem.textContent = text;
  problem.hidden = false;
}

follow(document.getElementById("theme"));
if (globalThis.DecompressionStream) open().catch(() => fail("This file is damaged; please save it again."));
else fail(OLD);

export default open;
