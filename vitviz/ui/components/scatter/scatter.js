// Scatter plot of patch tokens next to the picture: pointing at a point or patch shows the other, and a lasso highlights
// the patches of the enclosed points.

import { fromBase64 } from "../../../viz/browser/binary.js";
import { onScreen } from "../../../viz/browser/canvas.js";
import { element, setText } from "../../../viz/browser/elements.js";
import { onKeys } from "../../../viz/browser/keys.js";
import { mounted } from "../_shared/mounted.js";
import { QUERY, ink } from "../../../viz/browser/theme.js";
import { Picker, same } from "../patches/picker.js";

const NEAR = 24; // maximum distance of the pointer from a point, pixels
const EDGE = 14; // margin around the points, pixels

export default function (component) {
  return mounted(Scatter, ".patches", component);
}

class Scatter extends Picker {
  constructor(root, mount) {
    super(root, mount);
    root.dataset.testid = "scatter";
    root.setAttribute("aria-label", "Tokens as points");
    this.selected = new Set(); // patches, counted row by row
    this.lasso = null; // corners of the lasso being drawn
    this.build();
    this.listenToPoints();
  }

  build() {
    const { ref, root } = this;
    ref.points = element("canvas", { tabIndex: 0, className: "points" },
      { "data-testid": "scatter-points", role: "application", "aria-roledescription": "scatter plot" });
    ref.axes = element("p", { className: "axes" });
    ref.selection = element("span", {}, { "data-testid": "scatter-selection", role: "status" });
    ref.clear = element("button", { type: "button", textContent: "Clear" });
    ref.images = element("input", { type: "checkbox", checked: this.mount.memory.images ?? true });
    const label = element("label", {}, {}, [ref.images, " Show patches instead of points"]);
    const below = element("div", { className: "below" }, {}, [ref.selection, ref.clear, label]);
    root.querySelector(".board").after(element("div", { className: "plot" }, {}, [ref.points, ref.axes, below]));
    root.classList.add("scatter");
    ref.mapLabel.hidden = true;
  }

  receive(data) {
    if (`${this.data?.grid}` !== `${data.grid}` || this.data?.picture !== data.picture) {
      this.selected = new Set(this.remembered("selected", madeOf(data), []));
    }
    this.colours = fromBase64(data.colours); // red, green and blue of each patch
    super.receive(data);
    this.ref.axes.textContent = data.axes;
    this.ref.points.setAttribute("aria-label", `${data.axes}. Arrow keys go to the next point, space selects it, Enter chooses it.`);
  }

  number([row, column]) {
    return row * this.data.grid[1] + column;
  }

  patch(number) {
    return [Math.floor(number / this.data.grid[1]), number % this.data.grid[1]];
  }

  // ------------------------------------------------------------------ drawing

  draw() {
    super.draw();
    this.drawPoints();
    const { ref, root, selected } = this;
    ref.clear.disabled = !selected.size;
    const words = selected.size
      ? `${selected.size} of ${this.data.points.length} patches selected.` : "Draw a lasso around points to highlight their patches.";
    setText(ref.selection, words);
    root.dataset.selected = [...selected].sort((a, b) => a - b).join(" ");
  }

  drawPicture() {
    const before = this.painted;
    super.drawPicture();
    if (this.painted && this.painted !== before && this.selected.size) this.dim();
  }

  // darken the patches that are not selected
  dim() {
    const { data: { grid: [rows, columns] }, ref: { picture }, selected } = this;
    const context = picture.getContext("2d");
    Object.assign(context, { globalAlpha: 0.72, fillStyle: "#000" });
    const [at, down] = [(i) => Math.round(i * picture.width / columns), (i) => Math.round(i * picture.height / rows)];
    for (let i = 0; i < rows * columns; i++) {
      const [row, column] = this.patch(i);
      if (!selected.has(i)) context.fillRect(at(column), down(row), at(column + 1) - at(column), down(row + 1) - down(row));
    }
    context.globalAlpha = 1;
  }

  // position of a point on the canvas, in pixels
  spot([x, y]) {
    const { clientWidth: width, clientHeight: height } = this.ref.points;
    return [EDGE + x * (width - 2 * EDGE), height - EDGE - y * (height - 2 * EDGE)];
  }

  drawPoints() {
    const { colours, data: { points }, lasso, marks, photo, pointed, ref, selected } = this;
    const canvas = ref.points;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !photo.naturalWidth) return;
    const { sharp, across, down } = onScreen(width, height);
    Object.assign(canvas, { width: across, height: down });
    const context = canvas.getContext("2d");
    context.scale(sharp, sharp);
    const side = ref.images.checked ? (points.length > 500 ? 9 : 16) : 6;
    const one = (i, larger = 1) => this.drawPoint(context, i, side * larger, `rgb(${colours.subarray(3 * i, 3 * i + 3).join(" ")})`);
    points.forEach((_, i) => {
      context.globalAlpha = selected.size && !selected.has(i) ? 0.18 : 1;
      one(i);
    });
    context.globalAlpha = 1;
    const mark = (patch, colour) => {
      if (!patch) return;
      one(this.number(patch), 1.6);
      this.drawFrame(context, this.number(patch), side * 1.6, colour);
    };
    mark(marks.query, QUERY);
    if (pointed && !same(pointed, marks.query)) mark(pointed, ink(canvas));
    if (lasso) this.drawLasso(context);
  }

  drawPoint(context, i, side, colour) {
    const { data: { grid: [rows, columns], points }, photo, ref } = this;
    const [x, y] = this.spot(points[i]);
    context.fillStyle = colour;
    context.fillRect(x - side / 2, y - side / 2, side, side);
    if (!ref.images.checked) return;
    const [row, column] = this.patch(i);
    const [width, height, inner] = [photo.naturalWidth / columns, photo.naturalHeight / rows, side - 3];
    context.drawImage(photo, column * width, row * height, width, height, x - inner / 2, y - inner / 2, inner, inner);
  }

  drawFrame(context, i, side, inner) {
    const [x, y] = this.spot(this.data.points[i]);
    for (const [colour, wide] of [["#fff", 5], [inner, 3]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: wide });
      context.strokeRect(x - side / 2 - 1, y - side / 2 - 1, side + 2, side + 2);
    }
  }

  drawLasso(context) {
    Object.assign(context, { strokeStyle: ink(this.ref.points), lineWidth: 1.5 });
    context.setLineDash([5, 4]);
    context.beginPath();
    this.lasso.forEach(([x, y]) => context.lineTo(x, y));
    context.closePath();
    context.stroke();
  }

  // ------------------------------------------------------------------ user input

  listenToPoints() {
    const { ref } = this;
    const at = (event) => {
      const box = ref.points.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.on(ref.points, "pointerdown", (event) => {
      if (event.button !== 0) return;
      ref.points.setPointerCapture(event.pointerId);
      this.lasso = [at(event)];
    });
    this.on(ref.points, "pointermove", (event) => {
      if (this.lasso) this.lasso.push(at(event));
      this.hover(this.nearest(at(event)));
      if (this.lasso) this.schedule();
    });
    this.on(ref.points, "pointerup", () => this.endLasso());
    this.on(ref.points, "pointercancel", () => this.endLasso(false));
    this.on(ref.points, "pointerleave", () => this.hover(null));
    onKeys(this.listening, ref.points, (event, step) => this.keyAtPoints(event, step));
    this.on(ref.points, "blur", () => {
      this.focused = null;
      this.schedule();
    });
    this.on(ref.clear, "click", () => this.select([]));
    this.on(ref.images, "change", () => {
      this.mount.memory.images = ref.images.checked;
      this.schedule();
    });
    this.listening.onResize(ref.points, () => this.schedule());
  }

  nearest([x, y]) {
    let [best, distance] = [null, NEAR];
    this.data.points.forEach((point, i) => {
      const [px, py] = this.spot(point);
      const away = Math.hypot(px - x, py - y);
      if (away < distance) [best, distance] = [i, away];
    });
    return best === null ? null : this.patch(best);
  }

  // a lasso without area is a click
  endLasso(done = true) {
    const line = this.lasso;
    this.lasso = null;
    this.schedule();
    if (!line || !done) return;
    const [xs, ys] = [0, 1].map((axis) => line.map((corner) => corner[axis]));
    if (Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) < 6) {
      const patch = this.nearest(line[0]);
      if (patch) this.choose(patch);
      else this.select([]);
    } else this.select(this.data.points.flatMap((point, i) => inside(this.spot(point), line) ? [i] : []));
  }

  select(numbers) {
    this.selected = new Set(numbers);
    this.remember("selected", madeOf(this.data), [...numbers]);
    this.painted = null;
    this.schedule();
  }

  keyAtPoints(event, step) {
    const here = this.pointed ?? this.middle();
    if (step) [this.focused, this.hovered] = [this.next(here, step), null];
    else if (event.key === "Enter") this.choose(here);
    else if (event.key === "Escape") this.select([]);
    else if (event.key === " ") {
      const numbers = new Set(this.selected);
      if (!numbers.delete(this.number(here))) numbers.add(this.number(here));
      this.select(numbers);
    } else return false;
    this.schedule();
    return true;
  }

  // nearest point within 45 degrees of the direction
  next(patch, [down, right]) {
    const [x, y] = this.spot(this.data.points[this.number(patch)]);
    let [best, distance] = [patch, Infinity];
    this.data.points.forEach((point, i) => {
      const [dx, dy] = this.spot(point).map((at, axis) => at - [x, y][axis]);
      const [ahead, aside] = right ? [dx * right, Math.abs(dy)] : [dy * down, Math.abs(dx)];
      if (ahead > 0.5 && ahead >= aside && ahead + aside < distance) [best, distance] = [this.patch(i), ahead + aside];
    });
    return best;
  }
}

// true if a point is inside a polygon (even-odd rule)
function inside([x, y], line) {
  let odd = false;
  line.forEach(([x1, y1], i) => {
    const [x2, y2] = line[(i + 1) % line.length];
    if ((y1 > y) !== (y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1) odd = !odd;
  });
  return odd;
}

// identifier of the picture and grid of a selection
const madeOf = ({ grid, picture }) => `${grid} ${picture}`;
