// Computation of attention weights from queries and keys, for everything that follows the pointer.

import { halves, readHeader } from "../browser/binary.js";
import { unpackedTokens } from "./tokens.js";

// Part of the payload: header and sections.
export class Part {
  constructor(bytes) {
    this.header = readHeader(bytes);
    this.buffer = bytes.slice(this.header.start).buffer; // a copy begins at 0, so that the sections are aligned
  }

  numbers(name) {
    const [start, length] = this.header.sections[name];
    return halves(this.buffer, start, length / 2);
  }

  floats(name) {
    const [start, length] = this.header.sections[name];
    return new Float32Array(this.buffer, start, length / 4);
  }

  raw(name) {
    return new Uint8Array(this.buffer, ...this.header.sections[name]);
  }
}

export class AttentionData {
  constructor(frame) {
    const { header } = frame;
    Object.assign(this, header);
    this.parts = new Map(); // key -> a layer or rows, as they arrive
    this.layer = new Map(); // layer -> its { q, k, logsum, bias }; it follows the pointer
    this.rows = null; // { rows_of, rows }, of the pinned token only
    this.tokenParts = []; // see tokens.js
    this.picture = new Blob([frame.raw("picture")], { type: "image/jpeg" });
    this.prefix = header.prefix_names.length;
    this.tokens = this.prefix + header.grid[0] * header.grid[1];
    this.signed = header.row_sums !== null; // differential attention: the difference of two softmaxes
    this.softmaxes = this.signed ? 2 : 1; // each uses its own channels of a head
    this.second = new Float32Array(this.tokens);
    // an attention pooling is an additional level after the layers; the last column of each level is the mean
    this.levels = this.layers + (this.pool_heads ? 1 : 0);
    this.mean = Math.max(this.heads, this.pool_heads);
    this.known = new Array(this.levels).fill(false);
    this.weights = range(this.levels).map((level) => { // [level][head, or the column of the mean]
      const of = new Array(this.mean + 1);
      for (const column of this.columnsOf(level)) of[column] = new Float32Array(this.tokens);
      return of;
    });
    if (this.pool_heads) this.fillPool(frame.floats("pool"));
  }

  // Use the parts with these keys; parts that have not arrived are undefined.
  take(keys, arrived) {
    for (const key of this.parts.keys()) if (!keys.includes(key)) this.parts.delete(key);
    keys.forEach((key, i) => {
      if (arrived[i] && !this.parts.has(key)) this.parts.set(key, this.unpacked(new Part(arrived[i])));
    });
    const parts = [...this.parts.values()];
    this.layer = new Map(parts.filter((part) => part.q).map((part) => [part.layer, part]));
    this.rows = parts.find((part) => part.rows) ?? null;
    this.tokenParts = parts.filter((part) => part.units); // for linked views
  }

  unpacked(part) {
    const { layer, rows_of, tokens_of } = part.header;
    if (tokens_of !== undefined) return unpackedTokens(part);
    if (rows_of) return { rows_of, rows: part.numbers("rows") }; // [layer][head][token]
    return {
      layer,
      q: part.numbers("q"), // [head][token][channel]
      k: part.numbers("k"),
      logsum: part.floats("logsum"), // [head][softmax][token]
      bias: part.floats("bias"), // [head][entry], of relative positions; empty if there are none
    };
  }

  isPool(level) {
    return level === this.layers;
  }

  headsOf(level) {
    return this.isPool(level) ? this.pool_heads : this.heads;
  }

  // columns of a level's heads and, last, of their mean in the overview
  columnsOf(level) {
    return [...range(this.headsOf(level)), this.mean];
  }

  // number of tokens in a row
  reads(level) {
    return this.isPool(level) ? this.pool_reads : this.tokens;
  }

  isLive(level) {
    return this.layer.has(level) || this.isPool(level);
  }

  // the weights of the pooling are constant, because its query is
  fillPool(weights) {
    const of = this.weights[this.layers];
    for (let head = 0; head < this.pool_heads; head++) {
      of[head].set(weights.subarray(head * this.tokens, (head + 1) * this.tokens));
    }
    this.fillMean(this.layers);
    this.known[this.layers] = true;
  }

  fillMean(level) {
    const of = this.weights[level];
    const heads = this.headsOf(level);
    const mean = of[this.mean].fill(0);
    for (let head = 0; head < heads; head++) {
      const weights = of[head];
      for (let i = 0; i < this.tokens; i++) mean[i] += weights[i] / heads;
    }
  }

  // Fill `weights` for all heads of all layers, with a token as query ("from") or as key ("to"). Layers that are not live
  // use the pinned token; `known` is false until Python has sent the rows of that token.
  attend(token, direction, pinned) {
    const rowsFit = this.rowsFit(pinned, direction);
    for (let layer = 0; layer < this.layers; layer++) {
      this.known[layer] = this.isLive(layer) || rowsFit;
      if (this.known[layer]) this.attendLayer(layer, token, direction);
    }
  }

  // true if Python has sent the rows of this pinned token, or of these patches
  rowsFit(pinned, direction) {
    const rowsOf = this.rows?.rows_of;
    return `${rowsOf?.token}` === `${pinned}` && rowsOf.direction === direction;
  }

  attendLayer(layer, token, direction) {
    for (let head = 0; head < this.heads; head++) {
      const weights = this.weights[layer][head];
      if (!this.isLive(layer)) this.copyRow(layer, head, weights);
      else this.attendHead(this.layer.get(layer), head, token, direction, weights);
    }
    this.fillMean(layer);
  }

  // `of`: data of the layer
  attendHead(of, head, token, direction, out) {
    const look = direction === "from" ? this.row : this.column;
    look.call(this, of, head, token, 0, out);
    if (!this.signed) return;
    const { second, tokens } = this;
    const lambda = 1 - this.row_sums[of.layer];
    look.call(this, of, head, token, 1, second);
    for (let i = 0; i < tokens; i++) out[i] -= lambda * second[i];
  }

  // softmax over the keys of one query
  row({ q, k, bias }, head, query, half, out) {
    const { tokens } = this;
    this.products(q, k, head, query, half, out);
    if (bias.length) this.addBias(bias, head, query, "from", out);
    let largest = -Infinity;
    for (let i = 0; i < tokens; i++) if (out[i] > largest) largest = out[i];
    let total = 0;
    for (let i = 0; i < tokens; i++) total += out[i] = Math.exp(out[i] - largest);
    for (let i = 0; i < tokens; i++) out[i] /= total;
  }

  // weights of all queries for one key; the softmax sums of the queries are part of the payload
  column({ q, k, logsum, bias }, head, key, half, out) {
    const { tokens } = this;
    this.products(k, q, head, key, half, out);
    if (bias.length) this.addBias(bias, head, key, "to", out);
    const start = (head * this.softmaxes + half) * tokens;
    for (let i = 0; i < tokens; i++) out[i] = Math.exp(out[i] - logsum[start + i]);
  }

  // scaled dot products of one token's vector with those of all tokens, over the channels of one softmax
  products(one, all, head, token, half, out) {
    const { tokens, channels, scale } = this;
    const width = channels / this.softmaxes;
    const first = head * tokens * channels + half * width;
    const vector = one.slice(first + token * channels, first + token * channels + width);
    for (let c = 0; c < width; c++) vector[c] *= scale;
    for (let i = 0, start = first; i < tokens; i++, start += channels) {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += vector[c] * all[start + c];
      out[i] = sum;
    }
  }

  // Relative position bias: the table has an entry for each offset from key to query, row by row, then three for the class
  // token: as query, as key, and to itself (vitviz.model.position_embeddings.relative_index).
  addBias(bias, head, token, direction, out) {
    const { tokens, grid: [rows, columns] } = this;
    const wide = 2 * columns - 1;
    const distances = wide * (2 * rows - 1);
    const start = head * (distances + 3);
    const [asQuery, asKey, itself] = [0, 1, 2].map((i) => bias[start + distances + i]);
    if (token === 0) {
      const same = direction === "from" ? asQuery : asKey;
      for (let i = 1; i < tokens; i++) out[i] += same;
      out[0] += itself;
      return;
    }
    out[0] += direction === "from" ? asKey : asQuery;
    const [row, column] = this.place(token);
    const step = direction === "from" ? -1 : 1; // sign of the offset: the other tokens are keys or queries
    const nowhere = start + (rows - 1) * wide + columns - 1; // entry for the offset 0
    for (let r = 0, i = 1; r < rows; r++) {
      let entry = nowhere + step * ((r - row) * wide - column);
      for (let c = 0; c < columns; c++, entry += step) out[i++] += bias[entry];
    }
  }

  copyRow(layer, head, out) {
    const start = (layer * this.heads + head) * this.tokens;
    out.set(this.rows.rows.subarray(start, start + this.tokens));
  }

  // index of the largest weight, by absolute value for signed weights
  strongestPatch(weights) {
    return strongest(weights, this.prefix, this.tokens);
  }

  place(token) {
    const patch = token - this.prefix;
    return [Math.floor(patch / this.grid[1]), patch % this.grid[1]];
  }

  tokenAt([row, column]) {
    return this.prefix + row * this.grid[1] + column;
  }

  // token shown if none is pinned; see vitviz.notation.view.home
  home() {
    const [rows, columns] = this.grid;
    return this.class_token ? 0 : this.prefix + Math.floor(rows / 2) * columns + Math.floor(columns / 2);
  }
}

export function strongest(weights, start, end) {
  let best = start;
  for (let i = start + 1; i < end; i++) if (Math.abs(weights[i]) > Math.abs(weights[best])) best = i;
  return best;
}

export function range(count) {
  return Array.from({ length: count }, (_, i) => i);
}

export function entropyBits(weights) {
  let sum = 0;
  for (const w of weights) if (w > 0) sum -= w * Math.log2(w);
  return sum;
}

export function sumOf(weights, start, end) {
  let sum = 0;
  for (let i = start; i < end; i++) sum += weights[i];
  return sum;
}
