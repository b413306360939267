// Lifecycle of a component in the page, and its message exchange with Python.
//
// Streamlit calls a component after each run, and may unmount and mount it at any time. The session state in Python is the
// source of truth: a component starts from it and follows it. Only while messages are pending, that is, sent by the user but
// not yet received by Python, is the state from Python older than the page; the component then keeps its own state.

import { Listening } from "../../../viz/browser/listening.js";
import { Later } from "./later.js";

const MOST_MESSAGES = 100; // maximum number of pending messages, as in vitviz/ui/components/_shared/messages.py
const mounts = new WeakMap(); // parent element -> Mount
const memories = new Map(); // key of a component -> state that only the browser knows, such as the position of a slider
let lastNumber = 0; // number of the last message of this page, also across remounts, so that numbers are never reused

// Implement the default export of a component. `selector` finds the component's root element. A `Kind` has the method
// receive(data, parts), where `parts` holds the arrived payloads of `data.parts` at their indices. It may have close(), and
// `static momentary = true` if its messages are meaningless to a later session.
export function mounted(Kind, selector, { data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(selector);
  let mount = mounts.get(parentElement);
  if (mount?.root !== root) {
    mount?.end();
    mount = new Mount(Kind, root, data.key);
    mounts.set(parentElement, mount);
  }
  mount.post = (messages) => setStateValue("outbox", messages);
  mount.receive(data);
  const call = ++mount.calls;
  return () => { // Streamlit also cleans up calls that were replaced by a later one; the later one stays active
    if (call !== mount.calls) return;
    mount.end();
    if (mounts.get(parentElement) === mount) mounts.delete(parentElement);
  };
}

class Mount {
  constructor(Kind, root, key) {
    Object.assign(this, { Kind, root, calls: 0, waiting: [], resent: 0 });
    if (!memories.has(key)) memories.set(key, {});
    this.memory = memories.get(key);
    this.session = this.memory.session;
    this.later = this.memory.later ??= new Later();
    this.later.mount = this;
    this.listening = new Listening();
    this.listening.on(document, "vitviz-payload", () => this.show());
  }

  end() {
    this.component?.close?.();
    this.listening.end();
    this.memory.waiting = this.waiting;
    if (this.later.mount === this) this.later.close(); // otherwise, it already belongs to a later mount
  }

  // ------------------------------------------------------------------ from Python

  receive(data) {
    const isNew = this.session !== undefined && data.session !== this.session; // a new session has received no messages
    if (isNew) {
      const all = this.Kind.momentary ? [] : [...(this.memory.waiting ?? []), ...this.waiting];
      // messages sent before the connection was lost may have been received
      this.waiting = all.filter(({ at }) => at >= (globalThis.vitvizLost ?? Infinity));
      this.resent = lastNumber;
    }
    this.memory.waiting = [];
    this.session = this.memory.session = data.session;
    lastNumber = Math.max(lastNumber, data.received);
    this.waiting = this.waiting.filter(({ number }) => number > data.received);
    if (isNew && this.waiting.length) queueMicrotask(() => this.sendAll());
    this.data = data;
    this.later.take(data.later ?? {});
    this.show();
  }

  // Large parts of the state are in payload_store.js, or fetched by later.js. The component is updated once the first part
  // has arrived, and again with each further part; until then it shows its previous state.
  show() {
    const { parts: keys = [], later = {} } = this.data;
    const parts = keys.map((key) => globalThis.vitvizPayloads?.get(key)?.bytes);
    const arrived = keys.filter((key, i) => parts[i]);
    if (keys.length && !parts[0]) return;
    if (this.data === this.shown && arrived.every((key) => this.seen.has(key))) return;
    if (this.data !== this.shown) this.seen = new Set();
    for (const key of arrived) this.seen.add(key);
    this.shown = this.data;
    this.component ??= new this.Kind(this.root, this);
    this.component.receive(this.data, parts);
    const others = new Set(Object.values(later).map(({ key }) => key));
    if (keys.every((key, i) => parts[i] || others.has(key))) this.later.open();
  }

  // Fetch a part before the others of those that the browser fetches itself.
  want(name) {
    this.later.want(name);
  }

  // ------------------------------------------------------------------ to Python

  // Send a message. All pending messages are sent again with each new one, so that none is lost while the page is busy.
  // With `instead`, the message replaces pending ones of the same event.
  send(event, value, { instead = false } = {}) {
    if (instead) this.waiting = this.waiting.filter((one) => one.event !== event);
    lastNumber += 1;
    this.waiting = [...this.waiting, { number: lastNumber, event, value, at: Date.now() }].slice(-MOST_MESSAGES);
    this.sendAll();
  }

  sendAll() {
    const messages = this.waiting.map(({ number, event, value }) => ({ number, event, value }));
    this.post({ session: this.session ?? null, messages });
  }

  // Values of the pending messages of an event. Messages sent to an earlier session are excluded: they may belong to
  // another component.
  pending(event) {
    return this.waiting.filter((one) => one.event === event && one.number > this.resent).map(({ value }) => value);
  }
}
