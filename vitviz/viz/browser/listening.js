// Event listeners and observers of a component, which are removed together.

export class Listening {
  #until = new AbortController();

  on(node, event, act, options = {}) {
    node.addEventListener(event, act, { ...options, signal: this.#until.signal });
  }

  // Call `act` with the size of a node, now and after each change.
  onResize(node, act) {
    const observer = new ResizeObserver(([{ contentRect }]) => act(contentRect));
    observer.observe(node);
    this.onEnd(() => observer.disconnect());
  }

  onEnd(act) {
    this.#until.signal.addEventListener("abort", act);
  }

  end() {
    this.#until.abort();
  }
}
