// Bar that takes an image: dropped on it, pasted while it has the focus, or chosen as a file.

import { Component } from "../../../viz/browser/component.js";
import { setText } from "../../../viz/browser/elements.js";
import { mounted } from "../_shared/mounted.js";
import { Uploader, imageOf, pasted, shortName } from "../_shared/uploader.js";

export default function (component) {
  return mounted(ImageInput, "[data-testid=image-input]", component);
}

class ImageInput extends Component {
  static momentary = true;

  constructor(root, mount) {
    super(root, mount);
    const { ref } = this;
    const lost = (file) => this.mount.send("lost", shortName(file), { instead: true });
    this.uploader = new Uploader(lost, () => this.say(""));
    // on the window, because own_image.js takes the images that reach the document
    this.on(window, "paste", (event) => this.paste(event), { capture: true });
    for (const event of ["dragover", "dragleave", "drop"]) this.on(root, event, (given) => this.drag(given));
    this.on(ref.choose, "click", () => ref.files.click());
    this.on(ref.files, "change", () => this.chosen());
    this.on(ref.paste, "click", () => this.readClipboard());
    ref.paste.hidden = !navigator.clipboard?.read; // it requires https
  }

  close() {
    this.mount.memory.unsent = this.uploader.waiting?.file;
    super.close();
    this.uploader.end();
  }

  receive(data) {
    this.data = data;
    this.root.setAttribute("aria-label", data.label);
    const { memory, memory: { unsent } } = this.mount;
    memory.unsent = undefined;
    if (unsent) this.take(unsent);
  }

  get hasFocus() {
    return this.root.getRootNode().activeElement !== null;
  }

  paste(event) {
    const file = pasted(imageOf(event.clipboardData));
    if (!file || !(this.hasFocus || event.composedPath().includes(this.root))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.take(file);
  }

  drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    this.root.classList.toggle("over", event.type === "dragover");
    if (event.type === "dragleave") return;
    event.preventDefault(); // allow dropping
    const file = event.type === "drop" && imageOf(event.dataTransfer);
    if (file) this.take(file);
  }

  chosen() {
    const { files } = this.ref;
    const file = imageOf(files);
    files.value = ""; // the same file can be chosen again
    if (file) this.take(file);
  }

  async readClipboard() {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((one) => one.startsWith("image/"));
        if (!type) continue;
        this.take(new File([await item.getType(type)], `pasted.${type.slice("image/".length)}`, { type }));
        return;
      }
      this.say("The clipboard has no image.");
    } catch { // the user or the browser does not allow it; the focus is here, so the keys work
      this.say("Press Ctrl+V, or ⌘V on a Mac.");
    }
  }

  take(file) {
    if (file.size > this.data.largest) {
      this.mount.send("refused", shortName(file), { instead: true });
      return;
    }
    this.say("Sending …");
    this.uploader.send(this.data.zone, file);
  }

  say(text) {
    setText(this.ref.said, text);
  }
}
