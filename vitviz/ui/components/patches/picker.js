// Patch grid: display and user input. Chosen patches are sent to Python, hovering is not. Base class of other components.

import { fromBase64, packedColours } from "../../../viz/browser/binary.js";
import { onScreen, paint } from "../../../viz/browser/canvas.js";
import { Component } from "../../../viz/browser/component.js";
import { element, setText } from "../../../viz/browser/elements.js";
import { isPress, onKeys } from "../../../viz/browser/keys.js";
import { cellAt, clamp, isCoarse, onHover } from "../../../viz/browser/pointer.js";

const GAP = 0.16; // gap between separated patches, relative to their size
const APART_IN = 220; // milliseconds

export class Picker extends Component {
  constructor(root, mount) {
    super(root, mount);
    this.photo = new Image();
    this.marks = { query: null, key: null }; // the patches that are framed, [row, column] or null
    this.hovered = null;
    this.focused = null; // patch of the keyboard focus; null until an arrow key is used
    this.gap = 0;
    this.listen();
  }

  close() {
    super.close();
    this.photo.onload = null;
  }

  // ------------------------------------------------------------------ data from Python

  receive(data) {
    const before = this.data;
    this.data = data;
    if (`${before?.grid}` !== `${data.grid}`) this.newGrid();
    if (before?.picture !== data.picture) this.photo.src = data.picture; // drawn when it is decoded
    const opacity = data.overlay?.opacity;
    if (before?.overlay?.opacity !== opacity) this.ref.map.value = this.remembered("opacity", opacity, 100 * (opacity ?? 0));
    if (JSON.stringify(before?.overlay) !== JSON.stringify(data.overlay)) this.newOverlay();
    if (before?.exploded !== data.exploded) this.explode(this.remembered("exploded", data.exploded, data.exploded), !before);
    this.takeOver("query", data.chosen);
    this.takeOver("key", data.second);
    this.schedule();
  }

  newGrid() {
    const [rows, columns] = this.data.grid;
    this.root.style.setProperty("--rows", rows);
    this.root.style.setProperty("--columns", columns);
    this.root.classList.toggle("dense", Math.max(rows, columns) > 24);
    this.hovered = this.focused = null;
  }

  // While a choice is pending, states from Python do not restore an older frame.
  takeOver(role, patch) {
    const { data: { grid }, mount } = this;
    const pending = mount.pending("chosen").filter((sent) => sent.role === role && same(sent.grid, grid)).at(-1);
    this.marks[role] = pending && !this.data.switching ? [pending.row, pending.column] : patch;
  }

  // Value of a switch: the user's choice, which survives remounts, as long as Python's proposal does not change.
  remembered(name, proposed, otherwise) {
    const known = this.mount.memory[name];
    return known && known.proposed === proposed ? known.own : otherwise;
  }

  remember(name, proposed, own) {
    this.mount.memory[name] = { proposed, own };
  }

  newOverlay() {
    const { ref, root, data: { overlay, grid: [rows, columns] } } = this;
    ref.legend.hidden = ref.mapLabel.hidden = !overlay;
    root.classList.toggle("mapped", Boolean(overlay));
    root.classList.toggle("signed", Boolean(overlay?.signed));
    this.newFactor(overlay?.factor);
    if (!overlay) return;
    const table = packedColours(overlay.colours);
    paint(ref.heat, fromBase64(overlay.tones), table, columns, rows);
    paint(ref.bar, Uint8Array.from({ length: 256 }, (_, i) => i), table, 256, 1); // on grey: see patches.css
    for (const part of ["low", "high", "caption"]) ref[part].textContent = overlay[part];
  }

  // what the patches are multiplied by, between the magnified patch and its value
  newFactor(factor) {
    const { ref, root } = this;
    root.classList.toggle("factored", Boolean(factor));
    if (!ref.factor) return; // components based on this one
    ref.factor.hidden = !factor;
    if (!factor) return;
    ref.factorPicture.src = factor.picture;
    ref.factorPicture.alt = ref.factorName.textContent = factor.name;
  }

  // ------------------------------------------------------------------ drawing

  // current patch: under the pointer, else focused, else chosen
  get pointed() {
    return this.hovered ?? this.focused ?? this.marks[this.data.choosing] ?? this.marks.query;
  }

  draw() {
    this.drawPicture();
    this.drawMarks();
    this.drawLens();
    this.drawWords();
  }

  drawPicture() {
    const { data, gap, photo, ref } = this;
    const { clientWidth: width, clientHeight: height } = ref.stage;
    const overlay = data.overlay && ref.map.valueAsNumber ? data.overlay : null;
    const { across, down } = onScreen(width, height);
    const size = [across, down];
    ref.bar.style.opacity = ref.map.valueAsNumber / 100;
    const state = JSON.stringify([size, gap, ref.map.value, photo.complete]);
    // comparing strings by identity suffices: while the pointer moves, only the frames change
    if (state === this.painted?.state && data.picture === this.painted.picture && data.overlay === this.painted.overlay) return;
    if (!photo.naturalWidth || !width) return;
    this.painted = { state, picture: data.picture, overlay: data.overlay };
    [ref.picture.width, ref.picture.height] = size;
    const context = ref.picture.getContext("2d");
    context.imageSmoothingQuality = "high";
    for (const [from, to] of this.pieces(size)) {
      context.globalAlpha = 1;
      context.imageSmoothingEnabled = true;
      context.drawImage(photo, ...scaled(from, photo.naturalWidth, photo.naturalHeight), ...to);
      if (!overlay) continue;
      context.globalAlpha = ref.map.valueAsNumber / 100;
      context.imageSmoothingEnabled = false;
      context.drawImage(ref.heat, ...scaled(from, ref.heat.width, ref.heat.height), ...to);
    }
  }

  // positions to draw: the whole picture, or each patch centred in its cell, on whole pixels
  pieces([width, height]) {
    const { data: { grid: [rows, columns] }, gap } = this;
    if (!gap) return [[[0, 0, 1, 1], [0, 0, width, height]]];
    const pieces = [];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const [left, right] = [column + gap / 2, column + 1 - gap / 2].map((at) => Math.round(at * width / columns));
        const [top, bottom] = [row + gap / 2, row + 1 - gap / 2].map((at) => Math.round(at * height / rows));
        pieces.push([[column / columns, row / rows, 1 / columns, 1 / rows], [left, top, right - left, bottom - top]]);
      }
    }
    return pieces;
  }

  drawMarks() {
    const { data, focused, hovered, marks, ref, root } = this;
    this.place(ref.chosen, marks.query);
    this.place(ref.second, marks.key);
    this.place(ref.hover, hovered);
    this.place(ref.focus, hovered ? null : focused);
    root.style.setProperty("--gap", this.gap);
    root.classList.toggle("exploded", this.gap > 0);
    Object.assign(root.dataset, {
      row: marks.query?.[0] ?? "", column: marks.query?.[1] ?? "", second: marks.key ?? "", hover: hovered ?? "",
      focus: focused ?? "", choosing: data.choosing, exploded: ref.apart.checked,
    });
  }

  place(box, patch) {
    box.hidden = !patch;
    if (patch) box.style.transform = `translate(${patch[1] * 100}%, ${patch[0] * 100}%)`;
  }

  // magnified patch without the overlay
  drawLens() {
    const { data: { grid: [rows, columns] }, photo, pointed, ref: { lens } } = this;
    lens.classList.toggle("nothing", !pointed);
    if (!pointed) lens.width = lens.height = 1; // empty
    if (!pointed || !photo.naturalWidth) return;
    const [width, height] = [photo.naturalWidth / columns, photo.naturalHeight / rows];
    Object.assign(lens, { width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) });
    const context = lens.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(photo, pointed[1] * width, pointed[0] * height, width, height, 0, 0, lens.width, lens.height);
  }

  drawWords() {
    const { data, hovered, marks, pointed, ref } = this;
    const [rows, columns] = data.grid;
    const number = ([row, column]) => row * columns + column + 1;
    // while the pointer moves, the text changes too often for screen readers
    ref.status.setAttribute("aria-live", hovered ? "off" : "polite");
    setText(ref.status, pointed
      ? `Patch ${number(pointed)} of ${rows * columns}, row ${pointed[0] + 1}, column ${pointed[1] + 1}${this.about(pointed)}` : "");
    if (ref.product) setText(ref.product, pointed && data.overlay?.factor ? this.value(pointed) : "");
    const inPairs = data.choosing === "key" || marks.key;
    const names = { query: inPairs ? "query" : "chosen", key: "key" };
    ref.marks.replaceChildren(...["query", "key"].filter((role) => marks[role]).map((role) =>
      element("span", { className: role, textContent: `${names[role]}: patch ${number(marks[role])}` })));
    const what = data.switching ? "mask or unmask a patch" : inPairs ? `choose the ${data.choosing}` : "choose a patch";
    setText(ref.hint, isCoarse() ? `Tap to ${what}.`
      : `Point to magnify, click to ${what}, or use arrow keys and Enter.`);
    ref.stage.setAttribute("aria-label", `${data.picture_name}, ${rows} rows of ${columns} patches`);
  }

  // text of the status line after the name of the patch
  about(patch) {
    return this.data.overlay ? `: ${this.value(patch)}` : "";
  }

  // value of a patch on the overlay, as text
  value([row, column]) {
    const { overlay, grid: [, columns] } = this.data;
    return overlay.labels[row * columns + column];
  }

  // ------------------------------------------------------------------ user input

  listen() {
    const { ref } = this;
    onHover(this.listening, ref.stage, (event) => this.hover(event && this.patchAt(event)));
    this.on(ref.stage, "pointerdown", (event) => this.hover(this.patchAt(event)));
    this.on(ref.stage, "click", (event) => {
      this.focused = null;
      this.choose(this.patchAt(event));
    });
    onKeys(this.listening, ref.stage, (event, step) => this.key(event, step));
    this.on(ref.stage, "blur", () => {
      this.focused = null;
      this.schedule();
    });
    this.on(ref.apart, "change", () => {
      this.remember("exploded", this.data.exploded, ref.apart.checked);
      this.explode(ref.apart.checked);
    });
    this.on(ref.map, "input", () => {
      this.remember("opacity", this.data.overlay?.opacity, ref.map.value);
      this.schedule();
    });
    this.photo.onload = () => {
      this.painted = null;
      this.schedule();
    };
    this.listening.onResize(ref.stage, () => this.schedule());
  }

  patchAt(event) {
    return cellAt(event, this.ref.stage, this.data.grid);
  }

  hover(patch) {
    if (same(patch, this.hovered)) return;
    this.hovered = patch;
    this.schedule();
  }

  choose(patch) {
    const role = this.data.choosing;
    this.schedule();
    const { switching, grid } = this.data;
    if (!switching && same(patch, this.marks[role])) return;
    if (!switching) this.marks[role] = patch;
    this.mount.send("chosen", { role, row: patch[0], column: patch[1], grid });
  }

  key(event, step) {
    if (step) this.move(step);
    else if (isPress(event)) this.choose(this.pointed ?? this.middle());
    else return false;
    return true;
  }

  // the first arrow key starts from the patch under the pointer or the chosen one
  move(step) {
    const from = this.pointed;
    const to = (at, axis) => clamp(at + step[axis], this.data.grid[axis]);
    this.focused = from ? from.map(to) : this.middle();
    this.hovered = null;
    this.schedule();
  }

  middle() {
    return this.data.grid.map((count) => Math.floor(count / 2));
  }

  // animate the separation, unless the user prefers reduced motion
  explode(apart, appearing = false) {
    const atOnce = appearing || matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.ref.apart.checked = apart;
    const [from, to] = [this.gap, apart ? GAP : 0];
    this.frames.slide(atOnce ? 0 : APART_IN, (done) => {
      this.gap = from + (to - from) * done * (2 - done);
      this.draw();
    });
  }
}

export const same = (one, other) => `${one}` === `${other}`;

// parts of a whole to pixels
const scaled = ([left, top, width, height], across, down) => [left * across, top * down, width * across, height * down];
