// Keys of the explorer.

import { isPress, onKeys } from "../browser/keys.js";
import { clamp, clampTo } from "../browser/pointer.js";
import { patchesOf } from "./patches.js";

const HELD = 250; // milliseconds; while a key is held down, the view changes at once and is sent after its release
const turn = (value, by, count) => (value + by + count) % count;

export class Keyboard {
  constructor(explorer) {
    this.explorer = explorer;
    onKeys(explorer.listening, explorer.root, (event, step) => this.press(event, step));
    explorer.on(explorer.root, "keydown", (event) => { // as in editors
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "z") return;
      event.preventDefault();
      explorer.pins.step(event.shiftKey ? 1 : -1);
    });
  }

  // false for keys without an effect
  press(event, step) {
    const { target } = event;
    if (target.matches("select, input") || !this.explorer.data) return false;
    const { pins, ref, screen, zoom } = this.explorer;
    const acts = {
      "Escape": () => this.escape(),
      "[": () => this.otherLayer(-1), "]": () => this.otherLayer(1),
      ",": () => this.otherHead(-1), ".": () => this.otherHead(1),
      "+": () => this.zoom(1), "=": () => this.zoom(1), "-": () => this.zoom(-1), "0": () => zoom.reset(),
      "u": () => pins.step(-1), "U": () => pins.step(1),
      "f": () => screen.toggle(), "F": () => screen.toggle(),
      "?": () => { ref.help.open = !ref.help.open; },
    };
    if (Object.hasOwn(acts, event.key)) acts[event.key]();
    else if (step && target.parentElement === ref.buttons) step[0] ? this.otherLayer(step[0]) : this.otherHead(step[1]);
    else if (step && target.dataset.direction) this.otherDirection();
    else if (step && target === ref.stage) event.shiftKey ? this.extend(step) : this.movePatch(step);
    else if (isPress(event) && target === ref.stage) this.explorer.pin(this.explorer.token);
    else return false;
    return true;
  }

  escape() {
    const { ref, screen, tools, view } = this.explorer;
    if (ref.help.open) ref.help.open = false;
    else if (screen.isOn) screen.toggle(); // most browsers leave it themselves, which must not unpin
    else if (view.query === null) tools.use(null);
    else this.explorer.pin(null);
  }

  choose(layer, head) {
    const { explorer } = this;
    const { buttons } = explorer.ref;
    explorer.change({ layer, head: head < explorer.data.headsOf(layer) ? head : null }, HELD);
    if (!buttons.contains(buttons.getRootNode().activeElement)) return;
    buttons.querySelector(`[data-layer="${layer}"][data-head="${explorer.headColumn}"]`).focus();
  }

  otherLayer(by) {
    const { data, view } = this.explorer;
    this.choose(turn(view.layer, by, data.levels), view.head ?? data.mean);
  }

  otherHead(by) {
    const { data, view } = this.explorer;
    const heads = data.headsOf(view.layer);
    this.choose(view.layer, turn(view.head ?? heads, by, heads + 1));
  }

  otherDirection() {
    const { explorer } = this;
    explorer.change({ direction: explorer.view.direction === "from" ? "to" : "from" });
    explorer.draw();
    explorer.root.querySelector(`[data-direction=${explorer.view.direction}]`).focus();
  }

  // from a prefix token, the first arrow key goes to the centre of the image
  movePatch([down, right]) {
    const { data, token } = this.explorer;
    const [rows, columns] = data.grid;
    const [patch] = patchesOf(token, data.prefix);
    this.go(data.tokenAt(patch === undefined
      ? [Math.floor(rows / 2), Math.floor(columns / 2)]
      : data.place(patch).map((at, axis) => clamp(at + [down, right][axis], [rows, columns][axis]))));
  }

  // draw a rectangle from the pinned patch
  extend(step) {
    this.explorer.hint.end();
    const { data, tools } = this.explorer;
    const query = tools.extended(step);
    this.go(query, Array.isArray(query) ? tools.corners.to : data.place(query));
  }

  go(query, place = this.explorer.data.place(query)) {
    const { explorer } = this;
    const { data, zoom } = explorer;
    explorer.hovered = null;
    explorer.change({ query }, HELD);
    zoom.reveal(place, data.grid);
  }

  // around the patch that is shown
  zoom(direction) {
    const { data, ref, token, zoom } = this.explorer;
    const [patch] = patchesOf(token, data.prefix);
    if (patch === undefined) return zoom.step(direction);
    const [row, column] = data.place(patch);
    const { left, top, width, height } = ref.picture.getBoundingClientRect();
    const at = { clientX: left + (column + 0.5) / data.grid[1] * width, clientY: top + (row + 0.5) / data.grid[0] * height };
    return zoom.step(direction, zoom.pointOf(at).map((part) => clampTo(part, 0, 1)));
  }
}
