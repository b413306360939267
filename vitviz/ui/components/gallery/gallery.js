// Thumbnails to choose from: buttons, the chosen one of which is pressed.

import { Component } from "../_shared/component.js";
import { element } from "../_shared/elements.js";
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
    if (shown !== this.shown) this.build(data); // else the buttons stay, and with them the keyboard's focus
    this.shown = shown;
    this.mark();
  }

  build({ items, titles }) {
    const { root } = this;
    const focused = root.getRootNode().activeElement?.dataset?.name; // new buttons take the keyboard over
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
    const words = `Remove: ${title}`;
    const about = { type: "button", className: "remove", textContent: "×", title: words, ariaLabel: words };
    return element("button", about, { "data-removes": name });
  }

  get buttons() {
    return [...this.root.querySelectorAll("[data-name]")];
  }

  button(name) {
    return this.buttons.find((button) => button.dataset.name === name);
  }

  // what was clicked last looks chosen until Python says what is
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
