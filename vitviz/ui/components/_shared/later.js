// Parts of a state that the browser fetches itself, once those that Streamlit sends have arrived. They are kept until the
// component names others, also while it is not mounted, so that none is fetched twice.

import { readHeader } from "../../../viz/browser/binary.js";

const PAUSE = 1000; // milliseconds before the next attempt; doubled with each failure
const LONGEST = 30000;

const payloads = (globalThis.vitvizPayloads ??= new Map()); // see payload_store.js

export class Later {
  constructor() {
    Object.assign(this, { parts: {}, wanted: null, isOpen: false, failures: 0, pause: null });
    this.keys = new Set(); // of the last state
    this.underWay = new Map(); // key -> AbortController
  }

  // Take the parts of a new state: name -> { key, url }, in the order in which they are fetched.
  take(parts) {
    this.close();
    const keys = new Set(Object.values(parts).map(({ key }) => key));
    for (const [key, { owner }] of payloads) if (owner === this && !keys.has(key)) payloads.delete(key);
    for (const [key, request] of this.underWay) if (!keys.has(key)) request.abort();
    Object.assign(this, { parts, keys, failures: 0 });
    this.next();
  }

  // fetch all, because nothing else is on its way
  open() {
    this.isOpen = true;
    this.next();
  }

  // fetch this part before the others, if there is such a part
  want(name) {
    this.wanted = name;
    this.next();
  }

  close() {
    clearTimeout(this.pause);
    Object.assign(this, { parts: {}, isOpen: false, pause: null });
  }

  next() {
    if (this.pause) return;
    const isMissing = ({ key }) => !payloads.has(key) && !this.underWay.has(key);
    const wanted = this.parts[this.wanted];
    if (wanted && isMissing(wanted) && this.underWay.size < 2) this.fetch(wanted); // shares the line with one other part
    if (!this.isOpen || this.underWay.size) return;
    const missing = Object.values(this.parts).find(isMissing);
    if (missing) this.fetch(missing);
  }

  async fetch({ key, url }) {
    const request = new AbortController();
    this.underWay.set(key, request);
    try {
      const options = { cache: "no-store", signal: request.signal }; // nothing of an image stays on the disk
      const answer = await fetch(addressOf(url), options);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (!answer.ok || readHeader(bytes).key !== key) throw new Error("not this part");
      this.failures = 0;
      this.keep(key, bytes);
    } catch { // a lost connection, or a page of a proxy
      if (!request.signal.aborted) this.rest();
    }
    if (this.underWay.get(key) === request) this.underWay.delete(key);
    this.next();
  }

  keep(key, bytes) {
    if (!this.keys.has(key)) return;
    payloads.set(key, { bytes, owner: this });
    document.dispatchEvent(new CustomEvent("vitviz-payload"));
  }

  rest() {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => {
      this.pause = null;
      this.next();
    }, Math.min(LONGEST, PAUSE * 2 ** this.failures++));
  }
}

// Address of a file of Streamlit, which may be served below a path: as its scripts are.
function addressOf(url) {
  const script = document.querySelector("script[src*='static/js/']")?.src;
  const base = script ? script.slice(0, script.lastIndexOf("static/js/")) : document.baseURI;
  return new URL(url.replace(/^\//, ""), base);
}
