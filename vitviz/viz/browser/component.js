// Base class of components that draw and listen to events.

import { refs } from "./elements.js";
import { Frames } from "./frames.js";
import { Listening } from "./listening.js";

export class Component {
  constructor(root, mount) {
    Object.assign(this, { root, mount, ref: refs(root), listening: new Listening() });
    this.frames = new Frames(() => this.draw());
  }

  close() {
    this.listening.end();
    this.frames.end();
  }

  on(node, event, act, options) {
    this.listening.on(node, event, act, options);
  }

  schedule() {
    this.frames.schedule();
  }
}
