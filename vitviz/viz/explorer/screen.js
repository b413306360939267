// Full screen of the explorer.

export class FullScreen {
  constructor({ root, ref, listening }) {
    Object.assign(this, { root });
    ref.full.hidden = !document.fullscreenEnabled; // telephones of Apple, and frames that do not allow it
    listening.on(ref.full, "click", () => this.toggle());
    listening.on(document, "fullscreenchange", () => {
      root.classList.toggle("full", this.isOn);
      ref.full.setAttribute("aria-pressed", this.isOn);
    });
    listening.onEnd(() => this.isOn && document.exitFullscreen());
  }

  get isOn() {
    return this.root.getRootNode().fullscreenElement === this.root;
  }

  toggle() {
    if (this.isOn) document.exitFullscreen();
    else if (document.fullscreenEnabled) this.root.requestFullscreen().catch(() => {}); // only after a key or a click
  }
}
