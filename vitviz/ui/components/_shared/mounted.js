// What all components share: how they live in the page, and how they speak with Python.
//
// Streamlit calls a component again after each rerun, and may at any time take it off the page and put it there anew. What
// is shown is the session's: a component begins with what Python says and follows it. Only while something that the visitor
// did has not been heard is Python's word older than what the visitor sees; then the component keeps its own.

import { Listening } from "./listening.js";

const MOST_MESSAGES = 100; // that may wait, as vitviz/ui/components/_shared/messages.py has it
const mounts = new WeakMap(); // place in the page -> Mount
const memories = new Map(); // key of a component -> what only the browser knows, such as where a slider stands
let lastNumber = 0; // of all messages of this page: one that is told after a new mount is no repetition of an older one

// What a component's default export does. `selector` finds the component's own element; a `Kind` has receive(data, parts),
// where the parts are those of `data.held` that have arrived, each in its place; it may have close(), and `static
// momentary = true` where what it tells means nothing to a later session.
export function mounted(Kind, selector, { data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(selector);
  let mount = mounts.get(parentElement);
  if (mount?.root !== root) {
    mount?.end();
    mount = new Mount(Kind, root, data.key);
    mounts.set(parentElement, mount);
  }
  mount.send = (messages) => setStateValue("told", messages);
  mount.receive(data);
  const turn = ++mount.turns;
  return () => { // Streamlit also ends a call that a later one has overtaken: that one goes on
    if (turn !== mount.turns) return;
    mount.end();
    if (mounts.get(parentElement) === mount) mounts.delete(parentElement);
  };
}

class Mount {
  constructor(Kind, root, key) {
    Object.assign(this, { Kind, root, turns: 0, waiting: [], retold: 0 });
    if (!memories.has(key)) memories.set(key, {});
    this.memory = memories.get(key);
    this.session = this.memory.session;
    this.listening = new Listening();
    this.listening.on(document, "vitviz-held", () => this.show());
  }

  end() {
    this.component?.close?.();
    this.listening.end();
    this.memory.waiting = this.waiting;
  }

  // ------------------------------------------------------------------ from Python

  receive(data) {
    const anew = this.session !== undefined && data.session !== this.session; // the server has, and has heard nothing
    if (anew) {
      const all = this.Kind.momentary ? [] : [...(this.memory.waiting ?? []), ...this.waiting];
      this.waiting = all.filter(({ at }) => at >= (globalThis.vitvizLost ?? Infinity)); // others may have been heard
      this.retold = lastNumber;
    }
    this.memory.waiting = [];
    this.session = this.memory.session = data.session;
    lastNumber = Math.max(lastNumber, data.heard);
    this.waiting = this.waiting.filter(({ number }) => number > data.heard);
    if (anew && this.waiting.length) queueMicrotask(() => this.tellAll());
    this.said = data;
    this.show();
  }

  // What a component shows may lie in the store of held.js, in parts. It is shown once the first is there, and again with
  // each further one; until then what was before.
  show() {
    const { held = [] } = this.said;
    const parts = held.map((key) => globalThis.vitvizHeld?.get(key)?.bytes);
    const arrived = held.filter((key, i) => parts[i]);
    if (held.length && !parts[0]) return;
    if (this.said === this.shown && arrived.every((key) => this.seen.has(key))) return;
    if (this.said !== this.shown) this.seen = new Set();
    for (const key of arrived) this.seen.add(key);
    this.shown = this.said;
    this.component ??= new this.Kind(this.root, this);
    this.component.receive(this.said, parts);
  }

  // ------------------------------------------------------------------ to Python

  // Everything that waits is told again with each further message, so that nothing is lost while the page is busy; with
  // `instead`, an earlier message of the same kind has become pointless.
  tell(event, value, { instead = false } = {}) {
    if (instead) this.waiting = this.waiting.filter((one) => one.event !== event);
    lastNumber += 1;
    this.waiting = [...this.waiting, { number: lastNumber, event, value, at: Date.now() }].slice(-MOST_MESSAGES);
    this.tellAll();
  }

  tellAll() {
    const messages = this.waiting.map(({ number, event, value }) => ({ number, event, value }));
    this.send({ session: this.session ?? null, messages });
  }

  // the values of this event that Python has not heard; what was told to an earlier session may be another component's
  unheard(event) {
    return this.waiting.filter((one) => one.event === event && one.number > this.retold).map(({ value }) => value);
  }
}
