// Heads ranked by the attention of a region: rank and value on the small maps, and the best ones by name.

import { onScreen } from "../browser/canvas.js";
import { element } from "../browser/elements.js";
import { whenIdle } from "../browser/frames.js";
import { headWords } from "./labels.js";
import { gapOf } from "./paint.js";
import { patchesOf } from "./patches.js";
import { Regions } from "./regions.js";

const BEST = 5; // heads that are named
const [PLAIN, STRONG] = ["#14121bd9", "#00706c"]; // grounds of the white numbers; the second is of the best heads

// relative to uniform attention
function times(value, digits) {
  return `${value.toFixed(Math.abs(value) < 10 ? digits : digits - 1).replace("-", "−")}`;
}

export class Ranking {
  // `choose` gets a relation that the user chooses
  constructor({ root, ref, listening }, redraw, choose) {
    Object.assign(this, { root, ref, redraw, drawn: null, order: null, isComplete: true });
    this.size = [0, 0]; // cached, as the font, because reading them while drawing would force a layout of the page
    ref.best.replaceChildren(...Array.from({ length: BEST }, () => element("li", {}, {}, [element("button", { type: "button" })])));
    listening.on(ref.relation, "change", () => choose(ref.relation.value));
    listening.onResize(ref.ranked, ({ width, height }) => {
      this.size = [width, height];
      const { fontSize, fontFamily } = getComputedStyle(ref.ranked);
      this.font = [parseFloat(fontSize), fontFamily];
      this.drawn = null;
      redraw();
    });
  }

  // a relation of RELATIONS
  use(relation) {
    this.relation = this.ref.relation.value = relation;
  }

  close() {
    this.cancel?.();
  }

  take(data) {
    this.data = data;
    this.regions = new Regions(data);
  }

  // Rank the heads by the pinned region, or with `ofPatch` also by a pinned patch.
  update(view, ofPatch) {
    const { data, regions } = this;
    const patches = patchesOf(view.query, data.prefix);
    this.isComplete = true;
    this.order = null; // ranked heads as [layer, head], the best first
    if (!patches.length || !(ofPatch || patches.length > 1)) return;
    regions.choose(patches);
    this.isComplete = regions.follow(view.layer);
    if (!this.isComplete) this.redraw(); // the other layers
    this.root.dataset.prepared = regions.isPrepared;
    if (!regions.isPrepared) this.prepare();
    this.order = regions.rank(this.relation, view.direction);
  }

  // compute attention matrices while the browser is idle, so that regions can be drawn without waiting
  prepare() {
    this.cancel?.();
    const { regions } = this;
    this.cancel = whenIdle((isOver) => {
      if (regions !== this.regions) return;
      if (regions.prepare(isOver)) this.redraw();
      else this.prepare();
    });
  }

  // `isMoving`: true while the region changes
  draw(isMoving) {
    const { data, isComplete, order, ref, regions, relation } = this;
    ref.ranking.hidden = ref.ranked.hidden = order === null;
    const state = order && `${data.key} ${regions.version} ${relation} ${order.join(" ")} ${isComplete} ${isMoving}`;
    if (state === this.drawn) return;
    this.drawn = state;
    this.root.dataset.best = order?.slice(0, BEST).join(" ") ?? ""; // layer and head of each, from 0
    if (order) this.drawMaps(order);
    this.drawBest(order ?? []);
    if (!isMoving) this.describe(order ?? []);
  }

  drawMaps(order) {
    const { data: { grid: [rows, columns], levels, mean }, ref: { ranked }, regions, size: [width, height] } = this;
    if (!width) return;
    const { sharp, across, down } = onScreen(width, height);
    if (ranked.width !== across || ranked.height !== down) Object.assign(ranked, { width: across, height: down });
    const context = ranked.getContext("2d");
    context.clearRect(0, 0, across, down);
    const size = this.font[0] * sharp;
    context.font = `${size}px ${this.font[1]}`;
    const gap = gapOf(rows, columns);
    const [wide, tall] = [across / (mean + 1) / (columns + gap), down / levels / (rows + gap)]; // of a patch
    const [padding, strip] = [0.25 * size, 1.25 * size];
    const room = columns * wide - 2 * padding;
    const hasBoth = context.measureText(`${order.length} 88.8`).width < room;
    order.forEach(([layer, head], rank) => {
      if (rank >= BEST && !hasBoth) return;
      const x = (head * (columns + gap) + (gap >> 1)) * wide;
      const end = (layer * (rows + gap) + (gap >> 1) + rows) * tall;
      context.fillStyle = rank < BEST ? STRONG : PLAIN;
      context.fillRect(x, end - strip, columns * wide, strip);
      context.fillStyle = "#fff";
      context.textAlign = "left";
      context.fillText(`${rank + 1}`, x + padding, end - 0.3 * size);
      context.textAlign = "right";
      if (hasBoth) context.fillText(times(regions.value(layer, head), 1), x + columns * wide - padding, end - 0.3 * size);
    });
  }

  drawBest(order) {
    const { data, ref, regions } = this;
    ref.state.textContent = this.state(order);
    [...ref.best.children].forEach((item, rank) => {
      item.hidden = rank >= order.length;
      if (item.hidden) return;
      const [layer, head] = order[rank];
      const [button] = item.children;
      const value = times(regions.value(layer, head), 2);
      button.textContent = `L${layer + 1} H${head + 1} ${value}×`;
      button.dataset.head = `${layer} ${head}`;
      button.title = `Show ${headWords(data, layer, head).toLowerCase()}: ${value} × uniform attention`;
      button.setAttribute("aria-label", `${headWords(data, layer, head)}: ${value} × uniform`);
    });
  }

  // what is missing
  state({ length }) {
    if (!this.isComplete) return "computing …";
    if (!length) return this.regions.tokens?.length > 1 ? "no patches outside" : "";
    return length < this.data.layers * this.data.heads ? "only layers that follow the pointer" : "";
  }

  // rank and value of each head for its map
  describe(order) {
    const { data, regions } = this;
    const ranks = new Map(order.map(([layer, head], rank) => [`${layer} ${head}`, rank + 1]));
    for (const button of this.ref.buttons.children) {
      const [layer, column] = [Number(button.dataset.layer), Number(button.dataset.head)];
      const name = headWords(data, layer, column === data.mean ? null : column);
      const rank = ranks.get(`${layer} ${column}`);
      button.title = rank ? `${name}: rank ${rank} of ${order.length}, ${times(regions.value(layer, column), 2)} × uniform` : name;
    }
  }
}
