// Computation for the two pictures: similarities, attention, partners and pairs. Patches count from 0.

import { AttentionData } from "../../../viz/explorer/attention.js";

const ROUNDING = 1e-5; // as vitviz.analysis.comparison.matching

export const other = (side) => (side === "a" ? "b" : "a");

export class Pairs {
  constructor() {
    this.attention = {}; // by side: { data, of }
  }

  // `part` has the sections of vitviz/ui/components/match/payload.py
  take(name, part) {
    if (name === "frame") {
      this.grids = part.header.grids;
    } else if (name === "partners") {
      this.partners = { a: part.floats("to_b"), b: part.floats("to_a") };
      this.pairs = part.floats("pairs"); // [pair][patch of A, patch of B, similarity], the most similar first
    } else if (name === "similarity") {
      this.embedDim = part.header.embed_dim;
      this.units = { a: part.numbers("units_a"), b: part.numbers("units_b") };
    } else {
      const data = new AttentionData({ header: part.header, raw: () => new Uint8Array() });
      const of = { layer: 0, q: part.numbers("q"), k: part.numbers("k"), bias: part.floats("bias") };
      this.attention[name.slice(-1)] = { data, of };
    }
  }

  count(side) {
    const [rows, columns] = this.grids[side];
    return rows * columns;
  }

  place(side, patch) {
    const columns = this.grids[side][1];
    return [Math.floor(patch / columns), patch % columns];
  }

  // partner of a patch in the other picture, or null
  partner(side, patch) {
    const found = this.partners[side][patch];
    return found >= 0 ? found : null;
  }

  // cosine similarities of a patch with all patches of a picture, its own or the other
  similarities(side, patch, to) {
    const { embedDim, units } = this;
    const one = units[side].subarray(patch * embedDim, (patch + 1) * embedDim);
    const all = units[to];
    const found = new Float32Array(this.count(to));
    for (let i = 0, start = 0; i < found.length; i++, start += embedDim) {
      let sum = 0;
      for (let c = 0; c < embedDim; c++) sum += one[c] * all[start + c];
      found[i] = Math.min(1, Math.max(-1, sum));
    }
    return found;
  }

  // attention of one head with a patch as query: weights of all tokens, prefix tokens first
  weights(side, patch, head) {
    const { data, of } = this.attention[side];
    const out = new Float32Array(data.tokens);
    data.attendHead(of, head, data.prefix + patch, "from", out);
    return out;
  }

  prefix(side) {
    return this.attention[side].data.prefix;
  }

  isSigned(side) {
    return this.attention[side].data.signed;
  }

  // mutual nearest neighbours from a similarity on: [patch of A, patch of B, similarity]
  pairsFrom(threshold) {
    const found = [];
    for (let i = 0; i < this.pairs.length && this.pairs[i + 2] >= threshold - ROUNDING; i += 3) {
      found.push([this.pairs[i], this.pairs[i + 1], this.pairs[i + 2]]);
    }
    return found;
  }
}

// index of the largest value, by absolute value, from an index on
export function largestAt(values, start = 0) {
  let best = start;
  for (let i = start; i < values.length; i++) if (Math.abs(values[i]) > Math.abs(values[best])) best = i;
  return best;
}

// colour table indices: similarities from -1 to 1; weights relative to the largest, signed or not
export const similarityTones = (values) => Uint8Array.from(values, (value) => Math.round((value + 1) / 2 * 255));

export function weightTones(weights, signed) {
  const largest = Math.abs(weights[largestAt(weights)]) || 1;
  return Uint8Array.from(weights, (weight) => Math.round(255 * (signed ? (weight / largest + 1) / 2 : weight / largest)));
}
