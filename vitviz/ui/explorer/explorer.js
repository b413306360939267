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
    const sameGrid = !before || String(before.grid) === String(header.grid);
    this.view = this.fitted(this.view ?? header.view, sameGrid); // another image keeps the visitor's own view
    this.controlsDrawn = null;
    if (before?.picture_id !== header.picture_id || !sameGrid) {
      this.hovered = null;
      this.buildStage();
    }
    const shape = ({ layers, heads, prefix_marks: marks }) => `${layers} ${heads} ${marks}`;
    if (!before || shape(before) !== shape(header)) { // else the buttons stay, and with them the keyboard's focus
      this.buildPrefix();
      this.buildOverview();
    }
    this.draw();
  }

  // the same rules as vitviz.view.View.fitted and let_go
  fitted(view, sameGrid) {
    const { layers, heads, tokens, prefix } = this.data;
    const within = (value, count) => value !== null && value >= 0 && value < count;
    return {
      ...view,
      layer: within(view.layer, layers) ? view.layer : layers - 1,
      head: within(view.head, heads) ? view.head : null,
      query: within(view.query, sameGrid ? tokens : prefix) ? view.query : null,
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
    const { ref, data: { layers, heads } } = this;
    this.root.style.setProperty("--layers", layers);
    this.root.style.setProperty("--heads", heads + 1);
    const headName = (head) => (head === heads ? "mean" : `${head + 1}`);
    ref.heads.replaceChildren(element("span", { textContent: "head" }),
      ...range(heads + 1).map((head) => element("span", { textContent: headName(head) })));
    ref.layers.replaceChildren(...range(layers).map((layer) => element("span", { textContent: `L${layer + 1}` })));
    ref.buttons.replaceChildren(...range(layers).flatMap((layer) => range(heads + 1).map((head) => {
      const name = head === heads ? `Layer ${layer + 1}, mean of the heads` : `Layer ${layer + 1}, head ${head + 1}`;
      return element("button", { type: "button", title: name, tabIndex: -1 }, { layer, head, "aria-label": name });
    })));
  }

  // ------------------------------------------------------------------ drawing

  get token() {
    return this.hovered ?? this.view.query ?? this.data.home();
  }

  get headColumn() {
    return this.view.head ?? this.data.heads;
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
    painter.overlay(ref.heat, weights, view.scale);
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
      query: token, layer: view.layer, head: view.head ?? "mean", pinned: view.query ?? "",
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
    const head = view.head === null ? "mean of the heads" : `head ${view.head + 1}`;
    const about = `Layer ${view.layer + 1}, ${head}, ${data.words(token)}`;
    if (!weights) {
      ref.status.textContent = `${about}: fetching this layer …`;
      [ref.low.textContent, ref.high.textContent, ref.facts.textContent] = ["", "", ""];
      return;
    }
    const top = data.strongestPatch(weights);
    const strongest = view.direction === "from"
      ? `strongest on ${data.words(top)}, ${percent(weights[top])}`
      : `${data.words(top)} looks at it most, ${percent(weights[top])}`;
    const first = weights.indexOf(Math.max(...weights.subarray(0, data.prefix)));
    const more = first >= 0 && first < data.prefix && weights[first] > weights[top]
      ? ` (${data.prefix_marks[first]} has more: ${percent(weights[first])})` : "";
    ref.status.textContent = `${about}: ${strongest}${more}`;
    [ref.low.textContent, ref.high.textContent] = this.ends(weights[top]);
    ref.facts.textContent = view.direction === "from" ? this.rowFacts(weights) : this.columnFacts(weights);
  }

  ends(largest) {
    const times = 2 ** this.data.uniform_range;
    return { share: ["0", percent(largest)], raw: ["0", "100 %"], uniform: [`≤ 1/${times} ×`, `≥ ${times} ×`] }[this.view.scale];
  }

  rowFacts(weights) {
    const { prefix, tokens, prefix_marks: marks } = this.data;
    const shares = marks.map((mark, token) => `${percent(weights[token])} to ${mark}`);
    const toPrefix = shares.length > 2
      ? [`${percent(sumOf(weights, 0, prefix))} to ${marks[0]} and the other ${prefix - 1} before the patches`]
      : shares;
    const entropy = `entropy ${entropyBits(weights).toFixed(1)} of ${Math.log2(tokens).toFixed(1)} bit`;
    return [...toPrefix, entropy].join(" · ");
  }

  columnFacts(weights) {
    const { prefix, tokens, prefix_marks: marks } = this.data;
    const given = marks.slice(0, 2).map((mark, token) => `${mark} gives it ${percent(weights[token])}`);
    const times = (sumOf(weights, 0, tokens)).toFixed(2);
    return [...given.slice(0, prefix), `receives ${times} × its even share`].join(" · ");
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
    // while the pointer moves, the words change too often to be read aloud
    ref.status.setAttribute("aria-live", this.hovered === null ? "polite" : "off");
    ref.note.hidden = data.held.length === data.layers;
    ref.note.textContent = "At this size the framed layer follows the pointer; the other layers show the pinned token.";
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
    this.change({ layer, head: headColumn === this.data.heads ? null : headColumn });
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
    const { data: { layers, heads }, view, headColumn } = this;
    const held = 250; // a key that is held down moves the view at once, and Python hears of it when it is let go
    const turn = (value, step, count) => (value + step + count) % count;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const inOverview = event.target.parentElement === this.ref.buttons;
    const chooseAnd = (layer, head) => {
      this.view = { ...this.view, layer, head: head === heads ? null : head };
      this.change({}, held);
      if (inOverview) this.ref.buttons.children[layer * (heads + 1) + head].focus();
    };
    if (event.key === "Escape") this.ref.help.open ? (this.ref.help.open = false) : this.pin(null);
    else if (event.key === "[") chooseAnd(turn(view.layer, -1, layers), headColumn);
    else if (event.key === "]") chooseAnd(turn(view.layer, 1, layers), headColumn);
    else if (event.key === ",") chooseAnd(view.layer, turn(headColumn, -1, heads + 1));
    else if (event.key === ".") chooseAnd(view.layer, turn(headColumn, 1, heads + 1));
    else if (step && inOverview) chooseAnd(turn(view.layer, step[0], layers), turn(headColumn, step[1], heads + 1));
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

const range = (count) => Array.from({ length: count }, (_, i) => i);

function element(tag, properties, attributes = {}) {
  const node = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name.includes("-") ? name : `data-${name}`, value);
  }
  return node;
}
