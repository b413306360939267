// Chooses the last layer but that of the view, and records in `window.loaded` when it was chosen (`clicked`) and when its
// weights are shown (`chosen`), milliseconds from navigation.
() => {
  const hosts = document.querySelectorAll("[data-testid=stBidiComponentRegular], [data-testid=stBidiComponentIsolated]");
  const roots = [document, ...[...hosts].map((host) => host.shadowRoot).filter(Boolean)];
  const explorer = roots.map((root) => root.querySelector("[data-testid=explorer]")).find(Boolean);
  const layers = [...explorer.querySelectorAll("[data-layer][data-head='0']")].map((button) => button.dataset.layer);
  const layer = layers.filter((one) => one !== explorer.dataset.layer && one !== "pool").at(-1);
  const poll = () => {
    const { layer: shown, topWeight } = explorer.dataset;
    if (shown === layer && topWeight) window.loaded.chosen = performance.now();
    else requestAnimationFrame(poll);
  };
  window.loaded.clicked = performance.now();
  explorer.querySelector(`[data-layer='${layer}'][data-head='0']`).click();
  poll();
}
