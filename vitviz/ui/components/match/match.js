// Two pictures under one pointer. Hovering stays in the browser; chosen patches and what is shown are sent to Python.

import { packedColours } from "../../../viz/browser/binary.js";
import { paint, pixelsOf } from "../../../viz/browser/canvas.js";
import { Component } from "../../../viz/browser/component.js";
import { element, setText } from "../../../viz/browser/elements.js";
import { isPress, onKeys } from "../../../viz/browser/keys.js";
import { mounted } from "../_shared/mounted.js";
import { cellAt, clamp, isCoarse, onHover } from "../../../viz/browser/pointer.js";
import { Part } from "../../../viz/explorer/attention.js";
import { percent } from "../../../viz/explorer/labels.js";
import { Pairs, largestAt, other, similarityTones, weightTones } from "./pairs.js";

const SIDES = ["a", "b"];
const SHOWS = { similarity: "Similarity", attention: "Attention", colours: "Components as colours" };
const SVG = "http://www.w3.org/2000/svg";

export default function (component) {
  return mounted(Match, "[data-testid=match]", component);
}

class Match extends Component {
  constructor(root, mount) {
    super(root, mount);
    this.pairs = new Pairs();
    this.keys = {}; // part -> key of what was taken
    this.hovered = null; // { side, patch }
    this.focused = null; // as above, of the keyboard
    this.listen();
  }

  close() {
    super.close();
    for (const side of SIDES) URL.revokeObjectURL(this.of("photo", side).src);
  }

  of(kind, side) {
    return this.ref[kind + side.toUpperCase()];
  }

  // ------------------------------------------------------------------ data from Python

  receive(data, parts) {
    data.names.forEach((name, i) => {
      if (!parts[i] || this.keys[name] === data.parts[i]) return;
      this.keys[name] = data.parts[i];
      this.take(name, new Part(parts[i]));
    });
    this.complete = data.names.every((name, i) => this.keys[name] === data.parts[i]);
    this.data = data;
    const pending = this.mount.pending("chosen").at(-1);
    this.chosen = pending && `${pending.grid}` === `${this.pairs.grids.a}` ? [pending.row, pending.column] : data.chosen;
    this.shown = this.mount.pending("shown").at(-1) ?? this.moving ?? data.shown;
    this.drawControls();
    this.schedule();
  }

  take(name, part) {
    const before = `${JSON.stringify(this.pairs.grids)}`;
    this.pairs.take(name, part);
    if (name !== "frame") return;
    this.tables = Object.fromEntries(Object.entries(part.header.tables).map(([kind, text]) => [kind, packedColours(text)]));
    this.opacity = part.header.opacity;
    this.rgb = {};
    for (const side of SIDES) {
      const [photo, stage, [rows, columns]] = [this.of("photo", side), this.of("stage", side), this.pairs.grids[side]];
      URL.revokeObjectURL(photo.src);
      photo.src = URL.createObjectURL(new Blob([part.raw(`picture_${side}`)], { type: "image/jpeg" }));
      stage.style.setProperty("--rows", rows);
      stage.style.setProperty("--columns", columns);
      this.rgb[side] = part.raw(`colours_${side}`);
    }
    if (before !== JSON.stringify(this.pairs.grids)) this.hovered = this.focused = null;
  }

  // what is shown: as chosen, or the first that is offered for these pictures
  get show() {
    return this.data.shows.includes(this.shown.show) ? this.shown.show : this.data.shows[0];
  }

  // ------------------------------------------------------------------ drawing

  // patch whose maps are shown: under the pointer, else of the keyboard, else the chosen patch of A
  get pointed() {
    const [row, column] = this.chosen;
    return this.hovered ?? this.focused ?? { side: "a", patch: row * this.pairs.grids.a[1] + column };
  }

  draw() {
    const { complete, data, pairs, pointed: { side, patch }, ref, root, show } = this;
    if (!complete) return; // the last part of a new layer is on its way
    const partner = pairs.partner(side, patch);
    const patches = { [side]: patch, [other(side)]: partner };
    const about = {};
    for (const one of SIDES) {
      this.frame(one, patches[one], one === side);
      this.of("stage", one).setAttribute("aria-label", `${data[one].name}, ${pairs.grids[one].join(" rows of ")} patches`);
      setText(this.of("title", one), data[one].title);
      about[one] = this[show](one, side, patch, patches[one]);
      setText(this.of("value", one), about[one].words ?? "");
      this.of("value", one).hidden = show !== "attention";
    }
    this.drawLines();
    this.drawLegend();
    ref.status.setAttribute("aria-live", this.hovered ? "off" : "polite");
    setText(ref.status, this.sentence(side, patch, partner, about));
    setText(ref.hint, isCoarse() ? "Tap a patch of either picture."
      : "Point at a patch of either picture; click to choose it, or use arrow keys and Enter.");
    Object.assign(root.dataset, {
      show, side, patch, partner: partner ?? "", value: about[other(side)].value ?? "",
      topA: about.a.top ?? "", topB: about.b.top ?? "",
    });
  }

  frame(side, patch, isQuery) {
    const box = this.of("box", side);
    box.hidden = patch === null;
    box.classList.toggle("partner", !isQuery);
    if (patch === null) return;
    const [row, column] = this.pairs.place(side, patch);
    box.style.transform = `translate(${column * 100}%, ${row * 100}%)`;
  }

  // ---- maps of one picture; they return { value, top, words }

  similarity(one, side, patch) {
    const values = this.pairs.similarities(side, patch, one);
    this.heat(one, similarityTones(values), this.tables.similarity);
    const partner = this.pairs.partner(side, patch);
    return { value: one === side ? 1 : values[partner], top: one === side ? patch : partner };
  }

  attention(one, side, patch, own) {
    const { data, pairs } = this;
    if (own === null) {
      this.clear(one);
      return { words: "This place is outside of the input." };
    }
    const weights = pairs.weights(one, own, data[one].head);
    const prefix = pairs.prefix(one);
    const patches = weights.subarray(prefix);
    this.heat(one, weightTones(patches, pairs.isSigned(one)), this.tables[`attention_${one}`]);
    const top = largestAt(patches);
    const others = data[one].prefix_names.map((name, token) => `${name} ${percent(weights[token])}`);
    const words = [`${sentenceCase(data[one].head_name)}: most to ${this.named(one, top)}, ${percent(patches[top])}`, ...others];
    return { value: patches[top], top, words: words.join(" · ") };
  }

  colours(one) {
    const [rows, columns] = this.pairs.grids[one];
    const image = pixelsOf(this.of("heat", one), columns, rows);
    const rgb = this.rgb[one];
    const bytes = new Uint8Array(image.packed.buffer);
    for (let i = 0; i < rows * columns; i++) bytes.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
    image.put();
    return {};
  }

  heat(side, tones, table) {
    const [rows, columns] = this.pairs.grids[side];
    paint(this.of("heat", side), tones, table, columns, rows);
  }

  clear(side) {
    const [rows, columns] = this.pairs.grids[side];
    const image = pixelsOf(this.of("heat", side), columns, rows);
    image.packed.fill(0);
    image.put();
  }

  // ---- lines between mutual nearest neighbours

  drawLines() {
    const { pairs, ref, root, shown: { lines, threshold } } = this;
    const found = lines && this.data.pairing === "match" ? pairs.pairsFrom(threshold) : [];
    root.dataset.pairs = found.length;
    const box = ref.pictures.getBoundingClientRect();
    const state = JSON.stringify([found.length, this.keys.partners, box.width, box.height]);
    if (state === this.lined) return;
    this.lined = state;
    ref.over.replaceChildren(...found.reverse().flatMap(([a, b]) => { // the most similar on top
      const [from, to] = [this.centre("a", a, box), this.centre("b", b, box)];
      const line = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
      return [svg("line", { ...line, class: "under" }), svg("line", line),
        ...[from, to].map(([cx, cy]) => svg("circle", { cx, cy, r: 3.5 }))];
    }));
  }

  centre(side, patch, box) {
    const stage = this.of("stage", side).getBoundingClientRect();
    const [[row, column], [rows, columns]] = [this.pairs.place(side, patch), this.pairs.grids[side]];
    return [stage.left - box.left + (column + 0.5) / columns * stage.width, stage.top - box.top + (row + 0.5) / rows * stage.height];
  }

  // ---- texts

  drawLegend() {
    const { data: { a, b }, opacity, ref, show, tables } = this;
    for (const side of SIDES) this.of("heat", side).style.opacity = show === "colours" ? opacity : 1;
    ref.legend.hidden = show === "colours";
    if (show === "colours") return;
    const table = show === "similarity" ? tables.similarity : tables.attention_a;
    paint(ref.bar, Uint8Array.from({ length: 256 }, (_, i) => i), table, 256, 1); // on grey: see match.css
    const signed = show === "similarity" ? "−1" : this.pairs.isSigned("a") ? "−max" : "0";
    setText(ref.low, signed);
    setText(ref.high, show === "similarity" ? "1" : "max");
    const heads = a.head_name === b.head_name ? a.head_name : `${a.head_name} and ${b.head_name}`;
    setText(ref.caption, show === "similarity" ? `cosine similarity after layer ${a.layer + 1}${this.data.note}` : `attention of ${heads}, relative to max`);
  }

  named(side, patch) {
    const [row, column] = this.pairs.place(side, patch);
    return `patch (${row + 1}, ${column + 1})`;
  }

  sentence(side, patch, partner, about) {
    const [here, there] = [side, other(side)].map((one) => one.toUpperCase());
    const subject = sentenceCase(`${this.named(side, patch)} of ${here}`);
    if (partner === null) return `${subject}: this place is outside of ${there}.`;
    const target = `${this.named(other(side), partner)} of ${there}`;
    if (this.data.pairing === "place") return `${subject}: same place as ${target}`;
    const value = this.show === "similarity" ? about[other(side)].value : this.pairs.similarities(side, patch, other(side))[partner];
    return `${subject}: most similar to ${target}, cosine similarity ${decimals(value)}`;
  }

  // ------------------------------------------------------------------ user input

  drawControls() {
    const { data: { pairing, shows }, ref, show, shown } = this;
    ref.controls.hidden = shows.length < 2 && pairing !== "match";
    ref.shows.hidden = shows.length < 2;
    if (`${shows}` !== this.drawnShows) {
      this.drawnShows = `${shows}`;
      ref.shows.replaceChildren(...shows.map((name) => element("label", {}, {}, [
        element("input", { type: "radio", name: "show", value: name }, { "data-testid": `match-show-${name}` }), ` ${SHOWS[name]}`])));
    }
    for (const input of ref.shows.querySelectorAll("input")) input.checked = input.value === show;
    ref.linesLabel.hidden = pairing !== "match";
    ref.thresholdLabel.hidden = ref.count.hidden = pairing !== "match" || !shown.lines;
    ref.lines.checked = shown.lines;
    if (!this.moving) ref.threshold.value = shown.threshold;
    setText(ref.thresholdValue, decimals(shown.threshold, 2));
    const count = shown.lines && pairing === "match" && this.pairs.pairs ? this.pairs.pairsFrom(shown.threshold).length : 0;
    setText(ref.count, count === 1 ? "1 pair" : `${count} pairs`);
  }

  change(values, isLast = true) {
    this.shown = { ...this.shown, ...values };
    this.moving = isLast ? null : this.shown;
    if (isLast) this.mount.send("shown", this.shown, { instead: true });
    this.drawControls();
    this.schedule();
  }

  listen() {
    const { ref } = this;
    this.on(ref.shows, "change", (event) => this.change({ show: event.target.value }));
    this.on(ref.lines, "change", () => this.change({ lines: ref.lines.checked }));
    this.on(ref.threshold, "input", () => this.change({ threshold: ref.threshold.valueAsNumber }, false));
    this.on(ref.threshold, "change", () => this.change({ threshold: ref.threshold.valueAsNumber }));
    for (const side of SIDES) this.listenTo(side, this.of("stage", side));
    this.on(document, "vitviz-patch", ({ detail }) => this.follow(detail));
    this.listening.onResize(ref.pictures, () => this.data && this.schedule());
  }

  listenTo(side, stage) {
    const at = (event) => {
      const [row, column] = cellAt(event, stage, this.pairs.grids[side]);
      return { side, patch: row * this.pairs.grids[side][1] + column };
    };
    onHover(this.listening, stage, (event) => this.hover(event && at(event)));
    this.on(stage, "pointerdown", (event) => this.hover(at(event)));
    this.on(stage, "click", (event) => {
      this.focused = null;
      this.choose(at(event));
    });
    onKeys(this.listening, stage, (event, step) => {
      if (step) this.move(side, step);
      else if (isPress(event)) this.choose(this.pointed);
      else return false;
      return true;
    });
    this.on(stage, "blur", () => {
      this.focused = null;
      this.schedule();
    });
  }

  hover(pointed) {
    if (pointed?.side === this.hovered?.side && pointed?.patch === this.hovered?.patch) return;
    this.hovered = pointed;
    this.schedule();
  }

  // show the patch under the pointer in the explorer, null if there is none
  follow({ patch, grid }) {
    if (!this.data?.follows || `${grid}` !== `${this.pairs.grids?.a}`) return;
    this.focused = null;
    this.hover(patch === null ? null : { side: "a", patch });
  }

  // the first arrow key starts from the patch that is framed in this picture
  move(side, step) {
    const { pairs, pointed } = this;
    const from = pointed.side === side ? pointed.patch : pairs.partner(pointed.side, pointed.patch) ?? 0;
    const [row, column] = pairs.place(side, from).map((place, axis) => clamp(place + step[axis], pairs.grids[side][axis]));
    this.focused = { side, patch: row * pairs.grids[side][1] + column };
    this.hovered = null;
    this.schedule();
  }

  // Python stores a patch of A; a patch of B stands for its partner
  choose({ side, patch }) {
    const { pairs } = this;
    const chosen = side === "a" ? patch : pairs.partner("b", patch);
    this.schedule();
    if (chosen === null) return;
    const [row, column] = pairs.place("a", chosen);
    if (`${[row, column]}` === `${this.chosen}`) return;
    this.chosen = [row, column];
    this.mount.send("chosen", { role: "query", row, column, grid: pairs.grids.a }, { instead: true });
  }
}

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

const sentenceCase = (text) => text[0].toUpperCase() + text.slice(1);

// same format as vitviz.ui.widgets.strips.number
const decimals = (value, digits = 3) => value.toFixed(digits).replace(/^-(?=0\.0+$)/, "").replace("-", "−");
