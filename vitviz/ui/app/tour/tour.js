// Card and ring of the tour and the lesson. The card changes at once; each stop is also sent to Python, which changes the
// page and the address.

import { Component } from "../../../viz/browser/component.js";
import { refs, setText } from "../../../viz/browser/elements.js";
import { Frames } from "../../../viz/browser/frames.js";
import { mounted } from "../../components/_shared/mounted.js";
import { covered } from "../../components/_shared/page.js";

const LOOK_EVERY = 120; // milliseconds between two checks of the page, which changes without events
const SETTLES_IN = 2500; // milliseconds during which the layout of a new page changes
const GAP = 12; // pixels between the target and the card or the edge of the window
const BAR = "[data-testid=projector]"; // at the lower edge in projector mode
const FRAME = "[data-testid=stHeader], .st-key-lesson_map"; // stays in view while the page scrolls
const HEADING = "[data-testid=stHeading]";
const CORNERS = ["bottom-left", "bottom-right", "top-right", "top-left"]; // in order of preference among those that cover the target least

export default function (component) {
  return mounted(Tour, "[data-ref=card]", component);
}

class Tour extends Component {
  constructor(card, mount) {
    super(card, mount);
    this.ref = refs(card.parentNode); // the ring is a sibling of the card
    this.frames = new Frames(() => this.drawRing());
    this.tried = new Set(JSON.parse(sessionStorage.getItem("vitviz-tour-tried") ?? "[]"));
    this.listen();
    this.ref.ring.showPopover();
    this.ref.card.showPopover(); // after the ring, so that the card is above it
    if (document.activeElement === document.body) this.ref.next.focus({ preventScroll: true });
    this.looking = setInterval(() => this.look(), LOOK_EVERY);
  }

  close() {
    super.close();
    clearInterval(this.looking);
  }

  listen() {
    const { ref } = this;
    this.on(ref.back, "click", () => this.go(this.at - 1));
    this.on(ref.next, "click", () => this.goOn());
    this.on(ref.leave, "click", () => this.leave());
    this.on(ref.card, "keydown", (event) => { if (event.key === "Escape") this.leave(); });
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown", "pointermove"]) {
      this.on(document, kind, (event) => {
        if (event.composedPath().includes(ref.card)) return;
        this.acted = true;
        if (kind !== "pointermove") this.settled = true; // no automatic scrolling after the user has acted
      }, { capture: true, passive: true });
    }
    this.on(document, "scroll", () => this.schedule(), { capture: true, passive: true });
    this.on(window, "resize", () => this.schedule());
  }

  receive(data) {
    const moved = data.page !== this.page || data.guide !== this.guide;
    [this.guide, this.title] = [data.guide, data.title];
    const at = this.asked ?? data.at; // a pending stop takes precedence over older states
    [this.page, this.stops] = [data.page, data.stops];
    if (this.at !== at || moved) this.show(at);
    this.draw();
  }

  // pending stop, not yet received by Python
  get asked() {
    return this.mount.pending("go").at(-1);
  }

  get stop() {
    return this.stops[this.at];
  }

  get mark() {
    return `${this.guide}-${this.at}`;
  }

  get here() {
    return this.stop.page === this.page;
  }

  go(stop) {
    this.mount.send("go", stop, { instead: true });
    this.show(stop);
    this.draw();
  }

  goOn() {
    if (!this.here) this.go(this.at); // back to the page of the stop
    else if (this.at + 1 < this.stops.length) this.go(this.at + 1);
    else this.leave();
  }

  leave() {
    this.mount.send("leave", true);
  }

  show(stop) {
    this.at = stop;
    this.before = undefined; // content of the watched element at the beginning of the stop
    this.acted = this.settled = this.calm = false;
    this.came = this.astray = undefined;
  }

  // ------------------------------------------------------------------ card

  draw() {
    const { at, here, ref, stop, stops } = this;
    const done = !stop.hint || this.tried.has(this.mark);
    const turning = !here && this.asked !== undefined; // the page of the stop is being opened
    ref.card.setAttribute("aria-label", this.title);
    ref.leave.setAttribute("aria-label", `Leave the ${this.title.toLowerCase()}`);
    ref.count.textContent = `${this.title} · ${at + 1} of ${stops.length}`;
    ref.progress.setAttribute("aria-valuenow", at + 1);
    ref.progress.setAttribute("aria-valuemax", stops.length);
    ref.progress.style.setProperty("--done", `${100 * (at + 1) / stops.length}%`);
    setText(ref.title, stop.title);
    setText(ref.text, here || turning ? stop.text : "This stop is on another page.");
    setText(ref.hint, stop.hint ?? "");
    ref.hint.hidden = done || !here;
    ref.back.disabled = at === 0;
    setText(ref.next, !here && !turning ? "Go there" : at + 1 < stops.length ? "Next" : "Finish");
    Object.assign(ref.card.dataset, { at, here, tried: this.tried.has(this.mark) });
    this.drawRing();
  }

  drawRing() {
    const { ref } = this;
    const target = this.here ? this.target : null;
    const box = target && visible(target);
    ref.ring.style.visibility = box ? "visible" : "hidden";
    if (box) {
      const out = 6; // around the target, within the window
      const [left, top] = [Math.max(2, box.left - out), Math.max(2, box.top - out)];
      Object.assign(ref.ring.style, {
        left: `${left}px`, top: `${top}px`,
        width: `${Math.min(innerWidth - 2, box.right + out) - left}px`,
        height: `${Math.min(innerHeight - 2, box.bottom + out) - top}px`,
      });
    }
    this.chooseCorner(box);
  }

  // choose the corner in which the card covers the least of the target
  chooseCorner(box) {
    const { card } = this.ref;
    const { width, height } = card.getBoundingClientRect();
    const upper = covered() + 4;
    const hidden = (corner) => {
      const left = narrow() ? 10 : corner.endsWith("right") ? innerWidth - edge() - width : edge();
      const top = corner.startsWith("bottom") ? innerHeight - edge() - barHeight() - height : upper;
      const across = Math.min(box.right, left + width) - Math.max(box.left, left);
      const down = Math.min(box.bottom, top + height) - Math.max(box.top, top);
      return Math.max(0, across) * Math.max(0, down);
    };
    const best = box ? CORNERS.reduce((one, other) => (hidden(other) < hidden(one) ? other : one)) : CORNERS[0];
    if (card.dataset.corner !== best) card.dataset.corner = best;
    card.style.setProperty("--upper", `${upper}px`);
    card.style.setProperty("--lower", `${edge() + barHeight()}px`);
    card.style.setProperty("--tallest", `${innerHeight - upper - edge() - barHeight()}px`);
    card.classList.toggle("projected", barHeight() > 0);
  }

  // ------------------------------------------------------------------ page

  look() {
    if (!this.here) return;
    this.scroll();
    this.notice();
    this.drawRing();
  }

  // Scroll to the section, repeatedly while the layout changes; then to the target if it is not visible.
  scroll() {
    const part = find(this.stop.part);
    if (!part || this.settled) return;
    document.dispatchEvent(new CustomEvent("vitviz-part", { detail: this.stop.part })); // in projector mode, show it
    this.came ??= performance.now();
    const target = this.target ?? part;
    if (!this.astray) {
      moveTo(part, part.getBoundingClientRect().top - covered());
      this.astray = target !== part && !this.isFree(target);
    }
    if (this.astray) this.free(target);
    if (performance.now() - this.came > SETTLES_IN) this.settled = true;
  }

  // Upper and lower edge of the visible area for an element: without the header, sticky elements and, if the card cannot
  // stand beside the element, the card.
  open(node) {
    const { width, height } = this.ref.card.getBoundingClientRect();
    const { left, right } = node.getBoundingClientRect();
    const stays = this.stop.under && find(this.stop.under);
    const above = stays && getComputedStyle(stays).position === "sticky" ? stays.getBoundingClientRect().height : 0;
    const spans = narrow() || (left < edge() + width && right > innerWidth - edge() - width);
    return [covered() + GAP + above, innerHeight - GAP - barHeight() - (spans ? height + GAP : 0)];
  }

  // The target of the stop. If it does not exist or does not fit next to the card: its replacement, or the heading.
  get target() {
    const { part, small, target } = this.stop;
    const nodes = [target ?? part, small, `${part} ${HEADING}`].filter(Boolean).map(find).filter(hasSize);
    return nodes.find((node) => this.fits(node)) ?? nodes[0] ?? null;
  }

  fits(node) {
    const [upper, lower] = this.open(node);
    return node.getBoundingClientRect().height <= lower - upper;
  }

  isFree(target) {
    const { top, bottom } = target.getBoundingClientRect();
    const [upper, lower] = this.open(target);
    return inFrame(target) || (top >= upper - GAP && bottom <= lower);
  }

  // Scroll no further than necessary, so that the section around the target stays in view.
  free(target) {
    if (this.isFree(target)) return;
    const { top, bottom } = target.getBoundingClientRect();
    const [upper, lower] = this.open(target);
    const by = top < upper ? top - upper : Math.min(bottom - lower, top - upper);
    if (!moveTo(target, by)) target.scrollIntoView({ block: "center", behavior: "instant" });
  }

  // A hint is completed when its watched element has changed after an action of the user.
  notice() {
    const { stop } = this;
    if (!stop.hint || this.tried.has(this.mark)) return;
    const watched = find(stop.watch);
    if (!watched) return;
    this.calm ||= document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning";
    const now = shown(watched, stop.attributes);
    if (this.before === undefined || !this.acted || !this.calm) this.before = now;
    else if (now !== this.before) {
      this.tried.add(this.mark);
      sessionStorage.setItem("vitviz-tour-tried", JSON.stringify([...this.tried]));
      this.draw();
    }
  }
}

// Find an element; `host >>> inner` selects `inner` in the shadow root of a component inside `host`.
function find(selector) {
  const [host, inner] = selector.split(" >>> ");
  if (!inner) { // the first visible one; on phones, some elements are off-screen
    const nodes = [...document.querySelectorAll(host)];
    return nodes.find((node) => node.getBoundingClientRect().right > 0) ?? nodes[0] ?? null;
  }
  const node = document.querySelector(host);
  if (!node) return null;
  for (const { shadowRoot } of node.querySelectorAll("*")) {
    const found = shadowRoot?.querySelector(inner);
    if (found) return found;
  }
  return null;
}

// visible part of an element, below the header; null if it is not visible
function visible(node) {
  const { left, right, top, bottom, width, height } = node.getBoundingClientRect();
  const upper = inFrame(node) ? 0 : covered();
  const seen = width > 0 && height > 0 && right > 0 && left < innerWidth && bottom > upper && top < innerHeight;
  return seen ? { left, right, top: Math.max(top, upper), bottom } : null;
}

// pixels between the card and the edge of the window: 1rem, as in tour.css
const edge = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

const barHeight = () => document.querySelector(BAR)?.getBoundingClientRect().height ?? 0;

function hasSize(node) {
  const { width, height } = node?.getBoundingClientRect() ?? {};
  return width > 0 && height > 0;
}

function inFrame(node) {
  return Boolean((node.getRootNode().host ?? node).closest(FRAME));
}

function narrow() {
  return innerWidth <= 640;
}

// scroll the page by some pixels; false if the element is in the sidebar
function moveTo(node, by) {
  const root = node.getRootNode();
  const main = (root.host ?? node).closest("[data-testid=stMain]");
  if (main && Math.abs(by) > 4) main.scrollBy({ top: by, behavior: "instant" });
  return Boolean(main);
}

// content of an element: its data attributes, or its text and the state of its inputs
function shown(node, attributes) {
  if (attributes.length) return attributes.map((name) => node.dataset[name]).join();
  const set = [...node.querySelectorAll("input, [role=slider], [role=radio], [aria-pressed]")];
  return [node.textContent, ...set.map((one) => [one.checked, one.value, one.ariaValueNow, one.ariaChecked, one.ariaPressed])].join();
}
