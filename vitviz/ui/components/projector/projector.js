// Bar of the projector mode. On pages with sections (containers `st-key-part_NAME`), one section is shown at a time.
//
// Other scripts can open a section with the event `vitviz-part`, whose detail is the name of the section or a selector that
// contains `st-key-part_NAME`.

import { Component } from "../_shared/component.js";
import { setText } from "../_shared/elements.js";
import { mounted } from "../_shared/mounted.js";

const MAIN = "[data-testid=stMain]"; // scrolls the page
const CLOSE_SIDEBAR = "[data-testid=stSidebarCollapseButton] button";
const PART = "[class*='st-key-part_']";
const NAME = /st-key-part_([\w-]+)/;
const STEP = 160; // pixels; the server draws charts for the width of the window, rounded to this
const SETTLE = 100; // milliseconds after a change of the page
const ARRIVES_IN = 3000; // milliseconds within which the sidebar is drawn

const KEYS = { ArrowRight: ["section", 1], ArrowLeft: ["section", -1], PageDown: ["screen", 1], PageUp: ["screen", -1] };
const EDITED = "textarea, select, [contenteditable]:not([contenteditable=false])";
const ROLES = ["slider", "spinbutton", "combobox", "listbox", "menu", "tablist", "radiogroup", "application", "grid"]
  .map((role) => `[role=${role}]`).join(", ");
const SLIDER = "[role=slider], input[type=range]";
// Elements that have a use for a kind of key themselves. Page Up and Page Down, the keys of a remote, are left only to those
// in which text is written or an option is chosen: a slider keeps the focus after it was dragged.
const OWNERS = {
  section: `input, ${EDITED}, ${ROLES}, video`,
  screen: `input:not([type=radio], [type=checkbox], [type=button], [type=file], [type=range]), ${EDITED}, [role=listbox]`,
};

export default function (component) {
  return mounted(Projector, "[data-ref=bar]", component);
}

class Projector extends Component {
  static momentary = true;

  constructor(root, mount) {
    super(root, mount);
    this.style = document.head.appendChild(document.createElement("style"));
    this.chosen = mount.memory.chosen ??= {}; // section by page
    this.listen();
    this.began = performance.now();
  }

  close() {
    super.close();
    clearTimeout(this.later);
    this.seen.disconnect();
    this.style.remove();
  }

  listen() {
    const { ref } = this;
    this.on(ref.back, "click", () => this.go(-1));
    this.on(ref.next, "click", () => this.go(1));
    this.on(ref.share, "click", () => this.mount.send("share", true));
    this.on(ref.leave, "click", () => {
      this.mount.memory.closed = false;
      this.mount.send("leave", true);
    });
    this.on(document, "keydown", (event) => this.leaveSlider(event), { capture: true }); // before the slider gets the key
    this.on(document, "keydown", (event) => this.press(event));
    this.on(document, "vitviz-part", ({ detail }) => this.show(NAME.exec(detail)?.[1] ?? detail));
    this.on(window, "resize", () => this.schedule());
    this.seen = new MutationObserver(() => {
      this.later ??= setTimeout(() => {
        this.later = undefined;
        this.schedule();
      }, SETTLE);
    });
    this.seen.observe(document.body, { childList: true, subtree: true });
  }

  receive({ page, section, window, widths }) {
    this.page = page;
    this.drawnFor = window;
    this.widths = widths; // least and most that the server accepts
    this.root.dataset.page = page;
    if (section) this.chosen[page] ??= section;
    this.draw();
  }

  // ------------------------------------------------------------------ sections

  get parts() {
    return [...document.querySelectorAll(PART)];
  }

  get names() {
    return this.parts.map(nameOf);
  }

  // The chosen section may not have arrived yet; it stays chosen.
  get current() {
    const { names } = this;
    return names.includes(this.chosen[this.page]) ? this.chosen[this.page] : names[0];
  }

  show(name) {
    if (!this.names.includes(name) || name === this.current) return;
    this.chosen[this.page] = name;
    this.mount.send("section", name, { instead: true });
    this.draw();
    document.querySelector(MAIN)?.scrollTo({ top: 0, behavior: "instant" });
  }

  go(step) {
    const { names } = this;
    this.show(names[names.indexOf(this.current) + step]);
  }

  draw() {
    const { ref, parts, names, current } = this;
    const at = names.indexOf(current);
    this.closeSidebar();
    ref.pager.hidden = !names.length;
    ref.back.disabled = at <= 0;
    ref.next.disabled = at === names.length - 1;
    const title = parts[at]?.querySelector("h2, h3")?.textContent.trim();
    setText(ref.at, names.length ? `${at + 1} of ${names.length}${title ? `: ${title}` : ""}` : "");
    Object.assign(this.root.dataset, { section: current ?? "" });
    this.tellWidth();
    const style = names.length ? hideOthers(current) : "";
    if (this.style.textContent !== style) this.style.textContent = style; // otherwise all styles are computed again
  }

  tellWidth() {
    const [least, most] = this.widths;
    const width = Math.min(Math.max(STEP * Math.round(innerWidth / STEP), least), most);
    if (width === (this.mount.pending("window").at(-1) ?? this.drawnFor)) return;
    this.mount.send("window", width, { instead: true });
  }

  // once, when the mode begins; the user may open it again
  closeSidebar() {
    const { memory } = this.mount;
    if (memory.closed || performance.now() - this.began > ARRIVES_IN) return;
    const button = document.querySelector(`${CLOSE_SIDEBAR}[aria-expanded=true]`);
    if (!button) return;
    memory.closed = true;
    button.click();
  }

  // ------------------------------------------------------------------ keys

  leaveSlider(event) {
    const [slider] = event.composedPath();
    if (KEYS[event.key]?.[0] !== "screen" || !slider.matches?.(SLIDER) || !this.isFor(event, "screen")) return;
    event.stopPropagation();
    slider.blur();
    this.press(event);
  }

  isFor(event, kind) {
    const modified = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
    return this.names.length && !modified && !event.defaultPrevented && !isOwned(event, OWNERS[kind]);
  }

  press(event) {
    const [kind, step] = KEYS[event.key] ?? [];
    if (!kind || !this.isFor(event, kind)) return;
    event.preventDefault();
    if (kind === "screen" && scrolled(step)) return;
    this.go(step);
  }
}

function nameOf(part) {
  return NAME.exec(part.className)[1];
}

function hideOthers(name) {
  const others = `${PART}:not(.st-key-part_${CSS.escape(name)})`;
  // with the wrapper, which would leave a gap
  return `${others}, [data-testid=stLayoutWrapper]:has(> ${others}) { display: none !important; }`;
}

function isOwned(event, owners) {
  if (document.querySelector("[role=dialog]")) return true;
  const path = event.composedPath().filter((node) => node instanceof Element);
  return path.some((node) => node.matches(owners)) || (path[0]?.tabIndex >= 0 && scrollsSideways(path[0]));
}

function scrollsSideways(node) {
  return node.scrollWidth > node.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
}

// Scroll by most of a screen. Return false at the end of the section.
function scrolled(step) {
  const main = document.querySelector(MAIN);
  if (!main) return false;
  const room = step > 0 ? main.scrollHeight - main.clientHeight - main.scrollTop : main.scrollTop;
  if (room < 8) return false;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
  main.scrollBy({ top: step * 0.8 * main.clientHeight, behavior });
  return true;
}
