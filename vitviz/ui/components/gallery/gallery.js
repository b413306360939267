// Gallery of thumbnails as toggle buttons.

import { Component } from "../../../viz/browser/component.js";
import { element } from "../../../viz/browser/elements.js";
import { mounted } from "../_shared/mounted.js";

export default function (component) {
  return mounted(Gallery, "[data-testid=gallery]", component);
}

class Gallery extends Component {
  constructor(root, mount) {
    super(root, mount);
    this.on(root, "click", (event) => {
      const { name, removes } = event.target.closest("button")?.dataset ?? {};
      if (removes !== undefined) this.mount.send("removed", removes, { instead: true });
      else if (name !== undefined) this.choose(name);
    });
  }

  receive(data) {
    const { root } = this;
    root.setAttribute("aria-label", data.label);
    root.style.setProperty("--columns", data.columns);
    root.classList.toggle("whole", data.whole);
    root.classList.toggle("many", data.columns > 4); // too many for a phone
    this.chosen = data.chosen;
    const shown = JSON.stringify([data.titles, data.items]);
    if (shown !== this.shown) this.build(data); // otherwise, keep the buttons and with them the focus
    this.shown = shown;
    this.mark();
  }

  build({ items, titles }) {
    const { root } = this;
    const focused = root.getRootNode().activeElement?.dataset?.name; // to restore the focus on the new buttons
    root.replaceChildren(...items.map((item) => {
      const name = [item.title, item.note].filter(Boolean).join(": ");
      const button = element("button", { type: "button", title: name, ariaLabel: name }, { "data-name": item.name }, [
        element("img", { src: item.image, alt: "", draggable: false }),
        element("span", { textContent: item.title, hidden: !titles }),
        element("small", { textContent: item.note, hidden: !item.note }),
      ]);
      return element("div", {}, {}, item.removable ? [button, this.remover(item)] : [button]);
    }));
    if (focused) this.button(focused)?.focus({ preventScroll: true });
  }

  remover({ name, title }) {
    const label = `Remove: ${title}`;
    const about = { type: "button", className: "remove", textContent: "×", title: label, ariaLabel: label };
    return element("button", about, { "data-removes": name });
  }

  get buttons() {
    return [...this.root.querySelectorAll("[data-name]")];
  }

  button(name) {
    return this.buttons.find((button) => button.dataset.name === name);
  }

  // show the last click as chosen until Python confirms it
  mark() {
    const clicked = this.mount.pending("chosen").filter((name) => this.button(name)).at(-1);
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", button.dataset.name === (clicked ?? this.chosen));
    }
  }

  choose(name) {
    this.mount.send("chosen", name, { instead: true });
    this.mark();
  }
}
