// Camera of one class: while its button is held, it takes up to ten images.

import { CameraStream, UNAVAILABLE } from "../_shared/camera.js";
import { element, setText } from "../../../viz/browser/elements.js";
import { isPress } from "../../../viz/browser/keys.js";

const MOST = 10; // images of a series
const EVERY = 200; // milliseconds between two images
const QUALITY = 0.92; // of JPEG

export class Camera {
  // `take` gets the files of a series and its number; `tell` gets a sentence if there is no camera.
  constructor(stage, listening, take, tell) {
    Object.assign(this, { stage, take, tell, files: [] });
    this.video = element("video", { muted: true, playsInline: true, autoplay: true }, { "aria-label": "Camera" });
    this.stream = new CameraStream(this.video);
    this.button = element("button", { type: "button", textContent: `Hold to take ${MOST}` }, { "data-testid": "shutter" });
    stage.replaceChildren(this.video, this.button);
    const on = (event, act) => listening.on(this.button, event, act);
    on("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.button.setPointerCapture(event.pointerId);
      this.begin();
    });
    for (const event of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) on(event, () => this.end());
    on("contextmenu", (event) => event.preventDefault()); // of a long touch
    on("keydown", (event) => {
      if (!isPress(event)) return;
      event.preventDefault();
      if (!event.repeat) this.begin();
    });
    on("keyup", (event) => {
      if (!isPress(event)) return;
      event.preventDefault(); // no click
      this.end();
    });
    on("click", (event) => { if (event.detail === 0 && !this.timer) this.begin(); }); // by a screen reader: all ten
  }

  get isOpen() {
    return !this.stage.hidden;
  }

  async open() {
    this.stage.hidden = false;
    if (await this.stream.open()) return;
    this.close();
    this.tell(UNAVAILABLE);
  }

  close() {
    this.end();
    this.stream.close();
    this.stage.hidden = true;
  }

  begin() {
    if (this.timer || !this.stream.hasPicture) return;
    Object.assign(this, { files: [], series: Date.now(), isNew: true });
    this.button.classList.add("taking");
    this.timer = setInterval(() => this.shoot(), EVERY);
    this.shoot();
  }

  end() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.button.classList.remove("taking");
    setText(this.button, `Hold to take ${MOST}`);
    const { files, series } = this;
    Promise.all(files).then((done) => this.take(done.filter(Boolean), series));
    this.files = [];
  }

  // A busy browser may have no new frame yet, and the same image would count once.
  shoot() {
    if (!this.isNew) return;
    this.isNew = !this.video.requestVideoFrameCallback;
    this.video.requestVideoFrameCallback?.(() => { this.isNew = true; });
    const canvas = this.stream.picture();
    const name = `camera ${this.files.length + 1}.jpg`;
    this.files.push(new Promise((resolve) => {
      canvas.toBlob((blob) => resolve(blob && new File([blob], name, { type: "image/jpeg" })), "image/jpeg", QUALITY);
    }));
    setText(this.button, `${this.files.length} of ${MOST}`);
    if (this.files.length >= MOST) this.end();
  }
}
