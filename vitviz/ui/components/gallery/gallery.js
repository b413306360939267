// Thumbnails to choose from: buttons, the chosen one of which is pressed. The part before this one is mounted.js.

export default function (component) {
  return mounted(Gallery, "[data-testid=gallery]", component);
}

class Gallery {
  constructor(root, mount) {
    this.root = root;
    this.mount = mount;
    root.onclick = (event) => {
      const { name, removes } = event.target.closest("button")?.dataset ?? {};
      if (removes !== undefined) this.mount.tell("removed", removes, { instead: true });
      else if (name !== undefined) this.choose(name);
    };
  }

  close() {
    this.root.onclick = null;
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
      const button = document.createElement("button");
      const picture = Object.assign(document.createElement("img"), { src: item.image, alt: "", draggable: false });
      const title = Object.assign(document.createElement("span"), { textContent: item.title, hidden: !titles });
      const note = Object.assign(document.createElement("small"), { textContent: item.note, hidden: !item.note });
      button.append(picture, title, note);
      const name = [item.title, item.note].filter(Boolean).join(": ");
      Object.assign(button, { type: "button", title: name, ariaLabel: name });
      button.dataset.name = item.name;
      const tile = document.createElement("div");
      tile.append(button);
      if (item.removable) tile.append(this.remover(item));
      return tile;
    }));
    if (focused) this.button(focused)?.focus({ preventScroll: true });
  }

  remover({ name, title }) {
    const words = `Remove: ${title}`;
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "×", title: words, ariaLabel: words });
    button.className = "remove";
    button.dataset.removes = name;
    return button;
  }

  get buttons() {
    return [...this.root.querySelectorAll("[data-name]")];
  }

  button(name) {
    return this.buttons.find((button) => button.dataset.name === name);
  }

  // what was clicked last looks chosen until Python says what is
  mark() {
    const clicked = this.mount.unheard("chosen").filter((name) => this.button(name)).at(-1);
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", button.dataset.name === (clicked ?? this.chosen));
    }
  }

  choose(name) {
    this.mount.tell("chosen", name, { instead: true });
    this.mark();
  }
}
