// Tools that draw a region on the image: a rectangle, or a brush, which erases if it starts on a patch of the region.

import { cellAt, clamp } from "../browser/pointer.js";
import { bounds, line, outline, patchesOf, queryOf, rectangle } from "./patches.js";

export class RegionTools {
  // `state` returns { data, view } of the explorer. `choose` gets the query after each change, and true with the last one.
  constructor({ root, ref, listening }, state, choose) {
    Object.assign(this, { root, ref, state, choose, kind: null, stroke: null, corners: null, brushed: null, drawn: null });
    this.buttons = [...root.querySelectorAll("[data-tool]")];
    for (const button of this.buttons) {
      listening.on(button, "click", () => this.use(button.dataset.tool === this.kind ? null : button.dataset.tool));
    }
    listening.on(ref.stage, "pointerdown", (event) => this.begin(event));
    listening.on(ref.stage, "pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      listening.on(ref.stage, end, (event) => this.end(event));
    }
  }

  // null for none: then a click pins a patch
  use(kind) {
    this.kind = kind;
    this.stroke = null;
    this.root.classList.toggle("drawing", kind !== null);
    for (const button of this.buttons) button.setAttribute("aria-pressed", button.dataset.tool === kind);
    const { view } = this.state();
    if (view) this.choose(view.query, false);
  }

  // true if the image shows the region, not the patch under the pointer
  get holds() {
    const { data, view } = this.state();
    return this.stroke !== null || (this.kind !== null && patchesOf(view.query, data.prefix).length > 0);
  }

  begin(event) {
    if (!this.kind || this.stroke || event.button !== 0) return;
    const { data, view } = this.state();
    const at = cellAt(event, this.ref.picture, data.grid);
    const token = data.tokenAt(at);
    const before = patchesOf(view.query, data.prefix);
    const goesOn = this.kind === "brush" && (before.length > 1 || `${view.query}` === this.brushed); // a pin is no region
    this.ref.stage.setPointerCapture(event.pointerId);
    this.stroke = {
      pointer: event.pointerId,
      query: view.query,
      from: at,
      to: at,
      tokens: new Set(goesOn ? before : []),
      erases: goesOn && before.length > 1 && before.includes(token),
      again: before.length === 1 && before[0] === token, // a second click unpins the patch
    };
    this.reach(at);
  }

  move(event) {
    if (event.pointerId !== this.stroke?.pointer) return;
    const { grid } = this.state().data;
    const passed = this.kind === "brush" ? event.getCoalescedEvents?.() ?? [] : [];
    for (const one of [...passed, event]) {
      const at = cellAt(one, this.ref.picture, grid);
      if (`${at}` !== `${this.stroke.to}`) this.reach(at);
    }
  }

  reach(at) {
    const { data } = this.state();
    const { stroke } = this;
    if (this.kind === "rectangle") {
      stroke.tokens = new Set(rectangle(stroke.from, at).map((place) => data.tokenAt(place)));
    } else {
      for (const place of line(stroke.to, at)) stroke.tokens[stroke.erases ? "delete" : "add"](data.tokenAt(place));
    }
    stroke.to = at;
    this.choose(queryOf(stroke.tokens), false);
  }

  end(event) {
    const { stroke } = this;
    if (event.pointerId !== stroke?.pointer) return;
    this.stroke = null;
    const query = queryOf(stroke.tokens);
    const isSame = stroke.again && !Array.isArray(query);
    this.corners = this.kind === "rectangle" ? { ...stroke, query } : null;
    this.brushed = this.kind === "brush" ? `${query}` : null;
    this.choose(isSame ? null : query, true);
  }

  // take back what has been drawn since the pointer went down
  cancel() {
    if (!this.stroke) return;
    const { query } = this.stroke;
    this.stroke = null;
    this.choose(query, false);
  }

  // Query after an arrow key moved a corner of the rectangle, which starts at the pinned patch. Other regions become the
  // rectangle around them.
  extended([down, right]) {
    const { data, view: { query } } = this.state();
    const [rows, columns] = data.grid;
    const patches = patchesOf(query, data.prefix);
    if (!patches.length) return data.tokenAt([Math.floor(rows / 2), Math.floor(columns / 2)]);
    const [[top, bottom], [left, end]] = bounds(patches.map((token) => data.place(token)));
    const isKnown = this.corners && `${this.corners.query}` === `${query}`;
    const { from, to } = isKnown ? this.corners : { from: [top, left], to: [bottom, end] };
    const moved = [clamp(to[0] + down, rows), clamp(to[1] + right, columns)];
    const tokens = rectangle(from, moved).map((place) => data.tokenAt(place));
    this.corners = { from, to: moved, query: queryOf(tokens) };
    return this.corners.query;
  }

  // outline of a region of several patches; a single one has a frame
  draw() {
    const { data, view: { query } } = this.state();
    const drawn = `${data.grid} ${query}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const { region } = this.ref;
    const path = Array.isArray(query) ? outline(query.map((token) => data.place(token)), data.grid) : "";
    const [rows, columns] = data.grid;
    region.setAttribute("viewBox", `0 0 ${columns} ${rows}`);
    for (const one of region.children) one.setAttribute("d", path);
  }
}
