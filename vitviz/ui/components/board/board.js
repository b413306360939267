// Board of layers and heads: buttons that show the edit of each part. Python handles the clicks.

import { Component } from "../../../viz/browser/component.js";
import { element, setText } from "../../../viz/browser/elements.js";
import { onKeys, rove } from "../../../viz/browser/keys.js";
import { mounted } from "../_shared/mounted.js";
import { clamp } from "../../../viz/browser/pointer.js";

export default function (component) {
  return mounted(Board, "[data-testid=board]", component);
}

class Board extends Component {
  constructor(root, mount) {
    super(root, mount);
    this.at = [0, 1]; // row and column of the button in the tab order
    const { cells } = this.ref;
    this.on(cells, "click", (event) => this.click(event.target.closest("button")));
    onKeys(this.listening, cells, (event, step) => this.key(event, step));
    this.on(cells, "focusin", (event) => this.reach(event.target));
    this.on(cells, "pointerover", (event) => this.announce(event.target.closest("button")));
    this.on(document.fonts, "loadingdone", () => this.fit());
    this.listening.onResize(cells, () => this.fit());
  }

  // ------------------------------------------------------------------ data from Python

  receive(data) {
    const before = this.data;
    this.data = data;
    if (before?.layers !== data.layers || before?.heads !== data.heads) this.build();
    if (String(before?.selected) !== String(data.selected) && !this.hasFocus) this.at = this.framed;
    this.mark();
  }

  build() {
    const { data: { layers, heads }, ref } = this;
    ref.cells.style.setProperty("--heads", heads);
    const columns = [...Array(heads).keys(), "attention", "mlp"];
    const title = { all: "head", attention: "attention", mlp: "MLP" };
    const row = (cells) => element("div", { className: "row" }, { role: "row" }, cells);
    const head = row(["all", ...columns].map((column) =>
      element("span", { textContent: title[column] ?? column + 1 }, { role: "columnheader" })));
    this.buttons = Array.from({ length: layers }, (_, layer) => ["all", ...columns].map((column) =>
      element("button", { type: "button", tabIndex: -1 }, { "data-layer": layer, "data-column": column })));
    ref.cells.replaceChildren(head, ...this.buttons.map((line) => row(line.map((button) => {
      const cell = element("div", {}, { role: "gridcell" }, [button]);
      cell.style.display = "contents";
      return cell;
    }))));
    this.at = this.framed;
  }

  mark() {
    const { data } = this;
    const key = (layer, column) => `${layer}/${column}`;
    const cells = new Map(data.cells.map((cell) => [key(cell.layer, cell.column), cell]));
    const waiting = new Set(this.mount.pending("click").map((click) => key(click.layer, click.column)));
    for (const button of this.buttons.flat()) {
      const { layer, column } = button.dataset;
      const cell = cells.get(key(layer, column));
      const looked = data.selected && key(...data.selected) === key(layer, column);
      const kind = column === "all" ? "name" : isNaN(column) ? "part" : "head";
      button.className = [kind, cell?.kind, looked && "looked", waiting.has(key(layer, column)) && "waiting"]
        .filter(Boolean).join(" ");
      const mark = `L${Number(layer) + 1}`;
      if (column === "all") button.textContent = mark;
      else button.dataset.sign = cell?.sign ?? "·"; // drawn by the style sheet; its meaning is part of the accessible name
      button.dataset.state = cell?.kind ?? "on";
      const part = { attention: "attention", mlp: "MLP" }[column] ?? `head ${Number(column) + 1}`;
      const state = `${cell?.description ?? "on"}${looked ? "; shown below" : ""}`;
      const name = `Layer ${Number(layer) + 1}, ${part}: ${state}`;
      button.setAttribute("aria-label", column === "all" ? `${mark}: all of layer ${Number(layer) + 1}` : name);
      if (column !== "all") button.setAttribute("aria-pressed", Boolean(cell));
    }
    this.fit();
    this.reach(this.button);
    if (this.hasFocus || this.announced) this.announce(this.announced);
  }

  // Columns have fixed widths; text that is too wide gets a smaller font size.
  fit() {
    const written = [...this.ref.cells.querySelectorAll("button, [role=columnheader]")];
    for (const node of written) node.style.fontSize = "";
    const shares = written.map((node) => node.clientWidth / node.scrollWidth);
    written.forEach((node, i) => {
      if (shares[i] < 1) node.style.fontSize = `${Math.floor(100 * shares[i])}%`;
    });
  }

  // ------------------------------------------------------------------ user input

  get hasFocus() {
    return this.root.contains(this.root.getRootNode().activeElement);
  }

  // initial position of the focus: the selected part
  get framed() {
    const [layer, column] = this.data.selected ?? [0, 0];
    return [layer, typeof column === "number" ? column + 1 : this.data.heads + 1 + ["attention", "mlp"].indexOf(column)];
  }

  get button() {
    return this.buttons[this.at[0]][this.at[1]];
  }

  // make a button the only one in the tab order
  reach(button) {
    if (button?.tagName !== "BUTTON") return;
    rove(this.buttons.flat(), (other) => other === button);
    const row = this.buttons.findIndex((line) => line.includes(button));
    this.at = [row, this.buttons[row].indexOf(button)];
    if (button.matches(":focus")) this.announce(button);
  }

  announce(button) {
    if (!button) return;
    this.announced = button;
    setText(this.ref.status, button.getAttribute("aria-label"));
  }

  click(button) {
    if (!button) return;
    const { data: { layers, heads } } = this;
    const { layer, column } = button.dataset;
    const place = { layer: Number(layer), column: isNaN(column) ? column : Number(column) };
    this.mount.send("click", { ...place, layers, heads });
    this.announce(button);
    this.mark();
  }

  key(event, step) {
    const end = { Home: 0, End: this.data.heads + 2 }[event.key];
    if (step) this.at = this.at.map((at, i) => clamp(at + step[i], [this.data.layers, this.data.heads + 3][i]));
    else if (end !== undefined) this.at = [this.at[0], end];
    else return false;
    this.button.focus();
    return true;
  }
}
