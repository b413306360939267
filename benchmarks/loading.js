// Records the stages of a loading page in `window.loaded`, milliseconds from navigation: `outline`, the placeholder before
// any script; `first-paint` and `first-contentful-paint`, as the browser defines them; `image`, the visible image;
// `answers`, the first weights shown under the pointer, which moves in every frame; `charts`, all charts. Polled once per
// frame with the page's clock.
(() => {
  window.loaded = {};
  const note = (what) => { window.loaded[what] ??= performance.now(); };
  let turn = 0;
  const poll = () => {
    if (document.querySelector("[data-testid=outline]")) note("outline"); // visible from the next frame on
    for (const { name, startTime } of performance.getEntriesByType("paint")) window.loaded[name] ??= startTime;
    const hosts = document.querySelectorAll("[data-testid=stBidiComponentRegular], [data-testid=stBidiComponentIsolated]");
    const roots = [document, ...[...hosts].map((host) => host.shadowRoot).filter(Boolean)];
    const find = (selector) => roots.map((root) => root.querySelector(selector)).find(Boolean);
    const explorer = find("[data-testid=explorer]");
    const photo = explorer?.querySelector("[data-ref=photo]");
    if (photo?.naturalWidth && photo.getBoundingClientRect().width) {
      note("image");
      if (explorer.dataset.topWeight && turn) note("answers");
      const stage = explorer.querySelector("[data-ref=stage]");
      const { x, y, width, height } = stage.getBoundingClientRect();
      const at = (turn++ % 16 + 0.5) / 16;
      if (!window.loaded.answers) {
        stage.dispatchEvent(new PointerEvent("pointermove", { clientX: x + width * at, clientY: y + height * at, bubbles: true }));
      }
    }
    if (document.querySelectorAll(".js-plotly-plot .main-svg").length >= 4) note("charts");
    requestAnimationFrame(poll);
  };
  requestAnimationFrame(poll);
})();
