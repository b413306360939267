// Attention of a region, a set of patches: mean rows and columns of the attention matrices, and the heads that attend within
// the region, into it and out of it the most, as vitviz.analysis.regions. While a region is drawn, only the patches that
// were added or removed are computed.

import { range } from "./attention.js";

export const RELATIONS = ["within", "into", "out"];
const LARGEST = 64_000_000; // maximum bytes of attention matrices; without them, rows and columns are computed when needed
const BUDGET = 8; // milliseconds per drawing, after which the remaining layers wait for the next one

export class Regions {
  // `largest`: see LARGEST
  constructor(data, largest = LARGEST) {
    Object.assign(this, { data, largest, free: largest });
    this.sums = new Map(); // layer -> LayerSums
    this.tokens = null; // patches of the region
    this.version = 0; // changes with them
    this.inside = new Uint8Array(data.tokens);
    this.values = new Float64Array(data.layers * data.heads); // [layer][head]; NaN where unknown
  }

  choose(tokens) {
    if (`${tokens}` === `${this.tokens}`) return;
    this.tokens = tokens;
    this.version += 1;
    this.inside.fill(0);
    for (const token of tokens) this.inside[token] = 1;
  }

  // sums of a live layer; its vectors may have been replaced
  of(layer) {
    const { data } = this;
    const vectors = data.layer.get(layer);
    const known = this.sums.get(layer);
    if (known?.vectors === vectors) return known;
    this.drop((at) => at === layer || !data.layer.has(at));
    const sums = new LayerSums(data, vectors, this.free);
    this.free -= sums.bytes;
    this.sums.set(layer, sums);
    return sums;
  }

  drop(isOld) {
    for (const [layer, sums] of this.sums) {
      if (!isOld(layer)) continue;
      this.free += sums.bytes;
      this.sums.delete(layer);
    }
  }

  // Compute matrices until `isOver` returns true. Returns true once there is nothing left to compute.
  prepare(isOver) {
    for (const layer of this.data.layer.keys()) {
      const sums = this.of(layer);
      while (sums.matrix && !sums.isReady) {
        if (isOver()) return false;
        sums.computeRow();
      }
    }
    return true;
  }

  get isPrepared() {
    return [...this.data.layer.keys()].every((layer) => !this.of(layer).matrix || this.of(layer).isReady);
  }

  // Bring the sums of live layers up to date. `first`: layer that is never postponed. Returns false if others were.
  follow(first) {
    const { data } = this;
    const until = performance.now() + BUDGET;
    const layers = range(data.layers).filter((layer) => data.isLive(layer));
    let complete = true;
    for (const layer of layers.sort((a, b) => (b === first) - (a === first))) {
      const sums = this.of(layer);
      sums.isCurrent = layer === first || performance.now() < until || sums.has(this.inside);
      if (sums.isCurrent) sums.follow(this.inside, this.tokens);
      else complete = false;
    }
    return complete;
  }

  // Fill the weights of all heads with the mean row ("from") or column ("to") of the region, as AttentionData.attend.
  attend(direction) {
    const { data, tokens } = this;
    const rowsFit = data.rowsFit(tokens, direction);
    for (let layer = 0; layer < data.layers; layer++) {
      const isLive = data.isLive(layer);
      data.known[layer] = isLive ? this.of(layer).isCurrent : rowsFit;
      if (!data.known[layer]) continue;
      for (let head = 0; head < data.heads; head++) {
        const weights = data.weights[layer][head];
        if (isLive) this.of(layer).mean(head, direction, weights);
        else data.copyRow(layer, head, weights);
      }
      data.fillMean(layer);
    }
  }

  // Fill `values` with the mean weight of a relation relative to uniform attention, see vitviz.analysis.regions; returns
  // the known heads as [layer, head], largest value first. `shown`: direction of the view, in which Python has sent rows.
  rank(relation, shown) {
    const { data, values, inside } = this;
    const direction = { within: shown, into: "to", out: "from" }[relation]; // rows and columns are the same within
    const among = relation === "within" ? 1 : 0; // the other end of the relation is in the region, or outside
    const ends = range(data.tokens - data.prefix).map((patch) => data.prefix + patch).filter((token) => inside[token] === among);
    const row = new Float32Array(data.tokens);
    const rowsFit = data.rowsFit(this.tokens, direction);
    values.fill(NaN);
    for (let layer = 0; layer < data.layers; layer++) {
      const isLive = data.isLive(layer);
      if (!ends.length || !(isLive ? this.of(layer).isCurrent : rowsFit)) continue;
      const uniform = (data.row_sums ? data.row_sums[layer] : 1) / data.tokens;
      for (let head = 0; head < data.heads; head++) {
        if (isLive) this.of(layer).mean(head, direction, row);
        else data.copyRow(layer, head, row);
        let sum = 0;
        for (const token of ends) sum += row[token];
        values[layer * data.heads + head] = sum / ends.length / uniform;
      }
    }
    return range(values.length).filter((at) => !Number.isNaN(values[at])).sort((a, b) => values[b] - values[a] || a - b)
      .map((at) => [Math.floor(at / data.heads), at % data.heads]);
  }

  value(layer, head) {
    return this.values[layer * this.data.heads + head];
  }
}

class LayerSums {
  // `free`: bytes that the matrix may take
  constructor(data, vectors, free) {
    const { heads, tokens } = data;
    Object.assign(this, { data, vectors, isCurrent: false, count: 0, computed: 0 });
    this.rows = new Float64Array(heads * tokens); // [head][key], summed over the queries in the region
    this.columns = new Float64Array(heads * tokens); // [head][query], summed over the keys in the region
    this.inside = new Uint8Array(tokens); // patches that the sums include
    const bytes = 4 * heads * tokens * tokens;
    this.bytes = bytes <= free ? bytes : 0;
    this.matrix = this.bytes ? new Float32Array(bytes / 4) : null; // [head][query][key]
    this.one = new Float32Array(tokens);
    this.all = null; // sums of all patches, once the matrix is complete
  }

  get isReady() {
    return this.computed === this.data.tokens;
  }

  // next row of the matrices of all heads
  computeRow() {
    const { data: { heads, tokens }, matrix, computed } = this;
    for (let head = 0; head < heads; head++) {
      const start = (head * tokens + computed) * tokens;
      this.data.attendHead(this.vectors, head, computed, "from", matrix.subarray(start, start + tokens));
    }
    this.computed += 1;
    if (!this.isReady) return;
    const { prefix } = this.data;
    this.clear(); // so that all sums come from the matrices, and rounding errors cancel
    this.add(range(tokens - prefix).map((patch) => prefix + patch), 1);
    this.all = [this.rows, this.columns, this.inside].map((sums) => sums.slice());
    this.clear();
    this.isCurrent = false;
  }

  clear() {
    this.count = 0;
    for (const all of [this.rows, this.columns, this.inside]) all.fill(0);
  }

  has(inside) {
    return inside.every((is, token) => is === this.inside[token]);
  }

  // `inside` and `tokens` are the same set
  follow(inside, tokens) {
    const changed = () => range(inside.length).filter((token) => inside[token] !== this.inside[token]);
    const patches = inside.length - this.data.prefix;
    const least = Math.min(changed().length, tokens.length, this.all ? patches - tokens.length : Infinity);
    if (least === tokens.length) this.clear();
    else if (this.all && least === patches - tokens.length) this.fill();
    const rest = changed();
    this.add(rest.filter((token) => inside[token]), 1);
    this.add(rest.filter((token) => !inside[token]), -1);
  }

  // the sums of all patches
  fill() {
    [this.rows, this.columns, this.inside].forEach((sums, i) => sums.set(this.all[i]));
    this.count = this.data.tokens - this.data.prefix;
  }

  add(tokens, sign) {
    if (!tokens.length) return;
    for (let head = 0; head < this.data.heads; head++) {
      if (this.isReady) this.addKnown(head, tokens, sign);
      else this.addComputed(head, tokens, sign);
    }
    for (const token of tokens) this.inside[token] = sign > 0 ? 1 : 0;
    this.count += sign * tokens.length;
  }

  addKnown(head, chosen, sign) {
    const { data: { tokens }, matrix, rows, columns } = this;
    const [start, to] = [head * tokens * tokens, head * tokens];
    for (const token of chosen) {
      const from = start + token * tokens;
      for (let i = 0; i < tokens; i++) rows[to + i] += sign * matrix[from + i];
    }
    for (let query = 0; query < tokens; query++) {
      const from = start + query * tokens;
      let sum = 0;
      for (let i = 0; i < chosen.length; i++) sum += matrix[from + chosen[i]];
      columns[to + query] += sign * sum;
    }
  }

  addComputed(head, chosen, sign) {
    const { data, vectors, one } = this;
    const to = head * data.tokens;
    for (const token of chosen) {
      for (const [direction, sums] of [["from", this.rows], ["to", this.columns]]) {
        data.attendHead(vectors, head, token, direction, one);
        for (let i = 0; i < data.tokens; i++) sums[to + i] += sign * one[i];
      }
    }
  }

  // mean row or column of a head
  mean(head, direction, out) {
    const { data: { tokens }, count } = this;
    const sums = direction === "from" ? this.rows : this.columns;
    const start = head * tokens;
    for (let i = 0; i < tokens; i++) out[i] = sums[start + i] / count;
  }
}
