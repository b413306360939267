// Attention explorer: display and user input. The same class is used in the app, in notebooks and in files.

import { Component } from "../browser/component.js";
import { element } from "../browser/elements.js";
import { rove } from "../browser/keys.js";
import { cellAt, onHover } from "../browser/pointer.js";
import { AttentionData, Part, range } from "./attention.js";
import { RegionTools } from "./drawing.js";
import { Hint } from "./hint.js";
import { Keyboard } from "./keyboard.js";
import { Marks } from "./marks.js";
import { Painter, gapOf } from "./paint.js";
import { aboutWords, endWords, factWords, headWords, levelMark, noteWords, statusWords } from "./labels.js";
import { Linked } from "./linked.js";
import { patchesOf } from "./patches.js";
import { Pins } from "./pins.js";
import { Ranking } from "./ranking.js";
import { FullScreen } from "./screen.js";
import { Zoom } from "./zoom.js";

// `mount` sends the user's choices to Python, if there is one: it has the methods send(event, value, options) and
// pending(event), and want(part) if parts arrive in an order that it can change, see
// vitviz/ui/components/_shared/mounted.js.
export class Explorer extends Component {
  constructor(root, mount) {
    super(root, mount);
    // { layer, head (null: mean), query (null: nothing pinned; or several patches), direction, scale }, as vitviz.notation.view.View
    this.view = null;
    this.hovered = null;
    this.hint = new Hint(this.ref.hint);
    this.marks = new Marks(this.ref.marked, () => this.data && this.schedule(), this.listening);
    this.tools = new RegionTools(this, () => this, (query, isLast) => isLast ? this.pin(query) : this.preview(query));
    this.ranking = new Ranking(this, () => this.data && this.schedule(), (relation) => this.changeStyle({ relation }));
    this.zoom = new Zoom(this, () => this.tools.cancel());
    this.screen = new FullScreen(this);
    this.pins = new Pins(this, () => this.viewTimer && this.sendView(), (query) => this.pin(query));
    this.keyboard = new Keyboard(this);
    this.linked = new Linked(this);
    this.listen();
  }

  close() {
    super.close();
    this.ranking.close();
    if (this.viewTimer) this.sendView(); // the last action counts, even if the explorer is unmounted
    if (this.styleTimer) this.sendStyle();
    URL.revokeObjectURL(this.ref.photo.src);
  }

  // ------------------------------------------------------------------ data from Python

  receive(state, [frame, ...parts]) {
    const before = this.data;
    const [key, ...keys] = state.parts;
    if (before?.key !== key) this.takeData(state, new Part(frame));
    this.data.take(keys, parts);
    this.data.hasEnded = Boolean(state.has_ended); // nobody can send further layers
    this.linked.take(state, this.data);
    this.ref.cells.setAttribute("aria-busy", keys.some((_, i) => !parts[i]));
    const own = this.tools.stroke || this.viewTimer || this.mount.pending("view").length; // then the state from Python is older than the page
    if (!own) this.view = state.view;
    else if (this.data !== before) this.view = this.fitted(this.view, before);
    this.mount.want?.(partOf(this.view.layer));
    if (!this.styleTimer && !this.mount.pending("style").length) this.restyle(state.style);
    if (!own) this.pins.add(this.view.query, this.data.places);
    this.draw();
  }

  takeData({ places, kept = null }, frame) {
    const before = this.data;
    const { header } = frame;
    this.data = new AttentionData(frame);
    this.data.places = places; // see vitviz.notation.view.places; token indices are comparable if these are equal
    this.data.kept = kept; // layers of a file, which contains no others; null if Python can send the others
    this.painter = new Painter(this.data);
    this.ranking.take(this.data);
    this.controlsDrawn = null;
    const samePlaces = `${before?.places}` === `${places}`;
    if (before?.picture_id !== header.picture_id || !samePlaces) {
      this.hovered = null;
      this.tools.stroke = null;
      this.buildStage();
    }
    this.ref.photo.alt = header.image_name; // may change even if the pixels do not
    const shape = ({ layers, heads, pool_heads: pool, prefix_marks: marks }) => `${layers} ${heads} ${pool} ${marks}`;
    if (!before || shape(before) !== shape(header)) { // otherwise, keep the buttons and with them the focus
      this.buildPrefix();
      this.buildOverview();
    }
    this.buildWords();
  }

  // Adapt a view chosen for other data, by the rules of vitviz.notation.view.View.fitted and without_pinned_patch.
  fitted(view, before) {
    const { data, data: { layers, levels, colours } } = this;
    const pins = `${before.places}` === `${data.places}` ? data.tokens : Math.min(before.prefix, data.prefix);
    const within = (value, count) => value !== null && value >= 0 && value < count;
    const places = Array.isArray(view.query) ? view.query : [view.query];
    const layer = within(view.layer, levels) ? view.layer : layers - 1;
    return {
      ...view,
      layer,
      head: within(view.head, this.data.headsOf(layer)) ? view.head : null,
      query: places.every((token) => within(token, pins)) ? view.query : null,
      scale: view.scale in colours ? view.scale : "relative",
    };
  }

  buildStage() {
    const { ref, data } = this;
    const [rows, columns] = data.grid;
    this.zoom.reset();
    URL.revokeObjectURL(ref.photo.src);
    ref.photo.src = URL.createObjectURL(data.picture);
    this.root.style.setProperty("--rows", rows);
    this.root.style.setProperty("--columns", columns);
    this.root.classList.toggle("panorama", columns > 2 * rows); // more space for the maps below the image
    this.root.style.setProperty("--gap", gapOf(rows, columns));
    this.root.style.setProperty("--before", gapOf(rows, columns) >> 1);
  }

  buildPrefix() {
    const { ref, data } = this;
    ref.prefix.replaceChildren(...data.prefix_names.map((name, token) =>
      element("button", { type: "button", textContent: data.prefix_marks[token], title: `Pin the ${name}` },
        { "data-token": token, "aria-label": `${data.prefix_marks[token]}: pin the ${name}` })));
  }

  buildOverview() {
    const { ref, root, data } = this;
    const { levels, mean } = data;
    root.style.setProperty("--layers", levels);
    root.style.setProperty("--heads", mean + 1);
    root.classList.toggle("has-pool", data.pool_heads > 0);
    ref.heads.replaceChildren(element("span", { textContent: "head" }),
      ...range(mean + 1).map((head) => element("span", { textContent: head === mean ? "mean" : `${head + 1}` })));
    ref.layers.replaceChildren(...range(levels).map((level) => element("span", { textContent: levelMark(data, level) })));
    ref.buttons.replaceChildren(...range(levels).flatMap((level) => data.columnsOf(level).map((column) => {
      const name = headWords(data, level, column === mean ? null : column);
      const button = element("button", { type: "button", title: name, tabIndex: -1 },
        { "data-layer": level, "data-head": column, "aria-label": name });
      button.style.gridArea = `${level + 1} / ${column + 1}`; // a level may have fewer heads than there are columns
      return button;
    })));
  }

  // texts on the model, and the scales available for it
  buildWords() {
    const { ref, root, data } = this;
    ref.note.textContent = noteWords(data);
    ref.note.hidden = !ref.note.textContent;
    ref.about.textContent = aboutWords(data);
    ref.about.hidden = !ref.about.textContent;
    for (const option of ref.scale.options) option.hidden = option.disabled = !(option.value in data.colours);
    ref.scale.querySelector("[value=raw]").textContent = data.signed ? "weight, −1 to 1" : "weight, 0 to 1";
    root.classList.toggle("signed", data.signed);
  }

  // ------------------------------------------------------------------ drawing

  get token() {
    return this.hovered ?? this.view.query ?? this.data.home();
  }

  get headColumn() {
    return this.view.head ?? this.data.mean;
  }

  draw() {
    const { data, painter, ranking, ref, tools, view } = this;
    ranking.update(view, tools.kind !== null);
    if (Array.isArray(this.token)) ranking.regions.attend(view.direction);
    else data.attend(this.token, view.direction, view.query ?? data.home());
    const weights = this.weights();
    painter.overlay(ref.heat, weights, view.scale, data.reads(view.layer));
    painter.overview(ref.overview, view.scale);
    this.marks.draw(data, this.style.marks);
    ranking.draw(tools.stroke !== null);
    this.drawMarks(weights);
    this.drawWords(weights);
    this.drawControls();
    this.linked.draw();
  }

  // weights of the framed head for the token under the pointer; null until Python has sent them
  weights() {
    const { data, view } = this;
    const known = data.isLive(view.layer) || (this.hovered === null && data.known[view.layer]);
    return known ? data.weights[view.layer][this.headColumn] : null;
  }

  drawMarks(weights) {
    const { data, ref, root, view, token } = this;
    const top = weights ? data.strongestPatch(weights) : -1;
    this.place(ref.query, token);
    this.place(ref.key, top);
    this.place(ref.pin, view.query ?? -1); // stays while the pointer is on other patches
    this.tools.draw();
    Object.assign(root.dataset, {
      query: token, layer: data.isPool(view.layer) ? "pool" : view.layer, head: view.head ?? "mean", pinned: view.query ?? "",
      direction: view.direction, scale: view.scale, topKey: weights ? top : "", topWeight: weights ? weights[top] : "",
    });
  }

  place(box, token) {
    box.hidden = Array.isArray(token) || token < this.data.prefix;
    if (box.hidden) return;
    const [row, column] = this.data.place(token);
    const [rows, columns] = this.data.grid;
    box.style.transform = `translate(${column * 100}%, ${row * 100}%)`;
    box.style.width = `${100 / columns}%`;
    box.style.height = `${100 / rows}%`;
  }

  drawWords(weights) {
    const { data, ref, view, token } = this;
    ref.status.textContent = statusWords(data, view, token, weights);
    const texts = weights ? [...endWords(data, view.scale, weights), factWords(data, view, weights)] : ["", "", ""];
    [ref.low.textContent, ref.high.textContent, ref.facts.textContent] = texts;
  }

  drawControls() {
    const { data, ref, root, view } = this;
    const query = Array.isArray(view.query) ? "region" : view.query;
    const state = JSON.stringify([{ ...view, query }, this.hovered === null ? null : "hover", data.key, this.style.opacity]);
    if (state === this.controlsDrawn) return; // independent of the patch under the pointer
    this.controlsDrawn = state;
    const directions = [...root.querySelectorAll("[data-direction]")];
    const isChosen = ({ dataset }) => dataset.direction === view.direction;
    for (const button of directions) button.setAttribute("aria-checked", isChosen(button));
    rove(directions, isChosen);
    ref.scale.value = view.scale;
    this.painter.colourBar(ref.bar, view.scale, this.style.opacity);
    for (const button of ref.prefix.children) {
      button.setAttribute("aria-pressed", Number(button.dataset.token) === (view.query ?? data.home()));
    }
    const isFramed = ({ dataset: { layer, head } }) => Number(layer) === view.layer && Number(head) === this.headColumn;
    for (const button of ref.buttons.children) button.setAttribute("aria-pressed", isFramed(button));
    rove(ref.buttons.children, isFramed);
    root.classList.toggle("pinned", view.query !== null);
    root.classList.toggle("pooled", data.isPool(view.layer));
    // while the pointer moves, the text changes too often for screen readers
    ref.status.setAttribute("aria-live", this.hovered === null ? "polite" : "off");
  }

  // ------------------------------------------------------------------ user input

  listen() {
    const { ref, root } = this;
    onHover(this.listening, ref.stage, (event) => this.hover(event && !this.tools.holds ? this.patchAt(event) : null));
    this.on(ref.stage, "click", (event) => {
      if (this.tools.kind) return;
      const patch = this.patchAt(event);
      this.pin(patch === this.view.query ? null : patch); // a second click unpins the token
    });
    this.on(ref.prefix, "click", (event) => {
      const button = event.target.closest("button");
      if (button) this.pin(Number(button.dataset.token));
    });
    this.on(ref.buttons, "click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(Number(button.dataset.layer), Number(button.dataset.head));
    });
    this.on(ref.best, "click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(...button.dataset.head.split(" ").map(Number));
    });
    this.on(ref.clear, "click", () => this.pin(null));
    for (const button of root.querySelectorAll("[data-direction]")) {
      this.on(button, "click", () => this.change({ direction: button.dataset.direction }));
    }
    this.on(ref.scale, "change", () => this.change({ scale: ref.scale.value }));
    this.on(ref.opacity, "input", () => this.changeStyle({ opacity: ref.opacity.valueAsNumber }));
    for (const name of ["smooth", "marks"]) this.on(ref[name], "change", () => this.changeStyle({ [name]: ref[name].checked }));
    this.on(ref.link, "click", () => this.copyLink());
    this.on(document, "pointerdown", (event) => { // a click elsewhere closes the help
      if (!event.composedPath().includes(ref.help)) ref.help.open = false;
    });
  }

  restyle(style) {
    const { ref } = this;
    this.style = style; // as vitviz.viz.colour.Style
    ref.opacity.value = style.opacity;
    for (const name of ["smooth", "marks"]) ref[name].checked = style[name];
    this.ranking.use(style.relation);
    ref.heat.style.opacity = style.opacity / 100;
    ref.heat.classList.toggle("smooth", style.smooth);
  }

  // changes are shown at once and sent after a pause
  changeStyle(changes) {
    this.restyle({ ...this.style, ...changes });
    this.schedule();
    clearTimeout(this.styleTimer);
    this.styleTimer = setTimeout(() => this.sendStyle(), 250);
  }

  sendStyle() {
    clearTimeout(this.styleTimer);
    this.styleTimer = null;
    this.mount.send("style", this.style, { instead: true });
  }

  patchAt(event) {
    return this.data.tokenAt(cellAt(event, this.ref.picture, this.data.grid));
  }

  hover(token) {
    if (token === this.hovered || this.zoom.isMoving) return;
    this.hovered = token;
    this.schedule();
  }

  pin(query) {
    if (patchesOf(query, this.data.prefix).length) this.hint.end();
    this.hovered = null;
    this.change({ query });
    const places = patchesOf(query, this.data.prefix).map((token) => this.data.place(token));
    if (places.length && !places.some((place) => this.zoom.shows(place, this.data.grid))) this.zoom.reveal(places[0], this.data.grid);
  }

  // show a query that is still being drawn
  preview(query) {
    this.hovered = null;
    this.view = { ...this.view, query };
    this.schedule();
  }

  choose(layer, headColumn) {
    this.change({ layer, head: headColumn === this.data.mean ? null : headColumn });
  }

  change(changes, wait = 0) {
    this.view = { ...this.view, ...changes };
    this.mount.want?.(partOf(this.view.layer));
    this.schedule();
    clearTimeout(this.viewTimer);
    this.viewTimer = setTimeout(() => this.sendView(), wait);
  }

  sendView() {
    clearTimeout(this.viewTimer);
    this.viewTimer = null;
    this.pins.add(this.view.query, this.data.places);
    this.mount.send("view", { view: this.view, places: this.data.places }, { instead: true });
  }

  async copyLink() {
    const { copied } = this.ref;
    try {
      await navigator.clipboard.writeText(window.location.href);
      copied.textContent = "Link copied";
    } catch { // the clipboard requires https
      copied.textContent = "Copy the address bar";
    }
    setTimeout(() => { copied.textContent = ""; }, 2000);
  }
}

// name of a layer's part, as in payload.py
const partOf = (layer) => `layer ${layer}`;
