// Matrix of the sequence: display and user input. Chosen rows are sent to Python, hovering is not.

import { Component } from "../../../viz/browser/component.js";
import { element, setText } from "../../../viz/browser/elements.js";
import { isPress, onKeys } from "../../../viz/browser/keys.js";
import { mounted } from "../_shared/mounted.js";
import { cellAt, clamp, isCoarse, onHover } from "../../../viz/browser/pointer.js";

export default function (component) {
  return mounted(Matrix, "[data-testid=sequence-matrix]", component);
}

class Matrix extends Component {
  constructor(root, mount) {
    super(root, mount);
    this.hovered = null; // rows, from 0
    this.focused = null; // row of the keyboard focus; null until an arrow key is used
    this.sought = null; // row to scroll to
    this.listen();
  }

  // ------------------------------------------------------------------ data from Python

  receive(data) {
    const { data: before, ref, root } = this;
    this.data = data;
    if (before?.matrix !== data.matrix) ref.numbers.src = data.matrix;
    if (before?.picture !== data.picture) ref.picture.src = data.picture;
    if (before?.rows !== data.rows || `${before?.grid}` !== `${data.grid}`) this.hovered = this.focused = null;
    const [down, across] = data.grid;
    for (const [name, value] of Object.entries({ rows: data.rows, down, across })) root.style.setProperty(`--${name}`, value);
    for (const name of ["low", "high", "larger"]) ref[name].textContent = data[name];
    ref.bar.src = data.bar;
    ref.picture.alt = data.picture_name;
    ref.matrix.setAttribute("aria-label", `${data.rows} rows of ${data.columns} numbers`);
    for (const axis of ["across", "down"]) if (!same(before?.[axis], data[axis])) ref[axis].replaceChildren(...named(data[axis]));
    this.takeOver(data.chosen);
    this.schedule();
  }

  // While a choice is pending, states from Python do not restore an older frame.
  takeOver(sent) {
    const row = this.mount.pending("chosen").filter(({ rows }) => rows === this.data.rows).at(-1)?.row ?? sent;
    if (row !== this.chosen) this.sought = row;
    this.chosen = row;
  }

  // ------------------------------------------------------------------ drawing

  // current row: under the pointer, else focused, else chosen
  get row() {
    return this.hovered ?? this.focused ?? this.chosen;
  }

  draw() {
    const { chosen, focused, hovered, ref, root, row } = this;
    this.frameRow(ref.chosen, chosen);
    this.frameRow(ref.hover, hovered);
    this.frameRow(ref.focus, hovered === null ? focused : null);
    const patch = this.patchOf(row);
    this.framePatch(ref.source, this.patchOf(chosen));
    this.framePatch(ref.lit, patch ?? [0, 0]);
    root.classList.toggle("nowhere", !patch);
    Object.assign(root.dataset, { row, chosen, patch: patch ?? "" });
    this.drawStrip();
    this.drawWords(patch);
    this.reveal();
  }

  frameRow(frame, row) {
    frame.hidden = row === null;
    frame.style.setProperty("--at", row ?? 0);
  }

  framePatch(frame, patch) {
    frame.hidden = !patch;
    if (!patch) return;
    frame.style.setProperty("--line", patch[0]);
    frame.style.setProperty("--column", patch[1]);
  }

  // strip of the current row
  drawStrip() {
    const { data: { columns }, ref: { numbers, strip }, row } = this;
    if (!numbers.complete || !numbers.naturalWidth) return;
    Object.assign(strip, { width: columns, height: 1 });
    strip.getContext("2d").drawImage(numbers, 0, row, columns, 1, 0, 0, columns, 1);
  }

  drawWords(patch) {
    const { data: { prefix, rows }, hovered, ref, row } = this;
    // while the pointer moves, the text changes too often for screen readers
    ref.status.setAttribute("aria-live", hovered === null ? "polite" : "off");
    const from = patch ? `patch (${patch[0] + 1}, ${patch[1] + 1}), number ${row - prefix.length + 1}`
      : `${prefix[row]}, a learned vector`;
    setText(ref.status, `Row ${row + 1} of ${rows}: ${from}`);
    setText(ref.hint, isCoarse() ? "Tap a row or a patch to follow it."
      : "Click a row or a patch to follow it, or use arrow keys and Enter.");
  }

  // ------------------------------------------------------------------ user input

  listen() {
    const { ref } = this;
    const places = [[ref.matrix, (event) => this.rowAt(event)], [ref.photo, (event) => this.sought = this.rowOfPatchAt(event)]];
    for (const [node, rowAt] of places) {
      onHover(this.listening, node, (event) => this.hover(event && rowAt(event)));
      this.on(node, "pointerdown", (event) => this.hover(rowAt(event)));
      this.on(node, "click", (event) => {
        this.focused = null;
        this.choose(rowAt(event));
      });
    }
    onKeys(this.listening, ref.matrix, (event, step) => this.key(event, step));
    this.on(ref.matrix, "blur", () => {
      this.focused = null;
      this.schedule();
    });
    this.on(ref.numbers, "load", () => this.schedule());
  }

  rowAt(event) {
    return cellAt(event, this.ref.matrix, [this.data.rows, 1])[0];
  }

  rowOfPatchAt(event) {
    const { grid, prefix } = this.data;
    const [line, column] = cellAt(event, this.ref.photo, grid);
    return prefix.length + line * grid[1] + column;
  }

  patchOf(row) {
    const { grid: [, across], prefix } = this.data;
    const patch = row - prefix.length;
    return patch < 0 ? null : [Math.floor(patch / across), patch % across];
  }

  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.schedule();
  }

  choose(row) {
    this.schedule();
    if (row === this.chosen) return;
    this.chosen = row;
    this.mount.send("chosen", { row, rows: this.data.rows }, { instead: true });
  }

  key(event, step) {
    const { data: { rows }, row } = this;
    const to = step ? row + step[0] + step[1] : { Home: 0, End: rows - 1 }[event.key];
    if (to !== undefined) this.move(clamp(to, rows));
    else if (isPress(event)) this.choose(row);
    else return false;
    return true;
  }

  move(row) {
    this.focused = this.sought = row;
    this.hovered = null;
    this.schedule();
  }

  // scroll the matrix to a row that was selected in the picture
  reveal() {
    const { data: { rows }, ref: { matrix, scroll }, sought } = this;
    this.sought = null;
    if (sought === null) return;
    const [middle, room] = [(sought + 0.5) / rows * matrix.clientHeight, scroll.clientHeight];
    if (middle < scroll.scrollTop + 10 || middle > scroll.scrollTop + room - 10) scroll.scrollTop = middle - room / 2;
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// Axis label: a symbol of the formulas with its colour and meaning, followed by a text.
function named({ symbol, meaning, text }) {
  const about = { "data-symbol": symbol, "data-meaning": meaning, "aria-description": meaning };
  return [element("abbr", { className: "vv-symbol", textContent: symbol }, about), text];
}
