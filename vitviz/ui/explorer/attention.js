// Queries and keys in, attention weights out. Everything that moves under the pointer is computed here.

// float16 bits -> number, for all 65,536 patterns: faster than any arithmetic, and the same in every browser.
const HALF = (() => {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24
      : exponent === 31 ? (fraction ? NaN : Infinity)
      : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits & 32768 ? -size : size;
  }
  return table;
})();

function halves(buffer, offset, count) {
  const bits = new Uint16Array(buffer, offset, count);
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = HALF[bits[i]];
  return numbers;
}

// The payload of payload.py: length of the header, JSON header, then the sections, whose places the header lists.
function readHeader(bytes) {
  const start = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return { ...JSON.parse(new TextDecoder().decode(bytes.subarray(4, start))), start };
}

class AttentionData {
  constructor(bytes, header) {
    Object.assign(this, header);
    const buffer = bytes.slice(header.start).buffer; // a copy begins at 0, so that the sections are aligned
    const section = (name) => header.sections[name];
    const numbers = (name) => halves(buffer, section(name)[0], section(name)[1] / 2);
    this.q = numbers("q"); // [held layer][head][token][channel]
    this.k = numbers("k");
    this.logsum = new Float32Array(buffer, section("logsum")[0], section("logsum")[1] / 4); // [held layer][head][token]
    this.rows = section("rows")[1] ? numbers("rows") : null; // [layer][head][token], of the pinned token only
    this.picture = new Blob([new Uint8Array(buffer, ...section("picture"))], { type: "image/jpeg" });
    this.prefix = header.prefix_names.length;
    this.tokens = this.prefix + header.grid[0] * header.grid[1];
    this.slot = new Map(header.held.map((layer, i) => [layer, i])); // layer -> its place in q, k and logsum
    this.known = new Array(this.layers).fill(false);
    this.weights = Array.from({ length: this.layers }, () =>
      Array.from({ length: this.heads + 1 }, () => new Float32Array(this.tokens))); // [layer][head, and their mean]
  }

  isLive(layer) {
    return this.slot.has(layer);
  }

  // Fill `weights` with all heads of all layers, seen from one token ("from") or looking at it ("to"). Layers that are
  // not live show the pinned token, and nothing (`known` is false) until Python has sent the rows of that token.
  attend(token, direction, pinned) {
    const rowsFit = this.rows_of.token === pinned && this.rows_of.direction === direction;
    for (let layer = 0; layer < this.layers; layer++) {
      this.known[layer] = this.isLive(layer) || rowsFit;
      if (this.known[layer]) this.attendLayer(layer, token, direction);
    }
  }

  attendLayer(layer, token, direction) {
    const mean = this.weights[layer][this.heads].fill(0);
    for (let head = 0; head < this.heads; head++) {
      const weights = this.weights[layer][head];
      if (!this.isLive(layer)) this.copyRow(layer, head, weights);
      else if (direction === "from") this.row(this.slot.get(layer), head, token, weights);
      else this.column(this.slot.get(layer), head, token, weights);
      for (let i = 0; i < this.tokens; i++) mean[i] += weights[i] / this.heads;
    }
  }

  // softmax over the keys of one query
  row(slot, head, query, out) {
    const { k, tokens, channels } = this;
    const start = (slot * this.heads + head) * tokens;
    const q = this.scaled(this.q, start + query);
    let largest = -Infinity;
    for (let i = 0, at = start * channels; i < tokens; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += q[c] * k[at++];
      out[i] = sum;
      if (sum > largest) largest = sum;
    }
    let total = 0;
    for (let i = 0; i < tokens; i++) total += out[i] = Math.exp(out[i] - largest);
    for (let i = 0; i < tokens; i++) out[i] /= total;
  }

  // the weight that every query gives to one key; each query's own softmax sum comes with the payload
  column(slot, head, key, out) {
    const { q, logsum, tokens, channels } = this;
    const start = (slot * this.heads + head) * tokens;
    const k = this.scaled(this.k, start + key);
    for (let i = 0, at = start * channels; i < tokens; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += k[c] * q[at++];
      out[i] = Math.exp(sum - logsum[start + i]);
    }
  }

  scaled(vectors, token) {
    const vector = vectors.slice(token * this.channels, (token + 1) * this.channels);
    for (let c = 0; c < this.channels; c++) vector[c] *= this.scale;
    return vector;
  }

  copyRow(layer, head, out) {
    const start = (layer * this.heads + head) * this.tokens;
    out.set(this.rows.subarray(start, start + this.tokens));
  }

  strongestPatch(weights) {
    let best = this.prefix;
    for (let i = best + 1; i < this.tokens; i++) if (weights[i] > weights[best]) best = i;
    return best;
  }

  words(token) {
    if (token < this.prefix) return this.prefix_names[token];
    const [row, column] = this.place(token);
    return `patch (${row + 1}, ${column + 1})`;
  }

  place(token) {
    const patch = token - this.prefix;
    return [Math.floor(patch / this.grid[1]), patch % this.grid[1]];
  }

  // the token that is shown when none is pinned, as vitviz.view.home has it
  home() {
    const [rows, columns] = this.grid;
    return this.class_token ? 0 : this.prefix + Math.floor(rows / 2) * columns + Math.floor(columns / 2);
  }
}

function entropyBits(weights) {
  let sum = 0;
  for (const w of weights) if (w > 0) sum -= w * Math.log2(w);
  return sum;
}

function sumOf(weights, start, end) {
  let sum = 0;
  for (let i = start; i < end; i++) sum += weights[i];
  return sum;
}
