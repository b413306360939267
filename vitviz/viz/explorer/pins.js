// History of pins, for undo and redo.

import { disable } from "../browser/elements.js";

const MOST = 100;
const isSame = (a, b) => `${a}` === `${b}`;

export class Pins {
  // `show` gets the query to return to: a token, several patches, or null
  // after `settle` has added what is still waiting
  constructor({ ref, listening }, settle, show) {
    Object.assign(this, { ref, settle, show, places: undefined });
    listening.on(ref.undo, "click", () => this.step(-1));
  }

  // Add the present query. Queries on other places, of another model or size, are forgotten.
  add(query, places) {
    if (this.places === undefined || !isSame(places, this.places)) {
      Object.assign(this, { places, all: [query], at: 0 });
    } else if (!isSame(query, this.all[this.at])) {
      this.all = [...this.all.slice(0, this.at + 1), query].slice(-MOST);
      this.at = this.all.length - 1;
    }
    this.draw();
  }

  // back for -1, forward for 1
  step(by) {
    this.settle();
    if (this.all?.[this.at + by] === undefined) return;
    this.at += by;
    this.show(this.all[this.at]);
    this.draw();
  }

  draw() {
    disable(this.ref.undo, this.at === 0, this.ref.stage);
  }
}
