// Measures the update of the panels below the explorer after pinning, polled once per frame with the page's clock.
// `label`: text expected in the first panel, such as "Layer 12, head 1, patch (6, 7)"; the other panels do not depend on
// the pin. Sets `window.pinned` to milliseconds from the click: `text` and `chart`, when the text and the points of the
// sorted chart had changed, and `all`, the frame after both; null until then.
(label) => {
  const shown = {
    text: () => [...document.querySelectorAll("[data-testid=stMarkdownContainer]")]
      .some((node) => node.textContent.replace(/\s/g, " ").includes(label)),
    chart: () => {
      const graph = document.querySelector(".st-key-sorted [data-testid=stPlotlyChart] .js-plotly-plot");
      return JSON.stringify(graph?.calcdata?.map((points) => points.map(({ y }) => y))); // points drawn by Plotly
    },
  };
  const before = { text: false, chart: shown.chart() };
  if (before.chart === undefined) throw new Error("the sorted chart is missing");
  window.pinned = null;

  addEventListener("click", (event) => {
    const took = {};
    const since = () => performance.now() - event.timeStamp;
    const poll = () => {
      for (const [name, read] of Object.entries(shown)) {
        const now = name in took ? undefined : read();
        if (now !== undefined && now !== before[name]) took[name] = since();
      }
      if (Object.keys(took).length < 2) requestAnimationFrame(poll);
      else requestAnimationFrame(() => { window.pinned = { ...took, all: since() }; });
    };
    requestAnimationFrame(poll);
  }, { once: true, capture: true });
}
