// Orange square around the patch with the largest weight in each small map, on a separate canvas, because a patch may be
// smaller than a line.

import { onScreen } from "../browser/canvas.js";
import { KEY } from "../browser/theme.js";
import { gapOf } from "./paint.js";

export class Marks {
  constructor(canvas, redraw, listening) {
    this.canvas = canvas;
    this.size = [0, 0]; // cached, because reading it while drawing would force a layout of the page
    listening.onResize(canvas, ({ width, height }) => {
      this.size = [width, height];
      redraw();
    });
  }

  draw(data, on) {
    const { canvas, size: [width, height] } = this;
    canvas.hidden = !on;
    if (!on || !width) return;
    const { sharp, across, down } = onScreen(width, height);
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, across, down);
    const path = this.path(data, across, down, sharp);
    for (const [colour, thick] of [["#fff", 3.5], [KEY, 1.75]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thick * sharp });
      context.stroke(path);
    }
  }

  path(data, across, down, sharp) {
    const { grid: [rows, columns], levels, mean, weights, known } = data;
    const gap = gapOf(rows, columns);
    const [wide, tall] = [across / (mean + 1) / (columns + gap), down / levels / (rows + gap)]; // of a patch
    const path = new Path2D();
    for (let level = 0; level < levels; level++) {
      for (const column of known[level] ? data.columnsOf(level) : []) {
        const [row, place] = data.place(data.strongestPatch(weights[level][column]));
        const x = (column * (columns + gap) + (gap >> 1) + place) * wide;
        const y = (level * (rows + gap) + (gap >> 1) + row) * tall;
        path.rect(x - 2 * sharp, y - 2 * sharp, wide + 4 * sharp, tall + 4 * sharp);
      }
    }
    return path;
  }
}
