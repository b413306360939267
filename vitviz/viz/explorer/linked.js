// Linked views: two smaller pictures of the image, with the similarity of tokens to the query and the tokens' principal
// components as colours, after the layer of the view. The pointer may be over any of the three pictures.

import { paint, pixelsOf } from "../browser/canvas.js";
import { element, setText } from "../browser/elements.js";
import { cellAt, onHover } from "../browser/pointer.js";
import { percent, tokenWords } from "./labels.js";
import { outline } from "./patches.js";
import { LayerTokens, similarities, summary } from "./tokens.js";

const GAP = 24; // pixels between the columns of the explorer
const LEAST = 180; // width in pixels of views beside the small maps

const PICTURE = `
  <div class="view" data-part="picture" role="img">
    <img alt="" draggable="false" data-part="photo"><canvas data-part="colours" aria-hidden="true"></canvas><div class="grid"></div>
    <svg class="region" preserveAspectRatio="none" aria-hidden="true" data-part="region"><path class="case"/><path/></svg>
    <div class="box pin" data-part="pin"></div><div class="box key" data-part="key" hidden></div><div class="box query" data-part="query"></div>
  </div>`;

const MARKUP = `
  <figure data-part="similarity" data-testid="explorer-similarity"><figcaption>Similarity of tokens</figcaption>${PICTURE}
    <p class="scale"><span>−1</span><span class="middle"><canvas data-part="bar" aria-hidden="true"></canvas></span><span>1</span>
      <span data-part="about"></span></p>
    <p class="facts" data-part="facts" data-testid="explorer-similarity-facts"></p></figure>
  <figure data-part="components" data-testid="explorer-components"><figcaption>Components as colours</figcaption>${PICTURE}
    <p class="scale" data-part="about"></p><p class="facts" data-part="facts" data-testid="explorer-components-facts"></p></figure>`;

export class Linked {
  // `explorer`: an Explorer, whose style has the switch
  constructor(explorer) {
    Object.assign(this, { explorer, kept: new LayerTokens(), offered: false, views: null, drawn: null });
    this.input = element("input", { type: "checkbox" }, { "data-ref": "linked" });
    this.label = element("label", { className: "option linked", hidden: true }, {}, [this.input, "Linked views: similarity and components of tokens"]);
    explorer.ref.status.after(this.label);
    explorer.listening.on(this.input, "change", () => explorer.changeStyle({ linked: this.input.checked }));
  }

  // `state.token_source`: identity of the trace whose tokens are shown; nothing if there are none
  take(state, data) {
    this.offered = typeof state.token_source === "string";
    this.kept.take(state.token_source ?? null, data.tokenParts);
    this.drawn = null;
  }

  // layer whose tokens are shown: a pooling reads those after the last layer
  get layer() {
    const { data, view } = this.explorer;
    return Math.min(view.layer, data.layers - 1);
  }

  draw() {
    const { explorer: { ref, style } } = this;
    const isOn = this.offered && style.linked;
    this.label.hidden = !this.offered;
    ref.linkedHelp.hidden = !this.offered;
    this.input.checked = style.linked;
    if (isOn) this.views ??= this.build();
    if (!this.views) return;
    if (this.views.hidden === isOn) {
      this.views.hidden = !isOn;
      this.place();
    }
    if (isOn) this.drawViews();
  }

  drawViews() {
    const { explorer: { data, style, token, view }, layer, parts } = this;
    const state = JSON.stringify([token, view.query, layer, style, data.grid, this.explorer.ref.photo.src]);
    if (state === this.drawn) return;
    this.drawn = state;
    const tokens = this.kept.get(layer);
    for (const part of Object.values(parts)) this.drawPicture(part);
    this.views.dataset.layer = tokens ? layer : "";
    if (tokens) {
      this.drawSimilarity(tokens);
      this.drawComponents(tokens);
    } else {
      this.drawNothing();
    }
  }

  // what both pictures have: the photo, and the patches that are marked
  drawPicture({ colours, photo, pin, query, region }) {
    const { explorer: { data, ref, style, token, view } } = this;
    if (photo.src !== ref.photo.src) photo.src = ref.photo.src;
    colours.style.opacity = style.opacity / 100;
    colours.classList.toggle("smooth", style.smooth);
    this.mark(query, token);
    this.mark(pin, view.query ?? -1);
    const [rows, columns] = data.grid;
    region.setAttribute("viewBox", `0 0 ${columns} ${rows}`);
    const path = Array.isArray(view.query) ? outline(view.query.map((one) => data.place(one)), data.grid) : "";
    for (const one of region.children) one.setAttribute("d", path);
  }

  mark(box, token) {
    const { data } = this.explorer;
    box.hidden = Array.isArray(token) || token < data.prefix;
    if (box.hidden) return;
    const [[row, column], [rows, columns]] = [data.place(token), data.grid];
    Object.assign(box.style, {
      left: `${100 * column / columns}%`, top: `${100 * row / rows}%`, width: `${100 / columns}%`, height: `${100 / rows}%`,
    });
  }

  drawSimilarity(tokens) {
    const { explorer: { data, style, token }, parts: { similarity: { about, bar, colours, facts, key } }, views } = this;
    const [rows, columns] = data.grid;
    const values = similarities(tokens, token);
    const { top, mean } = summary(values, token, data.prefix);
    const tones = Uint8Array.from(values.subarray(data.prefix), (value) => Math.round((value + 1) / 2 * 255));
    paint(colours, tones, tokens.table, columns, rows);
    paint(bar, Uint8Array.from({ length: 256 }, (_, i) => i), tokens.table, 256, 1);
    bar.style.opacity = style.opacity / 100;
    this.mark(key, top);
    const strongest = top < 0 ? [] : [`most similar: ${tokenWords(data, top)}, ${decimals(values[top])}`];
    const prefix = data.prefix <= 2 ? data.prefix_marks : data.prefix_marks.slice(0, 1);
    const others = prefix.map((mark, one) => `${mark} ${decimals(values[one])}`);
    setText(about, `cosine similarity after layer ${this.layer + 1}`);
    setText(facts, [...strongest, ...others, `mean of patches ${decimals(mean)}`].join(" · "));
    Object.assign(views.dataset, { top, topSimilarity: top < 0 ? "" : values[top], mean });
  }

  drawComponents({ colours: rgb, explained }) {
    const { explorer: { data }, parts: { components: { about, colours, facts } } } = this;
    const [rows, columns] = data.grid;
    const image = pixelsOf(colours, columns, rows);
    const bytes = new Uint8Array(image.packed.buffer);
    for (let i = 0; i < rows * columns; i++) bytes.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
    image.put();
    const [red, green, blue] = explained.map(percent);
    setText(about, `variance of components 1 to 3 after layer ${this.layer + 1}`);
    setText(facts, `red ${red} · green ${green} · blue ${blue}`);
  }

  drawNothing() {
    const { explorer: { data }, layer, parts: { components, similarity }, views } = this;
    const [rows, columns] = data.grid;
    for (const { colours } of [components, similarity]) {
      const image = pixelsOf(colours, columns, rows);
      image.packed.fill(0);
      image.put();
    }
    similarity.key.hidden = true;
    const isMissing = data.kept && !data.kept.includes(layer);
    const text = isMissing ? `The tokens after layer ${layer + 1} are not in this file.` : `Fetching the tokens after layer ${layer + 1} …`;
    setText(similarity.facts, text);
    setText(components.facts, "");
    for (const { about } of [components, similarity]) setText(about, `after layer ${layer + 1}`);
    Object.assign(views.dataset, { top: "", topSimilarity: "", mean: "" });
  }

  // ------------------------------------------------------------------ elements

  build() {
    const { explorer, label } = this;
    const views = element("div", { className: "views", innerHTML: MARKUP, hidden: true }, { "data-testid": "explorer-linked" });
    this.parts = Object.fromEntries([...views.children].map((figure) => [figure.dataset.part, partsOf(figure)]));
    label.after(views);
    for (const [name, { picture }] of Object.entries(this.parts)) {
      picture.setAttribute("aria-label", views.querySelector(`[data-part=${name}] figcaption`).textContent);
      this.listenTo(picture);
    }
    this.columns = label.parentElement.parentElement;
    for (const node of [this.columns, label.parentElement]) explorer.listening.onResize(node, () => this.place());
    return views;
  }

  // as over the large picture, except that regions are drawn on that one only
  listenTo(picture) {
    const { explorer } = this;
    const at = (event) => explorer.data.tokenAt(cellAt(event, picture, explorer.data.grid));
    onHover(explorer.listening, picture, (event) => explorer.hover(event && at(event)));
    explorer.listening.on(picture, "click", (event) => {
      if (explorer.tools.kind) return;
      const patch = at(event);
      explorer.pin(patch === explorer.view.query ? null : patch);
    });
  }

  // Beside the small maps if there is enough space, so that all is seen at once, else below the picture.
  place() {
    const { columns, label, views } = this;
    if (!views || views.hidden) return;
    const [left, right] = columns.children;
    const isRow = getComputedStyle(columns).flexDirection === "row";
    const free = columns.clientWidth - left.offsetWidth - right.offsetWidth - 2 * GAP;
    const isBeside = isRow && free >= LEAST;
    if (isBeside === (views.parentElement === columns)) return;
    if (isBeside) right.after(views);
    else label.after(views);
    views.classList.toggle("beside", isBeside);
  }
}

// elements with the attribute data-part, by its value
const partsOf = (figure) => Object.fromEntries([...figure.querySelectorAll("[data-part]")].map((node) => [node.dataset.part, node]));

// same format as vitviz.ui.widgets.strips.number
const decimals = (value) => value.toFixed(3).replace(/^-(?=0\.0+$)/, "").replace("-", "−");
