// Watches the prediction, looking once a frame, from the moment the pen is lifted: puts the milliseconds until it shows
// other numbers into `window.predicted`; null until then.
() => {
  const shown = () => document.querySelector("[data-testid=prediction]")?.innerText;
  const before = shown();
  window.predicted = null;
  addEventListener("pointerup", () => {
    const lifted = performance.now();
    const look = () => {
      if (shown() && shown() !== before) window.predicted = performance.now() - lifted;
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, { once: true, capture: true });
}
