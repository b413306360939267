// The explorer in a page of the app; pinned tokens and choices are sent to Python, hovering is not.

import { Explorer } from "../../../viz/explorer/explorer.js";
import { mounted } from "../_shared/mounted.js";

export default function (component) {
  return mounted(ExplorerInPage, "[data-testid=explorer]", component);
}

// Tells other components of the page which patch is under the pointer, see match.js.
class ExplorerInPage extends Explorer {
  draw() {
    super.draw();
    const { data: { grid, prefix }, hovered } = this;
    const patch = hovered >= prefix && hovered !== null ? hovered - prefix : null;
    if (patch === this.told) return;
    this.told = patch;
    document.dispatchEvent(new CustomEvent("vitviz-patch", { detail: { patch, grid } }));
  }
}
