// Thumbnail beside the pointer while it is on a point of a plotly chart. Python is asked for a thumbnail when the pointer
// rests on a point; the page keeps those that it has.

import { Component } from "../../../viz/browser/component.js";
import { mounted } from "../_shared/mounted.js";

const CHART = ".js-plotly-plot";
const REST = 90; // milliseconds
const MOST = 500; // thumbnails that are kept
const GAP = 14; // pixels between the pointer and the thumbnail

export default function (component) {
  return mounted(HoverThumbnail, "[data-testid=hover-thumbnail]", component);
}

class HoverThumbnail extends Component {
  static momentary = true;

  constructor(root, mount) {
    super(root, mount);
    Object.assign(this, { pictures: new Map(), charts: new WeakSet(), position: null });
    this.on(document, "pointerover", (event) => this.enter(event));
    this.on(document, "scroll", () => this.leave(), { capture: true, passive: true });
  }

  close() {
    super.close();
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  receive({ chart, answer }) {
    if (chart !== this.chart) this.leave();
    this.chart = chart;
    if (!answer) return;
    const { position, picture } = answer;
    this.pictures.delete(position);
    this.pictures.set(position, picture); // as the newest
    if (this.pictures.size > MOST) this.pictures.delete(this.pictures.keys().next().value);
    this.draw();
  }

  // Plotly may replace the element of a chart, so that its events are taken when the pointer comes to it.
  enter({ target, pointerType }) {
    const chart = pointerType === "touch" ? null : target.closest?.(CHART);
    if (!chart?.on || this.charts.has(chart)) return;
    this.charts.add(chart);
    chart.on("plotly_hover", (event) => this.isOf(chart) && this.hover(event));
    chart.on("plotly_unhover", () => this.isOf(chart) && this.leave());
  }

  isOf(chart) {
    const name = this.chart.replace(/[^\w-]/g, "-");
    return !this.isClosed && Boolean(chart.closest(`.st-key-${CSS.escape(name)}`));
  }

  hover({ points: [{ customdata }], event }) {
    this.position = customdata;
    this.at = [event.clientX, event.clientY];
    clearTimeout(this.timer);
    if (!this.pictures.has(customdata)) {
      this.timer = setTimeout(() => this.mount.send("hover", customdata, { instead: true }), REST);
    }
    this.draw();
  }

  leave() {
    clearTimeout(this.timer);
    this.position = null;
    this.draw();
  }

  draw() {
    const { root } = this;
    const picture = this.pictures.get(this.position);
    root.hidden = !picture;
    if (!picture) return;
    if (root.src !== picture) root.src = picture;
    const [x, y] = this.at;
    const { offsetWidth: width, offsetHeight: height } = root;
    // below the pointer on the left, because plotly's text is on the right; within the window
    const left = x - GAP - width < 0 ? x + GAP : x - GAP - width;
    const top = Math.min(y + GAP, innerHeight - height - GAP);
    Object.assign(root.style, { left: `${left}px`, top: `${top}px` });
  }
}
