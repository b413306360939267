// Zoom of the picture: by buttons and keys, by the wheel, with two fingers, and moved by dragging. The wheel alone scrolls
// the page, as everywhere, except in full screen.

import { disable } from "../browser/elements.js";
import { clampTo } from "../browser/pointer.js";

const MOST = 8;
const STEP = 1.5; // of buttons and keys
const NEARLY = 1.15; // two fingers that end below this show the whole picture
const STILL = 4; // pixels that the pointer moves before a click becomes a drag

export class Zoom {
  // `picture` lies in the stage and is what is enlarged. `begin` is called when fingers or a drag take the picture.
  constructor({ root, ref, listening }, begin) {
    Object.assign(this, { root, ref, begin, drag: null, pinch: null, wasMoved: false });
    this.reset();
    const { stage } = ref;
    listening.on(stage, "wheel", (event) => this.wheel(event), { passive: false });
    listening.on(stage, "pointerdown", (event) => this.down(event));
    listening.on(stage, "pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) listening.on(stage, end, () => { this.drag = null; });
    listening.on(stage, "click", (event) => this.click(event));
    for (const kind of ["touchstart", "touchmove"]) listening.on(stage, kind, (event) => this.touch(event), { passive: false });
    for (const end of ["touchend", "touchcancel"]) listening.on(stage, end, (event) => this.release(event));
    listening.on(ref.closer, "click", () => this.step(1));
    listening.on(ref.farther, "click", () => this.step(-1));
  }

  get isMoving() {
    return this.pinch !== null || Boolean(this.drag?.moves);
  }

  reset() {
    this.factor = 1;
    this.corner = [0, 0]; // upper left corner of the visible part, as fractions of the picture: across, down
    this.apply();
  }

  // larger for 1, smaller for -1; around a point of the stage, by default its centre
  step(direction, point = [0.5, 0.5]) {
    this.zoom(this.factor * STEP ** direction, point);
  }

  // `point` keeps its place, as fractions of the stage: across, down
  zoom(factor, point) {
    const before = this.factor;
    this.factor = clampTo(factor, 1, MOST);
    this.corner = this.corner.map((at, axis) => at + point[axis] / before - point[axis] / this.factor);
    this.apply();
  }

  moveBy(shift) {
    this.corner = this.corner.map((at, axis) => at - shift[axis] / this.factor);
    this.apply();
  }

  // true if the centre of a patch is visible
  shows([row, column], [rows, columns]) {
    return [(column + 0.5) / columns, (row + 0.5) / rows].every((at, axis) =>
      at >= this.corner[axis] && at <= this.corner[axis] + 1 / this.factor);
  }

  // move until a patch is visible
  reveal([row, column], [rows, columns]) {
    this.corner = [[column, columns], [row, rows]].map(([at, count], axis) =>
      clampTo(this.corner[axis], (at + 1) / count - 1 / this.factor, at / count));
    this.apply();
  }

  apply() {
    const { factor, ref, root } = this;
    this.corner = this.corner.map((at) => clampTo(at, 0, 1 - 1 / factor));
    const [left, top] = this.corner.map((at) => `${-100 * at * factor}%`);
    const side = `${100 * factor}%`;
    Object.assign(ref.picture.style, { left, top, width: side, height: side }); // a transform would widen the frames, too
    root.classList.toggle("zoomed", factor > 1);
    root.dataset.zoom = factor.toFixed(2);
    disable(ref.closer, factor === MOST, ref.stage);
    disable(ref.farther, factor === 1, ref.stage);
  }

  // ------------------------------------------------------------------ user input

  // fractions of the stage
  pointOf({ clientX, clientY }) {
    const { left, top, width, height } = this.ref.stage.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height];
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey && !this.root.classList.contains("full")) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE;
    const pixels = event.deltaY * (lines ? 16 : 1) * (event.ctrlKey && !lines && Math.abs(event.deltaY) < 50 ? 5 : 1);
    this.zoom(this.factor * 2 ** (-pixels / 300), this.pointOf(event)); // two fingers on a touchpad send small steps
  }

  down(event) {
    this.wasMoved = false;
    if (this.factor === 1 || this.root.classList.contains("drawing") || event.button !== 0) return;
    this.drag = { pointer: event.pointerId, from: [event.clientX, event.clientY], at: this.pointOf(event), moves: false };
  }

  move(event) {
    const { drag } = this;
    if (event.pointerId !== drag?.pointer || this.pinch) return;
    if (!event.buttons) { // released outside of the picture
      this.drag = null;
      return;
    }
    if (!drag.moves) {
      if (Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) < STILL) return;
      drag.moves = this.wasMoved = true;
      this.ref.stage.setPointerCapture(event.pointerId);
      this.begin();
    }
    const at = this.pointOf(event);
    this.moveBy(at.map((to, axis) => to - drag.at[axis]));
    drag.at = at;
  }

  // the click that ends a drag pins nothing
  click(event) {
    if (this.wasMoved) event.stopImmediatePropagation();
    this.wasMoved = false;
  }

  touch(event) {
    if (event.touches.length !== 2) return;
    event.preventDefault(); // else the browser would enlarge the page
    const [one, other] = event.touches;
    const wide = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const [a, b] = [this.pointOf(one), this.pointOf(other)];
    const centre = a.map((at, axis) => (at + b[axis]) / 2);
    if (!this.pinch) this.begin();
    else {
      this.moveBy(centre.map((to, axis) => to - this.pinch.centre[axis]));
      this.zoom(this.factor * wide / this.pinch.wide, centre);
    }
    this.pinch = { wide, centre };
    this.wasMoved = true;
  }

  release(event) {
    if (event.touches.length >= 2) return;
    if (this.pinch && this.factor < NEARLY) this.reset();
    this.pinch = null;
  }
}
