// Measures the time from lifting the pen to a new prediction, polled once per frame. Sets `window.predicted` to
// milliseconds; null until then.
() => {
  const shown = () => document.querySelector("[data-testid=prediction]")?.innerText;
  const before = shown();
  window.predicted = null;
  addEventListener("pointerup", () => {
    const lifted = performance.now();
    const poll = () => {
      if (shown() && shown() !== before) window.predicted = performance.now() - lifted;
      else requestAnimationFrame(poll);
    };
    requestAnimationFrame(poll);
  }, { once: true, capture: true });
}
