// The board of layers and heads: buttons that say what has been done to each part. Python decides what a click does.
// The part before this one is mounted.js.

export default function (component) {
  return mounted(Board, "[data-testid=board]", component);
}

class Board {
  constructor(root, mount) {
    this.root = root;
    this.mount = mount;
    this.ref = Object.fromEntries([...root.querySelectorAll("[data-ref]")].map((node) => [node.dataset.ref, node]));
    this.at = [0, 1]; // row and place of the button that Tab reaches
    this.listening = new AbortController();
    const on = (event, act) => this.ref.cells.addEventListener(event, act, { signal: this.listening.signal });
    on("click", (event) => this.click(event.target.closest("button")));
    on("keydown", (event) => this.key(event));
    on("focusin", (event) => this.reach(event.target));
    on("pointerover", (event) => this.say(event.target.closest("button")));
    document.fonts.addEventListener("loadingdone", () => this.fit(), { signal: this.listening.signal });
    const resized = new ResizeObserver(() => this.fit());
    resized.observe(this.ref.cells);
    this.listening.signal.addEventListener("abort", () => resized.disconnect());
  }

  close() {
    this.listening.abort();
  }

  // ------------------------------------------------------------------ data from Python

  receive(data) {
    const before = this.data;
    this.data = data;
    if (before?.layers !== data.layers || before?.heads !== data.heads) this.build();
    if (String(before?.looked_at) !== String(data.looked_at) && !this.hasFocus) this.at = this.framed;
    this.mark();
  }

  build() {
    const { data: { layers, heads }, ref } = this;
    ref.cells.style.setProperty("--heads", heads);
    const columns = [...Array(heads).keys(), "attention", "mlp"];
    const title = { all: "head", attention: "attention", mlp: "MLP" };
    const row = (cells) => {
      const line = Object.assign(document.createElement("div"), { className: "row" });
      line.setAttribute("role", "row");
      line.append(...cells);
      return line;
    };
    const head = row(["all", ...columns].map((column) => {
      const cell = Object.assign(document.createElement("span"), { textContent: title[column] ?? column + 1 });
      cell.setAttribute("role", "columnheader");
      return cell;
    }));
    this.buttons = Array.from({ length: layers }, (_, layer) => ["all", ...columns].map((column) => {
      const button = Object.assign(document.createElement("button"), { type: "button", tabIndex: -1 });
      Object.assign(button.dataset, { layer, column });
      return button;
    }));
    ref.cells.replaceChildren(head, ...this.buttons.map((line) => row(line.map((button) => {
      const cell = document.createElement("div");
      cell.setAttribute("role", "gridcell");
      cell.style.display = "contents";
      cell.append(button);
      return cell;
    }))));
    this.at = this.framed;
  }

  mark() {
    const { data } = this;
    const key = (layer, column) => `${layer}/${column}`;
    const cells = new Map(data.cells.map((cell) => [key(cell.layer, cell.column), cell]));
    const waiting = new Set(this.mount.unheard("click").map((click) => key(click.layer, click.column)));
    for (const button of this.buttons.flat()) {
      const { layer, column } = button.dataset;
      const cell = cells.get(key(layer, column));
      const looked = data.looked_at && key(...data.looked_at) === key(layer, column);
      const kind = column === "all" ? "name" : isNaN(column) ? "part" : "head";
      button.className = [kind, cell?.kind, looked && "looked", waiting.has(key(layer, column)) && "waiting"]
        .filter(Boolean).join(" ");
      const mark = `L${Number(layer) + 1}`;
      if (column === "all") button.textContent = mark;
      else button.dataset.sign = cell?.sign ?? "·"; // drawn by the style sheet: what it means is part of the name
      button.dataset.state = cell?.kind ?? "on";
      const part = { attention: "attention", mlp: "MLP" }[column] ?? `head ${Number(column) + 1}`;
      const state = `${cell?.words ?? "on"}${looked ? "; shown below" : ""}`;
      const name = `Layer ${Number(layer) + 1}, ${part}: ${state}`;
      button.setAttribute("aria-label", column === "all" ? `${mark}: all of layer ${Number(layer) + 1}` : name);
      if (column !== "all") button.setAttribute("aria-pressed", Boolean(cell));
    }
    this.fit();
    this.reach(this.button);
    if (this.hasFocus || this.spoken) this.say(this.spoken);
  }

  // Columns keep their widths, whatever stands in them and whatever font draws it: what is too wide is written smaller.
  fit() {
    const written = [...this.ref.cells.querySelectorAll("button, [role=columnheader]")];
    for (const node of written) node.style.fontSize = "";
    const shares = written.map((node) => node.clientWidth / node.scrollWidth);
    written.forEach((node, i) => {
      if (shares[i] < 1) node.style.fontSize = `${Math.floor(100 * shares[i])}%`;
    });
  }

  // ------------------------------------------------------------------ what the visitor does

  get hasFocus() {
    return this.root.contains(this.root.getRootNode().activeElement);
  }

  // where Tab begins: at the part that is framed, so that only one looks chosen
  get framed() {
    const [layer, column] = this.data.looked_at ?? [0, 0];
    return [layer, typeof column === "number" ? column + 1 : this.data.heads + 1 + ["attention", "mlp"].indexOf(column)];
  }

  get button() {
    return this.buttons[this.at[0]][this.at[1]];
  }

  // the one button that Tab reaches
  reach(button) {
    if (button?.tagName !== "BUTTON") return;
    for (const other of this.buttons.flat()) other.tabIndex = other === button ? 0 : -1;
    const row = this.buttons.findIndex((line) => line.includes(button));
    this.at = [row, this.buttons[row].indexOf(button)];
    if (button.matches(":focus")) this.say(button);
  }

  say(button) {
    if (!button) return;
    this.spoken = button;
    const words = button.getAttribute("aria-label");
    setText(this.ref.status, words);
  }

  click(button) {
    if (!button) return;
    const { data: { layers, heads } } = this;
    const { layer, column } = button.dataset;
    const place = { layer: Number(layer), column: isNaN(column) ? column : Number(column) };
    this.mount.tell("click", { ...place, layers, heads });
    this.say(button);
    this.mark();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const end = { Home: 0, End: this.data.heads + 2 }[event.key];
    if (step) this.at = this.at.map((at, i) => Math.min(Math.max(at + step[i], 0), (i ? this.data.heads + 3 : this.data.layers) - 1));
    else if (end !== undefined) this.at = [this.at[0], end];
    else return;
    this.button.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
