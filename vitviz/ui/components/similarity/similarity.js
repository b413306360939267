// Picker with an overlay of cosine similarities to the patch under the pointer, computed here from the tokens.

import { halves, packedColours, readHeader } from "../../../viz/browser/binary.js";
import { paint } from "../../../viz/browser/canvas.js";
import { element } from "../../../viz/browser/elements.js";
import { mounted } from "../_shared/mounted.js";
import { clamp } from "../../../viz/browser/pointer.js";
import { Picker } from "../patches/picker.js";

export default function (component) {
  return mounted(Similarity, ".patches", component);
}

class Similarity extends Picker {
  constructor(root, mount) {
    super(root, mount);
    root.dataset.testid = "similarity";
    root.setAttribute("aria-label", "Similarity of patches");
    this.buildControls();
  }

  buildControls() {
    const { ref } = this;
    ref.facts = element("p", { className: "facts" }, { "data-testid": "similarity-facts" });
    ref.marks.after(ref.facts);
    ref.hold = element("input", { type: "checkbox", checked: this.mount.memory.hold ?? false });
    const label = element("label", {}, {}, [ref.hold, " Compare with the chosen patch, not the pointer"]);
    ref.apart.closest(".switches").prepend(label);
    this.on(ref.hold, "change", () => {
      this.mount.memory.hold = ref.hold.checked;
      this.schedule();
    });
  }

  receive(state, [bytes]) {
    if (state.parts[0] !== this.partKey) {
      this.partKey = state.parts[0];
      const header = readHeader(bytes);
      const [start, length] = header.sections.tokens;
      this.directions = halves(bytes.slice(header.start).buffer, start, length / 2); // [token][channel], of length 1
      this.embedDim = header.embedDim;
      this.similar = new Float32Array(this.directions.length / this.embedDim);
    }
    this.prefix = state.prefix_names;
    this.computed = null;
    super.receive(state);
  }

  // patch compared with all others
  get source() {
    return (this.ref.hold.checked ? this.marks.query : this.pointed) ?? this.middle();
  }

  tokenOf([row, column]) {
    return this.prefix.length + row * this.data.grid[1] + column;
  }

  draw() {
    const token = this.tokenOf(this.source);
    if (token !== this.computed) this.compute(token);
    super.draw();
    Object.assign(this.root.dataset, {
      source: token, top: this.top, topSimilarity: this.similar[this.top], mean: this.mean, embedDim: this.embedDim,
    });
  }

  compute(token) {
    const { data: { grid: [rows, columns], overlay }, directions, prefix: { length: first }, ref, similar, embedDim } = this;
    const one = directions.subarray(token * embedDim, (token + 1) * embedDim);
    for (let i = 0, start = 0; i < similar.length; i++, start += embedDim) {
      let sum = 0;
      for (let c = 0; c < embedDim; c++) sum += one[c] * directions[start + c];
      similar[i] = sum;
    }
    this.computed = token;
    [this.top, this.mean] = [first === token ? Math.min(first + 1, similar.length - 1) : first, 0];
    for (let i = first; i < similar.length; i++) {
      this.mean += similar[i] / (similar.length - first);
      if (i !== token && similar[i] > similar[this.top]) this.top = i;
    }
    const tones = Uint8Array.from(similar.subarray(first), (value) => Math.round(clamp((value + 1) / 2 * 255, 256)));
    paint(ref.heat, tones, packedColours(overlay.colours), columns, rows);
    this.painted = null;
  }

  about(patch) {
    const token = this.tokenOf(patch);
    if (token !== this.computed) return `: ${decimals(this.similar[token])}`;
    const [row, column] = this.placeOf(this.top);
    return `: most similar to patch (${row + 1}, ${column + 1}), ${decimals(this.similar[this.top])}`;
  }

  placeOf(token) {
    const patch = token - this.prefix.length;
    return [Math.floor(patch / this.data.grid[1]), patch % this.data.grid[1]];
  }

  drawWords() {
    super.drawWords();
    const { mean, placeOf, prefix, ref, similar, computed } = this;
    const [row, column] = placeOf.call(this, computed);
    const others = prefix.map((name, token) => `${name} ${decimals(similar[token])}`);
    ref.facts.textContent = `Patch (${row + 1}, ${column + 1}) with ${[...others, `mean over patches ${decimals(mean)}`].join(" · ")}`;
  }
}

// same format as vitviz.ui.widgets.strips.number
const decimals = (value) => value.toFixed(3).replace(/^-(?=0\.0+$)/, "").replace("-", "−");
