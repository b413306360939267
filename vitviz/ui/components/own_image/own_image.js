// The user's own image: accepted anywhere on the page, and stored for a reload of the tab. Files are sent to the server by
// two hidden Streamlit uploaders.

import { readHeader } from "../../../viz/browser/binary.js";
import { Component } from "../../../viz/browser/component.js";
import { mounted } from "../_shared/mounted.js";
import { Uploader, imageOf, pasted, shortName } from "../_shared/uploader.js";

const PATIENCE = 30_000; // milliseconds to wait for the browser's store
const MOST_KEPT = 4; // maximum number of stored images, one per tab; older ones are deleted
const KEPT_FOR = 24 * 3600 * 1000; // milliseconds
const MOST_SEEN = 8; // recent files, one of which the server may have
const SECRET = "vitviz-class-owner"; // name in the store of this tab

export default function (component) {
  return mounted(OwnImage, "[data-ref=drop]", component);
}

class OwnImage extends Component {
  static momentary = true;

  constructor(root, mount) {
    super(root, mount);
    const { waiting, ...own } = mount.memory.own ?? {};
    Object.assign(this, { seen: [], ...own });
    this.uploader = new Uploader((file, zone) => this.lost(file, zone));
    this.listen();
    if (waiting) this.send(waiting.zone, waiting.file);
  }

  close() {
    const { seen, kept, restored, session, ended, uploader: { waiting } } = this;
    this.mount.memory.own = { seen, kept, restored, session, ended, waiting };
    super.close();
    this.uploader.end();
  }

  listen() {
    const on = (event, act) => this.on(document, event, act, { capture: true });
    on("change", ({ target }) => { if (target.type === "file") this.see(target.files); });
    on("paste", (event) => this.paste(event));
    on("dragover", (event) => this.drag(event));
    on("drop", (event) => this.drop(event));
    on("vitviz-image", ({ detail }) => this.take(detail)); // made by another component
    on("dragend", () => this.over(false));
    on("dragleave", (event) => { if (!event.relatedTarget) this.over(false); }); // out of the window
  }

  receive(data, [bytes]) {
    const isNew = data.session !== this.session;
    if (isNew) { // with empty uploaders
      [this.ended, this.session, this.restored] = [this.session !== undefined, data.session, false];
    }
    [this.data, this.bytes] = [data, bytes];
    this.keepSecret(isNew);
    if (data.request && !data.own && !this.restored) {
      this.restored = true;
      this.restore();
    }
    if (data.own || !data.request) this.keep();
  }

  // ------------------------------------------------------------------ user input

  paste(event) {
    const file = pasted(imageOf(event.clipboardData));
    if (isForAnother(event)) return;
    const writes = event.composedPath()[0].closest?.("input, textarea, [contenteditable=true]");
    if (!file || (writes && event.clipboardData.types.includes("text/plain"))) return;
    event.preventDefault();
    this.take(file);
  }

  drag(event) {
    if (!event.dataTransfer?.types.includes("Files") || isForAnother(event)) return this.over(false);
    event.preventDefault(); // allow dropping
    this.over(true);
  }

  drop(event) {
    this.over(false);
    if (isForAnother(event)) return this.see(event.dataTransfer.files);
    const file = imageOf(event.dataTransfer);
    if (!file) return;
    event.preventDefault(); // otherwise, the browser would open the file
    event.stopPropagation();
    this.take(file);
  }

  over(yes) {
    if (this.root.matches(":popover-open") !== yes) this.root.togglePopover(yes);
  }

  // ------------------------------------------------------------------ to the server

  take(file) {
    if (file.size > this.data.largest) this.mount.send("refused", shortName(file), { instead: true });
    else this.send("own_dropped", file);
  }

  send(zone, file) {
    this.see([file]);
    this.uploader.send(zone, file);
  }

  lost(file, zone) {
    if (zone === "own_kept") this.nothing();
    else this.mount.send("lost", shortName(file), { instead: true });
  }

  // ------------------------------------------------------------------ storage for a reload

  see(files) {
    this.seen = [...files, ...this.seen].slice(0, MOST_SEEN);
  }

  // The secret with which this tab can end the sharing of its images, also after a reload.
  keepSecret(isNew) {
    const { secret } = this.data;
    const kept = tabStore(SECRET);
    if (secret) tabStore(SECRET, secret);
    else if (kept && isNew) queueMicrotask(() => this.mount.send("owner", kept, { instead: true }));
    else if (kept && !this.mount.pending("owner").length) tabStore(SECRET, ""); // nothing is shared any more
  }

  async restore() {
    await store("readwrite", clear);
    const kept = await store("readonly", (images) => images.get(TAB));
    if (kept && Date.now() - kept.time < KEPT_FOR) {
      if (!this.uploader.isBusy) this.send("own_kept", new File([kept.image], kept.name, { type: kept.image.type }));
    } else if (this.data.request === "wanted") this.nothing();
  }

  // Report that there is no image to restore, and whether an earlier session of this page has ended.
  nothing() {
    this.mount.send("nothing", Boolean(this.ended), { instead: true });
  }

  async keep() {
    const { own } = this.data;
    const digest = own?.digest ?? null;
    if (this.kept === digest) return;
    this.kept = digest;
    const image = own && (this.seen.find(({ name, size }) => name === own.name && size === own.bytes) ?? this.made());
    const before = await store("readonly", (images) => images.get(TAB));
    if (before?.digest === digest || this.kept !== digest) return;
    const now = image && { tab: TAB, time: Date.now(), digest, name: own.name, image };
    await store("readwrite", (images) => {
      clear(images);
      return now ? images.put(now) : images.delete(TAB); // no image rather than a wrong one
    });
  }

  // image made on the page, sent back by the server
  made() {
    const { start, sections: { image: [at, size] } } = readHeader(this.bytes);
    return size ? new Blob([this.bytes.slice(start + at, start + at + size)]) : null;
  }
}

// whether the event is in an uploader, or in a part of a component that takes images itself
function isForAnother(event) {
  return event.composedPath().some(({ dataset }) => dataset?.testid === "stFileUploaderDropzone" || dataset?.takesImages !== undefined);
}

// Read or write a text that is kept across reloads of this tab; empty if the browser keeps nothing.
function tabStore(name, text) {
  try {
    if (text !== undefined) sessionStorage[name] = text;
    return sessionStorage[name] ?? "";
  } catch {
    return "";
  }
}

// Identifier of this tab in the store, unique and constant across reloads.
const TAB = tabStore("vitviz-tab") || tabStore("vitviz-tab", Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-"))
  || "nobody"; // without session storage, there is no store of images either

// Run a request on the browser's store of images, and return its result. If the store is unavailable or too slow, log the
// reason and return undefined.
function store(mode, act) {
  const answer = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("no answer")), PATIENCE);
    const opening = indexedDB.open("vitviz", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("own images", { keyPath: "tab" });
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("own images", mode);
      const request = act(transaction.objectStore("own images"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      opening.result.close(); // once the transaction is over
    };
  });
  return answer.catch((error) => {
    console.warn(`vitviz: this browser does not keep your image for a reload: ${error?.message}`);
    return undefined;
  });
}

// delete old images, and the oldest images of other tabs if there are too many
function clear(images) {
  const all = images.getAll();
  all.onsuccess = () => {
    const others = all.result.filter(({ tab }) => tab !== TAB).sort((one, other) => other.time - one.time);
    for (const { tab } of others.slice(MOST_KEPT - 1)) images.delete(tab);
    for (const { tab, time } of all.result) if (Date.now() - time > KEPT_FOR) images.delete(tab);
  };
  return all;
}
