// Card of a class: name, thumbnails, and buttons to add images.

import { element, setText } from "../../../viz/browser/elements.js";
import { rove } from "../../../viz/browser/keys.js";

const button = (text, act) => element("button", { type: "button", textContent: text }, { "data-act": act });

export class Card {
  constructor(number, longest) {
    this.number = number;
    this.name = element(
      "input", { type: "text", maxLength: longest, autocomplete: "off", spellcheck: false }, { "aria-label": "Class name" },
    );
    this.count = element("span", { className: "number" });
    this.discard = Object.assign(button("×", "discard"), { className: "round" });
    this.hint = element("p", { className: "hint", textContent: "Drop or paste images here." });
    this.images = element("div", { className: "images" }, { role: "group" });
    this.shoot = button("Camera", "camera");
    this.stage = element("div", { className: "stage", hidden: true });
    this.node = element("section", { tabIndex: -1 }, { "data-takes-images": "", "data-number": number }, [
      element("header", {}, {}, [this.name, this.count, this.discard]),
      this.hint,
      this.images,
      element("footer", {}, {}, [button("Add images", "choose"), this.shoot]),
      this.stage,
    ]);
  }

  // `pictures` has the addresses of thumbnails by mark, `chosen` the marks of chosen images. The name is left alone while the
  // user types it.
  update({ name, images }, pictures, chosen, { isTyped, canDiscard }) {
    if (!isTyped) this.name.value = name;
    this.title = name;
    setText(this.count, String(images.length));
    this.node.setAttribute("aria-label", name);
    this.images.setAttribute("aria-label", `Images: ${name}`);
    Object.assign(this.discard, { title: `Remove class: ${name}`, ariaLabel: `Remove class: ${name}`, disabled: !canDiscard });
    this.hint.hidden = images.length > 0;
    this.images.hidden = !images.length;
    const marks = images.map(([mark]) => mark).join();
    if (marks !== this.marks) this.fill(images, pictures);
    this.marks = marks;
    this.mark(chosen);
  }

  fill(images, pictures) {
    const at = this.buttons.findIndex((one) => one === one.getRootNode().activeElement);
    this.images.replaceChildren(...images.map(([mark, name]) => element(
      "button", { type: "button", title: name, ariaLabel: name }, { "data-mark": mark },
      [element("img", { src: pictures.get(mark) ?? "", alt: "", draggable: false })],
    )));
    const { buttons } = this;
    this.stop(buttons[Math.min(Math.max(at, 0), buttons.length - 1)]);
    if (at >= 0) (buttons[Math.min(at, buttons.length - 1)] ?? this.name).focus({ preventScroll: true });
  }

  get buttons() {
    return [...this.images.children];
  }

  stop(at) {
    rove(this.buttons, (one) => one === at);
  }

  mark(chosen) {
    for (const one of this.buttons) one.setAttribute("aria-pressed", chosen.has(one.dataset.mark));
  }

  // move the focus by an arrow key
  step(from, [down, right]) {
    const { buttons } = this;
    const across = buttons.filter((one) => one.offsetTop === buttons[0].offsetTop).length;
    const next = buttons[buttons.indexOf(from) + right + down * across];
    if (!next) return;
    this.stop(next);
    next.focus();
  }
}
