// One of the linked views: a small picture of the image with colours over it, the marked patches, and texts below.

import { pixelsOf } from "../browser/canvas.js";
import { element } from "../browser/elements.js";
import { cellAt, onHover } from "../browser/pointer.js";
import { outline } from "./patches.js";

const HIDDEN = { "aria-hidden": "true" };

export class LinkedPicture {
  // `name`: identity for tests. `bar`: true for a colour bar. `region`: SVG with the outline in the large picture.
  constructor(name, title, bar, region) {
    this.photo = element("img", { alt: "", draggable: false });
    this.colours = element("canvas", {}, HIDDEN);
    this.region = region.cloneNode(true);
    this.region.removeAttribute("data-ref");
    [this.pin, this.key, this.query] = ["pin", "key", "query"].map((kind) => element("div", { className: `box ${kind}`, hidden: true }));
    this.picture = element("div", { className: "view" }, { role: "img", "aria-label": title }, [
      this.photo, this.colours, element("div", { className: "grid" }), this.region, this.pin, this.key, this.query]);
    this.bar = element("canvas", {}, HIDDEN);
    this.about = element("span");
    const ends = ["−1", "1"].map((textContent) => element("span", { textContent }));
    const scale = bar ? [ends[0], element("span", { className: "middle" }, {}, [this.bar]), ends[1]] : [];
    this.facts = element("p", { className: bar ? "facts changing" : "facts" }, { "data-testid": `explorer-${name}-facts` });
    this.figure = element("figure", {}, { "data-testid": `explorer-${name}` }, [
      element("figcaption", { textContent: title }), this.picture, element("p", { className: "scale" }, {}, [...scale, this.about]), this.facts]);
  }

  // As over the large picture, except that regions are drawn on that one only.
  listenTo(explorer) {
    const at = (event) => explorer.data.tokenAt(cellAt(event, this.picture, explorer.data.grid));
    onHover(explorer.listening, this.picture, (event) => explorer.hover(event && at(event)));
    explorer.listening.on(this.picture, "click", (event) => {
      const patch = at(event);
      explorer.pin(patch === explorer.view.query ? null : patch);
    });
  }

  // photo, style, and marks of the query and of the pin
  draw({ data, ref, style, token, view: { query } }) {
    if (this.photo.src !== ref.photo.src) this.photo.src = ref.photo.src;
    this.colours.style.opacity = this.bar.style.opacity = style.opacity / 100;
    this.colours.classList.toggle("smooth", style.smooth);
    this.mark(this.query, token, data);
    this.mark(this.pin, query ?? -1, data);
    const path = Array.isArray(query) ? outline(query.map((one) => data.place(one)), data.grid) : "";
    this.region.setAttribute("viewBox", `0 0 ${data.grid[1]} ${data.grid[0]}`);
    for (const one of this.region.children) one.setAttribute("d", path);
  }

  // no mark for prefix tokens and regions
  mark(box, token, data) {
    box.hidden = Array.isArray(token) || token < data.prefix;
    if (box.hidden) return;
    const [[row, column], [rows, columns]] = [data.place(token), data.grid];
    Object.assign(box.style, {
      left: `${100 * column / columns}%`, top: `${100 * row / rows}%`, width: `${100 / columns}%`, height: `${100 / rows}%`,
    });
  }

  // `rgb`: [patch][red, green, blue]
  fill(rgb, [rows, columns]) {
    const image = pixelsOf(this.colours, columns, rows);
    const bytes = new Uint8Array(image.packed.buffer);
    for (let i = 0; i < rows * columns; i++) bytes.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
    image.put();
  }

  clear([rows, columns]) {
    const image = pixelsOf(this.colours, columns, rows);
    image.packed.fill(0);
    image.put();
    this.key.hidden = true;
  }
}
