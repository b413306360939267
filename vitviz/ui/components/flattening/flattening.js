// A patch and its vector: display and user input. Chosen components are sent to Python, hovering is not.

import { fromBase64, packedColours } from "../../../viz/browser/binary.js";
import { paint, pixelsOf } from "../../../viz/browser/canvas.js";
import { Component } from "../../../viz/browser/component.js";
import { element, setText } from "../../../viz/browser/elements.js";
import { isPress, onKeys } from "../../../viz/browser/keys.js";
import { mounted } from "../_shared/mounted.js";
import { cellAt, clamp, isCoarse, onHover } from "../../../viz/browser/pointer.js";
import { indexAt, placeOf, seenFrom, shownAt } from "./order.js";

const NEAR = 15; // enlarged components around the current one
const PER_NUMBER = 40; // milliseconds of the animation
const LONGEST = 6000;

export default function (component) {
  return mounted(Flattening, "[data-testid=flattening]", component);
}

class Flattening extends Component {
  constructor(root, mount) {
    super(root, mount);
    this.hovered = null; // index of the component under the pointer
    this.focused = null; // index of the keyboard focus; null until an arrow key is used
    this.shown = null; // while the animation runs: how many numbers have arrived
    this.listen();
  }

  // ------------------------------------------------------------------ data from Python

  receive(data) {
    const { data: before, ref, root } = this;
    this.data = data;
    const isNew = before?.picture !== data.picture || before?.tones !== data.tones;
    if (isNew) {
      this.hovered = this.focused = null;
      this.table = packedColours(data.colours);
      this.tones = fromBase64(data.tones);
      this.colours = packedColours(data.picture);
      this.stop();
    }
    root.style.setProperty("--across", data.side);
    root.style.setProperty("--count", this.count);
    for (const name of ["low", "high"]) ref[name].textContent = data[name];
    paint(ref.bar, Uint8Array.from({ length: 256 }, (_, i) => i), this.table, 256, 1);
    ref.strip.setAttribute("aria-label", `vector of ${this.count} numbers`);
    ref.play.hidden = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.chosen = this.mount.pending("chosen").filter(({ count }) => count === this.count).at(-1)?.index ?? data.chosen;
    if (isNew || before.chosen !== data.chosen) this.centre = this.chosen;
    this.schedule();
  }

  get count() {
    return this.data.labels.length;
  }

  // ------------------------------------------------------------------ drawing

  // current component: under the pointer, else focused, else chosen
  get index() {
    return this.hovered ?? this.focused ?? this.chosen;
  }

  draw() {
    const { chosen, count, data: { channels, side }, hovered, index, ref, root, shown } = this;
    this.drawNumbers();
    this.frame(ref.source, ref.mark, shown === null ? chosen : null);
    this.frame(ref.lit, ref.pointer, shown === null ? hovered ?? this.focused : clamp(shown, count));
    this.drawNear();
    this.drawWords();
    const { row, column, channel } = placeOf(index, side, channels.length);
    Object.assign(root.dataset, { index, chosen, count, row, column, channel, shown: shown ?? "" });
  }

  // While the animation runs, the pixels leave the patch and appear in the vector.
  drawNumbers() {
    const { count, data: { channels, side }, ref, shown } = this;
    const image = pixelsOf(ref.pixels, side, side);
    image.packed.set(this.colours);
    if (shown !== null) image.packed.fill(0, 0, Math.floor(shown / channels.length));
    image.put();
    paint(ref.numbers, this.tones, this.table, count, 1);
    if (shown !== null) ref.numbers.getContext("2d").clearRect(shown, 0, count - shown, 1);
  }

  frame(box, mark, index) {
    box.hidden = mark.hidden = index === null;
    if (index === null) return;
    const { row, column } = placeOf(index, this.data.side, this.data.channels.length);
    box.style.setProperty("--line", row);
    box.style.setProperty("--column", column);
    mark.style.setProperty("--at", index);
  }

  // enlarged components, each with the initial of its channel; kept while the pointer moves over them
  drawNear() {
    const { centre, chosen, count, data, hovered, ref } = this;
    const [from, to] = seenFrom(centre, NEAR, count);
    const drawn = [from, to, data.tones].join();
    if (drawn !== this.drawnNear) ref.near.replaceChildren(...Array.from({ length: to - from }, (_, i) => this.cell(from + i)));
    this.drawnNear = drawn;
    [...ref.near.children].forEach((cell, i) => {
      cell.className = from + i === hovered ? "hover" : from + i === chosen ? "chosen" : "";
    });
  }

  cell(index) {
    const { channels, labels, side } = this.data;
    const { channel } = placeOf(index, side, channels.length);
    const cell = element("span", { title: labels[index], textContent: channels[channel][0].toUpperCase() });
    const [red, green, blue] = new Uint8Array(this.table.buffer, 4 * this.tones[index], 3);
    cell.style.setProperty("--fill", `rgb(${red} ${green} ${blue})`);
    cell.style.setProperty("--on", 0.3 * red + 0.6 * green + 0.1 * blue > 128 ? "#14121b" : "#fff");
    return cell;
  }

  drawWords() {
    const { data: { channels, labels, side }, hovered, index, ref } = this;
    const { row, column, channel } = placeOf(index, side, channels.length);
    // while the pointer moves, the text changes too often for screen readers
    ref.status.setAttribute("aria-live", hovered === null ? "polite" : "off");
    setText(ref.status, `Component ${index + 1}: ${channels[channel]}, row ${row + 1}, column ${column + 1}: ${labels[index]}`);
    setText(ref.hint, isCoarse() ? "Tap the vector or a pixel."
      : "Point at the vector or a pixel; click, or use arrow keys and Enter, to choose it.");
  }

  // ------------------------------------------------------------------ user input

  listen() {
    const { ref } = this;
    const places = [
      [ref.strip, (event) => this.centre = cellAt(event, ref.strip, [1, this.count])[1]],
      [ref.patch, (event) => this.centre = this.pixelAt(event)],
      [ref.near, (event) => this.nearAt(event)],
    ];
    for (const [node, indexOf] of places) {
      onHover(this.listening, node, (event) => this.hover(event && indexOf(event)));
      this.on(node, "pointerdown", (event) => this.hover(indexOf(event)));
      this.on(node, "click", (event) => {
        this.focused = null;
        this.choose(indexOf(event));
      });
    }
    onKeys(this.listening, ref.strip, (event, step) => this.key(event, step));
    this.on(ref.strip, "blur", () => {
      this.focused = null;
      this.schedule();
    });
    this.on(ref.play, "click", () => this.play());
  }

  // component of a pixel, in the channel of the chosen component
  pixelAt(event) {
    const { channels, side } = this.data;
    const { channel } = placeOf(this.chosen, side, channels.length);
    return indexAt(...cellAt(event, this.ref.patch, [side, side]), channel, side, channels.length);
  }

  nearAt(event) {
    const [from, to] = seenFrom(this.centre, NEAR, this.count);
    return from + cellAt(event, this.ref.near, [1, to - from])[1];
  }

  hover(index) {
    if (index === this.hovered) return;
    this.hovered = index;
    this.schedule();
  }

  choose(index) {
    this.schedule();
    if (index === this.chosen) return;
    this.chosen = index;
    this.mount.send("chosen", { index, count: this.count }, { instead: true });
  }

  key(event, step) {
    const { count, data: { channels, side }, index } = this;
    const to = step ? index + step[1] + step[0] * side * channels.length : { Home: 0, End: count - 1 }[event.key];
    if (to !== undefined) this.move(clamp(to, count));
    else if (isPress(event)) this.choose(index);
    else return false;
    return true;
  }

  move(index) {
    this.focused = this.centre = index;
    this.hovered = null;
    this.schedule();
  }

  play() {
    this.frames.slide(Math.min(LONGEST, PER_NUMBER * this.count), (done) => {
      this.shown = shownAt(done, this.count);
      this.draw();
    });
  }

  stop() {
    this.frames.slide(0, () => { this.shown = null; });
  }
}
