// Map of the model: buttons for its steps, with those of the present section marked. A click goes to the section.

import { Component } from "../../../viz/browser/component.js";
import { element } from "../../../viz/browser/elements.js";
import { onKeys, rove } from "../../../viz/browser/keys.js";
import { mounted } from "../_shared/mounted.js";
import { covered, isStill, mainOf } from "../_shared/page.js";
import { centred, namesOn, sectionAt } from "./position.js";

const PART = "[class*='st-key-part_']";
const NAME = /st-key-part_([\w-]+)/;
const CONTENT = "[data-testid=stMainBlockContainer]";
const GAP = 8; // pixels between the map and the section below it
const LOOK_EVERY = 120; // milliseconds between two checks of a page that is being drawn
const SETTLES_IN = 2000; // milliseconds during which the layout changes after the section has arrived
const PATIENCE = 60000; // milliseconds to wait for a section
const CLASS_LINK = ".st-key-class_link"; // button that makes a link to the section in view
const HEIGHT = "--vv-map"; // height of the map, for elements that stick below it

export default function (component) {
  return mounted(ModelMap, "[data-testid=model-map]", component);
}

class ModelMap extends Component {
  static momentary = true;

  constructor(root, mount) {
    super(root, mount);
    this.on(root, "click", (event) => {
      const button = event.target.closest("button");
      if (button) this.go(button, event.detail === 0);
    });
    this.on(document, "click", (event) => this.tell(event), { capture: true }); // before Streamlit sends the click
    onKeys(this.listening, root, (event, arrow) => this.press(event.key, arrow));
    this.on(document, "scroll", () => this.schedule(), { capture: true, passive: true });
    this.on(window, "resize", () => this.schedule());
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
      this.on(document, kind, () => { this.sought = null; }, { capture: true, passive: true }); // the reader goes elsewhere
    }
    const content = root.getRootNode().host?.closest(CONTENT);
    if (content) this.listening.onResize(content, () => this.schedule());
    this.listening.onResize(root, ({ height }) => document.documentElement.style.setProperty(HEIGHT, `${height}px`));
    this.listening.onEnd(() => document.documentElement.style.removeProperty(HEIGHT));
  }

  close() {
    super.close();
    clearInterval(this.looking);
  }

  receive(data) {
    this.data = data;
    this.root.classList.toggle("lines", !data.page);
    const steps = JSON.stringify(data.steps);
    if (steps !== this.built) this.build(data.steps);
    this.built = steps;
    if (data.arrival && data.arrival !== this.mount.memory.arrival) this.arrive(data);
    this.schedule();
  }

  // one row to the sequence, one from the blocks on
  build(steps) {
    const first = steps.findIndex(({ kind }) => kind);
    this.ref.flow.replaceChildren(...[steps.slice(0, first), steps.slice(first)].map((some) =>
      element("div", { className: "row" }, {}, some.map((step) => drawn(step)))));
    rove(this.buttons, (button) => button === this.buttons[0]);
  }

  get buttons() {
    return [...this.root.querySelectorAll("button")];
  }

  get parts() {
    return [...document.querySelectorAll(PART)];
  }

  // ------------------------------------------------------------------ you are here

  draw() {
    const parts = this.parts.map((part) => ({ name: nameOf(part), ...edges(part) }));
    const upper = covered();
    const name = sectionAt(parts, upper + (innerHeight - upper) / 4);
    const address = `${this.data.page}/${name}`;
    this.name = name;
    if (address === this.here && this.built === this.marked) return;
    [this.here, this.marked] = [address, this.built];
    let first;
    for (const button of this.buttons) {
      const is = sectionsOf(button).includes(address);
      button.classList.toggle("here", is);
      if (is && !first) button.setAttribute("aria-current", "location");
      else button.removeAttribute("aria-current");
      first ??= is ? button : undefined;
    }
    this.root.dataset.here = first ? name : "";
    if (!first) return;
    if (!this.root.contains(this.root.getRootNode().activeElement)) rove(this.buttons, (button) => button === first);
    const row = this.ref.flow;
    const left = centred(first.getBoundingClientRect(), row.getBoundingClientRect(), row.scrollLeft);
    row.scrollTo({ left, behavior: isStill() ? "instant" : "smooth" });
  }

  tell(event) {
    if (this.data.page && this.name && event.target.closest?.(CLASS_LINK)) {
      this.mount.send("here", this.name, { instead: true });
    }
  }

  // ------------------------------------------------------------------ going to a section

  go(button, byKey) {
    const sections = sectionsOf(button);
    const names = namesOn(this.data.page, sections);
    if (!names.length) this.mount.send("go", sections[0], { instead: true });
    else {
      this.seek(names);
      if (byKey && partOf(names)) focusHeading(partOf(names));
    }
  }

  arrive({ arriving, arrival, page }) {
    this.mount.memory.arrival = arrival;
    const step = this.buttons.find((button) => sectionsOf(button).includes(arriving));
    const names = namesOn(page, [arriving, ...(step ? sectionsOf(step) : [])]);
    if (names.length) this.seek(names);
  }

  // Scroll to a section as soon as it is there, and again while the layout changes, until the reader scrolls.
  seek(names) {
    this.sought = names;
    const began = performance.now();
    let came = this.show(names) ? began : undefined;
    clearInterval(this.looking);
    this.looking = setInterval(() => {
      const now = performance.now();
      if (this.sought && this.show(this.sought)) came ??= now;
      if (this.sought && now - began < PATIENCE && !(now - came > SETTLES_IN)) return;
      clearInterval(this.looking);
    }, LOOK_EVERY);
  }

  // scroll to the first of some sections that is there; false if none is
  show(names) {
    const part = partOf(names);
    if (!part) return false;
    document.dispatchEvent(new CustomEvent("vitviz-part", { detail: nameOf(part) })); // projector.js shows one at a time
    const by = part.getBoundingClientRect().top - covered() - GAP;
    if (Math.abs(by) > 2) mainOf(part)?.scrollBy({ top: by, behavior: "instant" }); // the layout may change meanwhile
    return true;
  }

  press(key, arrow) {
    const { buttons } = this;
    const at = buttons.indexOf(this.root.getRootNode().activeElement);
    const last = buttons.length - 1;
    const next = key === "Home" ? 0 : key === "End" ? last : arrow ? at + arrow[0] + arrow[1] : undefined;
    if (next === undefined || at < 0) return false;
    const button = buttons[Math.min(last, Math.max(0, next))];
    rove(buttons, (one) => one === button);
    button.focus();
    return undefined;
  }
}

// Button of a step, or box of a group.
function drawn(step) {
  if (!step.kind) {
    return element("button", { type: "button", className: step.label === "+" ? "plus" : "", title: step.meaning },
      { "data-name": step.name, "data-sections": step.sections.join(" ") },
      [element("b", { textContent: step.label }), " ", element("small", { textContent: step.note })]);
  }
  const whole = step.kind === "attention" ? [drawn(step.steps[0])] : []; // before its parts
  const before = step.note ? [element("span", { className: "times", textContent: step.note, ariaHidden: "true" })] : [];
  const inner = step.steps.slice(whole.length).map((one) => drawn(one));
  return element("div", { className: `group ${step.kind}` }, { role: "group", "aria-label": step.label },
    [...before, ...whole, element("div", { className: "steps" }, {}, inner)]);
}

const sectionsOf = (button) => button.dataset.sections.split(" ");

const nameOf = (part) => NAME.exec(part.className)[1];

// the first of some sections that is on the page
const partOf = (names) => names.map((name) => document.querySelector(`.st-key-part_${CSS.escape(name)}`)).find(Boolean);

function edges(node) {
  const { top, bottom } = node.getBoundingClientRect();
  return { top, bottom };
}

// Readers with a keyboard or a screen reader go on from the heading of the section.
function focusHeading(part) {
  const heading = part.querySelector("h2, h3");
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
