// Tokens of layers for linked views: cosine similarities, as vitviz.analysis.tokens.similarity, and colours of components.

import { packedColours } from "../browser/binary.js";

const LARGEST = 64_000_000; // maximum bytes of unit vectors that are kept

// contents of a part made by linked.py
export function unpackedTokens(part) {
  const { header } = part;
  return {
    tokensOf: header.tokens_of,
    source: header.source,
    explained: header.explained, // explained variance ratio of each component
    table: packedColours(header.similarity_colours),
    width: header.embed_dim,
    units: part.numbers("units"), // [token][channel], of length 1
    colours: part.raw("colours"), // [patch][red, green, blue]
  };
}

// Tokens of the layers of one trace that have been looked at.
export class LayerTokens {
  constructor(largest = LARGEST) {
    Object.assign(this, { largest, source: null, layers: new Map() });
  }

  // `source`: identity of the trace
  take(source, arrived) {
    if (source !== this.source) this.layers.clear();
    this.source = source;
    for (const one of arrived) {
      if (one.source !== source) continue;
      this.layers.delete(one.tokensOf);
      this.layers.set(one.tokensOf, one); // the newest is the last
    }
    let bytes = 0;
    for (const [layer, { units }] of [...this.layers].reverse()) {
      bytes += units.byteLength;
      if (bytes > this.largest && !arrived.some(({ tokensOf }) => tokensOf === layer)) this.layers.delete(layer);
    }
  }

  get(layer) {
    return this.layers.get(layer);
  }
}

// Cosine similarity of a token to all tokens; of several patches, that of the mean of their unit vectors.
export function similarities({ units, width }, query) {
  const one = Array.isArray(query) ? meanUnit(units, width, query) : units.subarray(query * width, (query + 1) * width);
  const values = new Float32Array(units.length / width);
  for (let token = 0, start = 0; token < values.length; token++, start += width) {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += one[c] * units[start + c];
    values[token] = Math.min(1, Math.max(-1, sum));
  }
  return values;
}

function meanUnit(units, width, tokens) {
  const mean = new Float32Array(width);
  for (const token of tokens) for (let c = 0; c < width; c++) mean[c] += units[token * width + c];
  const norm = Math.hypot(...mean);
  return norm > 0 ? mean.map((value) => value / norm) : mean;
}

// Most similar patch outside of the query, or -1 without others, and the mean over all patches.
export function summary(values, query, prefix) {
  const own = new Set([query].flat());
  let [top, sum] = [-1, 0];
  for (let token = prefix; token < values.length; token++) {
    sum += values[token];
    if (!own.has(token) && (top < 0 || values[token] > values[top])) top = token;
  }
  return { top, mean: sum / (values.length - prefix) };
}
