// Hint shown until the user has followed it once, which the browser stores.

const DONE = "vitviz-has-pointed";

export class Hint {
  constructor(line) {
    this.line = line;
    this.done = remembers(DONE);
    line.textContent = matchMedia("(hover: hover)").matches
      ? "Hover a patch to see what it attends to; click to pin" : "Touch a patch to see what it attends to";
    line.hidden = this.done;
  }

  end() {
    if (this.done) return;
    this.done = this.line.hidden = true;
    try {
      localStorage.setItem(DONE, "yes");
    } catch { /* without storage, the hint is shown again next time */ }
  }
}

function remembers(name) {
  try {
    return localStorage.getItem(name) !== null;
  } catch {
    return false;
  }
}
