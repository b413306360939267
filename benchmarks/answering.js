// Measures the response time of the next click or key press, polled once per frame with the page's clock.
// Only text, HTML and tables of the page count as a response; a widget's own number changes at once.
// Sets `window.answered` to milliseconds from the event: `shown`, when the watched element had changed, and `done`, when
// the page's script had finished; null until then.
(watched) => {
  const selectors = ["stMarkdown", "stHtml", "stTable"].map((kind) => `[data-testid=${kind}]`).join();
  const content = () => document.querySelector(watched)
    && [...document.querySelectorAll(`${watched} :is(${selectors})`)].map((node) => node.innerHTML).join();
  const running = () => document.querySelector("[data-testid=stApp]").dataset.testScriptState !== "notRunning";
  const before = content();
  if (!before) throw new Error(`${watched} is missing`);
  window.answered = null;
  const controller = new AbortController();
  const start = (event) => {
    controller.abort();
    let shown = null;
    const poll = () => {
      const since = performance.now() - event.timeStamp;
      if (shown === null && content() !== before) shown = since;
      if (shown !== null && !running()) window.answered = { shown, done: since };
      else requestAnimationFrame(poll);
    };
    requestAnimationFrame(poll);
  };
  for (const kind of ["click", "keydown"]) addEventListener(kind, start, { signal: controller.signal, capture: true });
}
