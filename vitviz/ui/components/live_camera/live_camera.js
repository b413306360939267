// Live camera: one frame at a time is sent, and its probabilities are drawn before the next one is taken.

import { CameraStream, UNAVAILABLE } from "../_shared/camera.js";
import { Component } from "../_shared/component.js";
import { element, setText } from "../_shared/elements.js";
import { mounted } from "../_shared/mounted.js";

const QUALITY = 0.92; // of JPEG
const WAIT = 200; // milliseconds until the next try while the camera has no picture or the tab is hidden
const STEADY = 4; // frames with the same first class before a screen reader is told

export default function (component) {
  return mounted(LiveCamera, "[data-testid=live-camera]", component);
}

class LiveCamera extends Component {
  static momentary = true;

  constructor(root, mount) {
    super(root, mount);
    const { ref } = this;
    ref.video.muted = true; // the attribute alone is not enough in an element that was copied
    this.camera = new CameraStream(ref.video);
    Object.assign(this, { isOpen: false, isSent: false, steady: ["", 0] });
    this.on(ref.open, "click", () => (this.isOpen ? this.stop() : this.start()));
    this.on(ref.keep, "click", () => this.keep());
  }

  close() {
    super.close();
    this.stop();
  }

  receive(data) {
    this.data = data;
    if (!this.isOpen || !this.isSent || this.mount.pending("frame").length) return;
    this.isSent = false;
    if (data.answer) this.show(data.answer);
    this.next();
  }

  async start() {
    this.isOpen = true;
    this.update();
    this.problem("");
    if (await this.camera.open()) return this.isOpen && this.next();
    this.stop();
    return this.problem(UNAVAILABLE);
  }

  stop() {
    clearTimeout(this.timer);
    this.camera.close();
    Object.assign(this, { isOpen: false, isSent: false, steady: ["", 0] });
    this.ref.bars.replaceChildren();
    setText(this.ref.said, "");
    this.update();
  }

  update() {
    const { ref, isOpen } = this;
    ref.stage.hidden = ref.keep.hidden = !isOpen;
    ref.open.setAttribute("aria-pressed", isOpen);
    setText(ref.open, isOpen ? "Stop the camera" : "Live camera");
  }

  problem(text) {
    setText(this.ref.problem, text);
    this.ref.problem.hidden = !text;
  }

  next() {
    if (!this.isOpen || this.isSent) return;
    clearTimeout(this.timer);
    if (!this.camera.hasPicture || document.hidden) {
      this.timer = setTimeout(() => this.next(), WAIT);
      return;
    }
    this.isSent = true;
    const frame = this.camera.picture(this.data.side).toDataURL("image/jpeg", QUALITY);
    this.mount.send("frame", frame, { instead: true });
  }

  show({ classes, problem }) {
    this.problem(problem ?? "");
    if (!classes) return;
    const { bars } = this.ref;
    while (bars.children.length > classes.length) bars.lastChild.remove();
    while (bars.children.length < classes.length) {
      bars.append(element("li", {}, {}, [element("span"), element("b"), element("i")]));
    }
    const most = Math.max(...classes.map(([, probability]) => probability));
    for (const [i, [label, probability, percent]] of classes.entries()) { // in a fixed order: bars that swap are hard to read
      const item = bars.children[i];
      const [name, number, bar] = item.children;
      setText(name, label);
      setText(number, percent);
      bar.style.setProperty("--share", `${100 * probability}%`);
      item.dataset.class = label;
      item.dataset.probability = probability;
      item.classList.toggle("first", probability === most);
    }
    this.say(classes.find(([, probability]) => probability === most)[0]);
  }

  say(label) {
    const [before, count] = this.steady;
    this.steady = [label, label === before ? count + 1 : 1];
    if (this.steady[1] === STEADY) setText(this.ref.said, label);
  }

  // The present picture becomes the user's own image, as if it had been dropped on the page.
  async keep() {
    if (!this.camera.hasPicture) return;
    const canvas = this.camera.picture();
    const blob = await new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", QUALITY); });
    if (!blob) return;
    this.stop();
    const file = new File([blob], "camera.jpg", { type: "image/jpeg" });
    document.dispatchEvent(new CustomEvent("vitviz-image", { detail: file }));
  }
}
