// Conversion of weights to colours, with the same rules as vitviz/viz/colour.py, and drawing on canvases.

import { packedColours } from "../browser/binary.js";
import { pixelsOf } from "../browser/canvas.js";

// Gap between the maps of the overview, in patches: half of it (rounded down) before each map, the rest after it.
export const gapOf = (rows, columns) => Math.max(1, Math.round(Math.max(rows, columns) / 12));

export class Painter {
  constructor(data) {
    this.data = data;
    const tables = (kind) => Object.fromEntries(Object.entries(data.colours).map(([scale, text]) => [scale, kind(text)]));
    this.tables = tables(opaque); // for the small maps
    this.overlays = tables(packedColours); // for the map over the image; opacity increases with the weight
  }

  // Write one packed colour per patch to `out`, from `start`, with `stride` pixels per row. `reads`: number of tokens in a
  // row of weights.
  map(weights, scale, reads, out, start, stride, table = this.tables[scale]) {
    const { data } = this;
    const { prefix, grid: [rows, columns] } = data;
    const span = 2 * data.uniform_range;
    let factor = 1;
    if (scale === "relative") {
      const largest = Math.abs(weights[data.strongestPatch(weights)]);
      factor = largest > 0 ? 1 / largest : 0;
    }
    if (data.signed) factor /= 2; // from -1 to 1, with 0 in the middle
    const zero = data.signed ? 0.5 : 0;
    for (let row = 0, i = prefix; row < rows; row++) {
      for (let column = 0, at = start + row * stride; column < columns; column++, i++) {
        const tone = scale === "uniform"
          ? Math.log2(weights[i] * reads) / span + 0.5
          : weights[i] * factor + zero;
        out[at++] = table[tone <= 0 ? 0 : tone >= 1 ? 255 : Math.round(tone * 255)];
      }
    }
  }

  // no weights, no overlay
  overlay(canvas, weights, scale, reads) {
    const [rows, columns] = this.data.grid;
    const image = pixelsOf(canvas, columns, rows);
    if (weights) this.map(weights, scale, reads, image.packed, 0, columns, this.overlays[scale]);
    else image.packed.fill(0);
    image.put();
  }

  // all levels (rows) x heads and their mean (columns) on one canvas, with transparent gaps between the maps
  overview(canvas, scale) {
    const { data } = this;
    const { grid: [rows, columns], levels, mean, weights, known } = data;
    const gap = gapOf(rows, columns);
    const stride = (mean + 1) * (columns + gap);
    const image = pixelsOf(canvas, stride, levels * (rows + gap));
    for (let level = 0; level < levels; level++) {
      if (!known[level]) {
        image.packed.fill(0, level * (rows + gap) * stride, (level + 1) * (rows + gap) * stride);
        continue;
      }
      for (const column of data.columnsOf(level)) {
        const start = (level * (rows + gap) + (gap >> 1)) * stride + column * (columns + gap) + (gap >> 1);
        this.map(weights[level][column], scale, data.reads(level), image.packed, start, stride);
      }
    }
    image.put();
  }

  // colour bar: colours of the small maps above, and below those of the overlay, on the grey background of the bar
  colourBar(canvas, scale, percent) {
    const image = pixelsOf(canvas, 256, 2);
    image.packed.set(this.tables[scale]);
    image.packed.set(this.overlays[scale].map((colour) => faded(colour, percent)), 256);
    image.put();
  }
}

// the same colours without transparency
function opaque(text) {
  return packedColours(text).map((colour) => withOpacity(colour, () => 255));
}

function faded(colour, percent) {
  return withOpacity(colour, (opacity) => Math.round(opacity * percent / 100));
}

function withOpacity(colour, change) {
  const rgba = new Uint8Array(Uint32Array.of(colour).buffer);
  rgba[3] = change(rgba[3]);
  return new Uint32Array(rgba.buffer)[0];
}
