// The explorer: what is shown, what the visitor does, and what Python hears of it (only pins and choices, never hovering).
// Streamlit calls the default export again after each rerun; one Explorer lives as long as its place in the page.

const explorers = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector("[data-testid=explorer]");
  if (!explorers.has(parentElement)) explorers.set(parentElement, new Explorer(root));
  const explorer = explorers.get(parentElement);
  explorer.tell = (view) => setStateValue("view", view);
  explorer.receive(data);
  return () => {
    explorer.close();
    explorers.delete(parentElement);
  };
}

class Explorer {
  constructor(root) {
    this.root = root;
    this.view = null; // { layer, head (null: mean), query (null: nothing pinned), direction, scale }, as vitviz.view.View
    this.hovered = null;
    this.ref = Object.fromEntries([...root.querySelectorAll("[data-ref]")].map((node) => [node.dataset.ref, node]));
    this.listening = new AbortController();
    this.listen();
  }

  close() {
    this.listening.abort();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.telling);
    URL.revokeObjectURL(this.ref.photo.src);
  }

  // ------------------------------------------------------------------ data from Python

  receive(bytes) {
    const header = readHeader(bytes);
    const before = this.data;
    if (before?.key === header.key) return;
    this.data = new AttentionData(bytes, header);
    this.painter = new Painter(this.data);
    const places = ({ grid, prefix_names: names }) => `${grid} ${names.length}`; // as vitviz.view.places
    const sameGrid = !before || places(before) === places(header);
    const pins = sameGrid ? this.data.tokens : Math.min(before.prefix, this.data.prefix); // tokens that are what they were
    this.view = this.fitted(this.view ?? header.view, pins); // another image keeps the visitor's own view
    this.controlsDrawn = null;
    if (before?.picture_id !== header.picture_id || !sameGrid) {
      this.hovered = null;
      this.buildStage();
    }
    const shape = ({ layers, heads, pool_heads: pool, prefix_marks: marks }) => `${layers} ${heads} ${pool} ${marks}`;
    if (!before || shape(before) !== shape(header)) { // else the buttons stay, and with them the keyboard's focus
      this.buildPrefix();
      this.buildOverview();
    }
    this.buildWords();
    this.draw();
  }

  // the same rules as vitviz.view.View.fitted and let_go
  fitted(view, pins) {
    const { layers, levels, colours } = this.data;
    const within = (value, count) => value !== null && value >= 0 && value < count;
    const layer = within(view.layer, levels) ? view.layer : layers - 1;
    return {
      ...view,
      layer,
      head: within(view.head, this.data.headsOf(layer)) ? view.head : null,
      query: within(view.query, pins) ? view.query : null,
      scale: view.scale in colours ? view.scale : "share",
    };
  }

  buildStage() {
    const { ref, data } = this;
    const [rows, columns] = data.grid;
    URL.revokeObjectURL(ref.photo.src);
    ref.photo.src = URL.createObjectURL(data.picture);
    ref.photo.alt = data.image_name;
    this.root.style.setProperty("--rows", rows);
    this.root.style.setProperty("--columns", columns);
  }

  buildPrefix() {
    const { ref, data } = this;
    ref.prefix.replaceChildren(...data.prefix_names.map((name, token) =>
      element("button", { type: "button", textContent: data.prefix_marks[token], title: `Pin the ${name}` },
        { token, "aria-label": `Pin the ${name}` })));
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
        { layer: level, head: column, "aria-label": name });
      button.style.gridArea = `${level + 1} / ${column + 1}`; // a level may have fewer heads than there are columns
      return button;
    })));
  }

  // what is said of the whole model, and which scales mean something for it
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

  // at most one drawing a frame, however fast the pointer is
  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  draw() {
    performance.mark("vitviz-draw");
    const { data, painter, ref, view } = this;
    data.attend(this.token, view.direction, view.query ?? data.home());
    const weights = this.weights();
    painter.overlay(ref.heat, weights, view.scale, data.reads(view.layer));
    painter.overview(ref.overview, view.scale);
    this.drawMarks(weights);
    this.drawWords(weights);
    this.drawControls();
    performance.measure("vitviz-draw", "vitviz-draw");
    performance.clearMarks("vitviz-draw");
    this.drawn = (this.drawn ?? 0) + 1;
    if (this.drawn % 1000 === 0) performance.clearMeasures("vitviz-draw"); // the page may stay open for hours
  }

  // what the framed head shows for the token under the pointer; null while Python has not sent it yet
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
    this.place(ref.pin, view.query ?? -1); // stays while the pointer asks about other patches
    Object.assign(root.dataset, {
      query: token, layer: data.isPool(view.layer) ? "pool" : view.layer, head: view.head ?? "mean", pinned: view.query ?? "",
      direction: view.direction, scale: view.scale, topKey: weights ? top : "", topWeight: weights ? weights[top] : "",
    });
  }

  place(box, token) {
    box.hidden = token < this.data.prefix;
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
    const said = weights ? [...endWords(data, view.scale, weights), factWords(data, view, weights)] : ["", "", ""];
    [ref.low.textContent, ref.high.textContent, ref.facts.textContent] = said;
  }

  drawControls() {
    const { data, ref, root, view } = this;
    const state = JSON.stringify([view, this.hovered === null ? null : "hover", data.key]);
    if (state === this.controlsDrawn) return; // nothing here depends on which patch the pointer is over
    this.controlsDrawn = state;
    for (const button of root.querySelectorAll("[data-direction]")) {
      const chosen = button.dataset.direction === view.direction;
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
    ref.scale.value = view.scale;
    this.painter.colourBar(ref.bar, view.scale);
    for (const button of ref.prefix.children) {
      button.setAttribute("aria-pressed", Number(button.dataset.token) === (view.query ?? data.home()));
    }
    for (const button of ref.buttons.children) {
      const chosen = Number(button.dataset.layer) === view.layer && Number(button.dataset.head) === this.headColumn;
      button.setAttribute("aria-pressed", chosen);
      button.tabIndex = chosen ? 0 : -1; // one stop for the tab key; arrows move within
    }
    root.classList.toggle("pinned", view.query !== null);
    root.classList.toggle("pooled", data.isPool(view.layer));
    // while the pointer moves, the words change too often to be read aloud
    ref.status.setAttribute("aria-live", this.hovered === null ? "polite" : "off");
  }

  // ------------------------------------------------------------------ what the visitor does

  listen() {
    const { ref, root } = this;
    const on = (node, event, act) => node.addEventListener(event, act, { signal: this.listening.signal });
    on(ref.stage, "pointermove", (event) => this.hover(this.patchAt(event)));
    on(ref.stage, "pointerleave", () => this.hover(null));
    on(ref.stage, "pointercancel", () => this.hover(null));
    on(ref.stage, "click", (event) => {
      const patch = this.patchAt(event);
      this.pin(patch === this.view.query ? null : patch); // a second click lets go
    });
    on(ref.prefix, "click", (event) => {
      const button = event.target.closest("button");
      if (button) this.pin(Number(button.dataset.token));
    });
    on(ref.buttons, "click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(Number(button.dataset.layer), Number(button.dataset.head));
    });
    for (const button of root.querySelectorAll("[data-direction]")) {
      on(button, "click", () => this.change({ direction: button.dataset.direction }));
    }
    on(ref.scale, "change", () => this.change({ scale: ref.scale.value }));
    on(ref.opacity, "input", () => { ref.heat.style.opacity = ref.opacity.value / 100; });
    on(ref.smooth, "change", () => ref.heat.classList.toggle("smooth", ref.smooth.checked));
    on(ref.link, "click", () => this.copyLink());
    on(root, "keydown", (event) => this.key(event));
    on(document, "pointerdown", (event) => { // a click elsewhere puts the help away
      if (!event.composedPath().includes(ref.help)) ref.help.open = false;
    });
  }

  patchAt(event) {
    const { data, ref } = this;
    const [rows, columns] = data.grid;
    const box = ref.stage.getBoundingClientRect();
    const at = (offset, length, count) => Math.min(count - 1, Math.max(0, Math.floor(offset / length * count)));
    const row = at(event.clientY - box.top, box.height, rows);
    return data.prefix + row * columns + at(event.clientX - box.left, box.width, columns);
  }

  hover(token) {
    if (token === this.hovered) return;
    this.hovered = token;
    this.schedule();
  }

  pin(query) {
    this.hovered = null;
    this.change({ query });
  }

  choose(layer, headColumn) {
    this.change({ layer, head: headColumn === this.data.mean ? null : headColumn });
  }

  change(changes, wait = 0) {
    this.view = { ...this.view, ...changes };
    this.schedule();
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell(this.view), wait);
  }

  key(event) {
    const typed = event.key.length === 1 && event.getModifierState("AltGraph"); // how [ and ] are typed on many keyboards
    if (!typed && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (event.target.matches("select, input")) return;
    const { data, view } = this;
    const held = 250; // a key that is held down moves the view at once, and Python hears of it when it is let go
    const turn = (value, step, count) => (value + step + count) % count;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const inOverview = event.target.parentElement === this.ref.buttons;
    const choose = (layer, head) => {
      this.change({ layer, head: head < data.headsOf(layer) ? head : null }, held);
      const column = this.headColumn;
      if (inOverview) this.ref.buttons.querySelector(`[data-layer="${layer}"][data-head="${column}"]`).focus();
    };
    const heads = data.headsOf(view.layer);
    const otherLayer = (by) => choose(turn(view.layer, by, data.levels), view.head ?? data.mean);
    const otherHead = (by) => choose(view.layer, turn(view.head ?? heads, by, heads + 1));
    if (event.key === "Escape") this.ref.help.open ? (this.ref.help.open = false) : this.pin(null);
    else if (event.key === "[") otherLayer(-1);
    else if (event.key === "]") otherLayer(1);
    else if (event.key === ",") otherHead(-1);
    else if (event.key === ".") otherHead(1);
    else if (step && inOverview) step[0] ? otherLayer(step[0]) : otherHead(step[1]);
    else if (step && event.target.dataset.direction) this.otherDirection();
    else if (step && event.target === this.ref.stage) this.movePatch(step, held);
    else if ((event.key === "Enter" || event.key === " ") && event.target === this.ref.stage) this.pin(this.token);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  otherDirection() {
    this.change({ direction: this.view.direction === "from" ? "to" : "from" });
    this.draw();
    this.root.querySelector(`[data-direction=${this.view.direction}]`).focus();
  }

  // from a token before the patches, the first arrow goes to the middle of the picture
  movePatch([down, right], wait) {
    const { data } = this;
    const [rows, columns] = data.grid;
    const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));
    const [row, column] = this.token < data.prefix
      ? [Math.floor(rows / 2), Math.floor(columns / 2)]
      : data.place(this.token).map((at, axis) => clamp(at + [down, right][axis], [rows, columns][axis]));
    this.hovered = null;
    this.change({ query: data.prefix + row * columns + column }, wait);
  }

  async copyLink() {
    const { link } = this.ref;
    try {
      await navigator.clipboard.writeText(window.location.href);
      link.textContent = "Copied";
    } catch { // a page without https may not write the clipboard
      link.textContent = "Copy the address bar";
    }
    setTimeout(() => { link.textContent = "Copy link"; }, 2000);
  }
}

function element(tag, properties, attributes = {}) {
  const node = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name.includes("-") ? name : `data-${name}`, value);
  }
  return node;
}
