// Watches the panels below the explorer until they show another pin, looking once a frame, so that only the page's own
// clock counts. `words` is what the text of the first panel has to say, such as "Layer 12, head 1, patch (6, 7)". The
// other panels are about the whole head or model and stay as they are. Puts into `window.pinned` milliseconds from the
// click: when the text had changed, when the points of the sorted chart had, and `all`, the frame after both; null
// until then.
(words) => {
  const shown = {
    text: () => [...document.querySelectorAll("[data-testid=stMarkdownContainer]")]
      .some((node) => node.textContent.includes("Weights, sorted") && node.textContent.includes(words)),
    chart: () => {
      const graph = document.querySelector(".st-key-sorted [data-testid=stPlotlyChart] .js-plotly-plot");
      return JSON.stringify(graph?.calcdata?.map((points) => points.map(({ y }) => y))); // what Plotly has drawn
    },
  };
  const before = { text: false, chart: shown.chart() };
  if (before.chart === undefined) throw new Error("the sorted chart is not there");
  window.pinned = null;

  addEventListener("click", (event) => {
    const took = {};
    const since = () => performance.now() - event.timeStamp;
    const look = () => {
      for (const [name, read] of Object.entries(shown)) {
        const now = name in took ? undefined : read();
        if (now !== undefined && now !== before[name]) took[name] = since();
      }
      if (Object.keys(took).length < 2) requestAnimationFrame(look);
      else requestAnimationFrame(() => { window.pinned = { ...took, all: since() }; });
    };
    requestAnimationFrame(look);
  }, { once: true, capture: true });
}
