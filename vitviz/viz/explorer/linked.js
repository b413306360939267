// Linked views: two smaller pictures of the image, with the similarity of tokens to the query and the tokens' principal
// components as colours, after the layer of the view. The pointer may be over any of the three pictures.

import { paint } from "../browser/canvas.js";
import { element, setText } from "../browser/elements.js";
import { percent, tokenWords } from "./labels.js";
import { LinkedPicture } from "./linked_picture.js";
import { LayerTokens, similarities, summary } from "./tokens.js";

// in the size of the font:
const LEAST = 9.5; // width below which views are not beside the small maps; linked.css makes room for somewhat more
const SLACK = 3; // by which they may be higher than the picture with its texts

export class Linked {
  // `explorer`: an Explorer, whose style has the switch
  constructor(explorer) {
    Object.assign(this, { explorer, kept: new LayerTokens(), offered: false, views: null, drawn: null, placed: null });
    this.input = element("input", { type: "checkbox" });
    const title = "Similarity and principal components of the tokens, under the same pointer";
    this.label = element("label", { className: "option linked", hidden: true, title }, {}, [this.input, "Linked views of tokens"]);
    explorer.ref.status.after(this.label);
    explorer.listening.on(this.input, "change", () => explorer.changeStyle({ linked: this.input.checked }));
  }

  // `state.token_source`: identity of the trace whose tokens are shown; nothing if there are none
  take(state, data) {
    this.offered = typeof state.token_source === "string";
    this.kept.take(state.token_source ?? null, data.tokenParts);
    this.drawn = null;
    this.shown = null; // other data, possibly on another grid
  }

  // layer whose tokens are shown: a pooling reads those after the last layer
  get layer() {
    const { data, view } = this.explorer;
    return Math.min(view.layer, data.layers - 1);
  }

  draw() {
    const { explorer: { ref, style } } = this;
    const isOn = this.offered && style.linked;
    this.label.hidden = ref.linkedHelp.hidden = !this.offered;
    this.input.checked = style.linked;
    if (isOn) this.views ??= this.build();
    if (!this.views) return;
    const isNew = this.views.hidden && isOn;
    this.views.hidden = !isOn;
    if (isOn) this.drawViews();
    if (isNew) this.place(); // when the texts are there
  }

  drawViews() {
    const { components, explorer, layer, similarity, views } = this;
    const { data, ref, style, token, view } = explorer;
    const state = JSON.stringify([token, view.query, layer, style, ref.photo.src]);
    if (state === this.drawn) return;
    this.drawn = state;
    for (const picture of [similarity, components]) picture.draw(explorer);
    setText(similarity.about, `cosine similarity after layer ${layer + 1}`);
    setText(components.about, `explained variance after layer ${layer + 1}`);
    const tokens = this.kept.get(layer);
    const values = tokens && similarities(tokens, token);
    const { top, mean } = values ? summary(values, token, data.prefix) : { top: -1, mean: "" };
    if (!tokens || tokens !== this.shown) this.show(tokens);
    if (tokens) this.drawSimilarity(tokens, values, top, mean);
    const isKnown = top >= 0;
    Object.assign(views.dataset, { layer: tokens ? layer : "", top: isKnown ? top : "", topSimilarity: isKnown ? values[top] : "", mean });
  }

  // what does not follow the pointer
  show(tokens) {
    this.shown = tokens;
    if (!tokens) return this.drawNothing();
    this.drawComponents(tokens);
    paint(this.similarity.bar, Uint8Array.from({ length: 256 }, (_, i) => i), tokens.table, 256, 1);
  }

  drawSimilarity({ table }, values, top, mean) {
    const { explorer: { data }, similarity } = this;
    const [rows, columns] = data.grid;
    const tones = Uint8Array.from(values.subarray(data.prefix), (value) => Math.round((value + 1) / 2 * 255));
    paint(similarity.colours, tones, table, columns, rows);
    similarity.mark(similarity.key, top, data);
    const others = data.prefix <= 2 ? data.prefix_marks : data.prefix_marks.slice(0, 1);
    setText(similarity.facts, [
      ...(top < 0 ? [] : [`most similar: ${tokenWords(data, top)}, ${decimals(values[top])}`]),
      ...others.map((mark, one) => `${mark} ${decimals(values[one])}`),
      `mean of patches ${decimals(mean)}`,
    ].join(" · "));
  }

  drawComponents({ colours, explained }) {
    const { components, explorer: { data } } = this;
    components.fill(colours, data.grid);
    const [red, green, blue] = explained.map(percent);
    setText(components.facts, `red ${red} · green ${green} · blue ${blue}`);
  }

  drawNothing() {
    const { components, explorer: { data }, layer, similarity } = this;
    for (const picture of [components, similarity]) picture.clear(data.grid);
    const tokens = `the tokens after layer ${layer + 1}`;
    const isMissing = data.kept && !data.kept.includes(layer);
    if (data.hasEnded) setText(similarity.facts, `The kernel, which has ended, did not send ${tokens}.`);
    else setText(similarity.facts, isMissing ? `This file does not have ${tokens}.` : `Fetching ${tokens} …`);
    setText(components.facts, "");
  }

  // ------------------------------------------------------------------ elements

  build() {
    const { explorer, label } = this;
    this.similarity = new LinkedPicture("similarity", "Token similarity", true, explorer.ref.region);
    this.components = new LinkedPicture("components", "Token components", false, explorer.ref.region);
    for (const picture of [this.similarity, this.components]) picture.listenTo(explorer);
    const figures = [this.similarity.figure, this.components.figure];
    const views = element("div", { className: "views", hidden: true }, { "data-testid": "explorer-linked" }, figures);
    label.after(views);
    this.columns = label.parentElement.parentElement;
    for (const node of [this.columns, label.parentElement]) explorer.listening.onResize(node, () => this.place());
    return views;
  }

  // Beside the small maps, in one column or two, if all is seen at once there, else below the picture.
  place() {
    const { columns, explorer: { data, root }, label, views } = this;
    if (!views || views.hidden) return;
    const { flexDirection, fontSize } = getComputedStyle(columns);
    const isFull = root.classList.contains("full");
    const size = String([columns.clientWidth, innerHeight, fontSize, flexDirection, data.grid, data.layers, data.heads, isFull]);
    if (size === this.placed) return;
    this.placed = size;
    label.after(views);
    if (flexDirection !== "row") return;
    const [left, right] = columns.children;
    const least = LEAST * parseFloat(fontSize);
    right.after(views);
    for (const isTwo of [false, true]) {
      views.classList.toggle("two", isTwo);
      const isLow = views.offsetHeight <= left.offsetHeight + SLACK * parseFloat(fontSize);
      if (isLow && this.similarity.picture.offsetWidth >= least) return;
    }
    label.after(views);
  }
}

// same format as vitviz.ui.widgets.strips.number
const decimals = (value) => value.toFixed(3).replace(/^-(?=0\.0+$)/, "").replace("-", "−");
