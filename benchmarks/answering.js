// Waits for the answer to what the visitor does next, looking once a frame, so that only the page's own clock counts.
// A widget's own number follows the pointer at once and is no answer: only text, HTML and tables of the page count.
// Puts into `window.answered` milliseconds from the click or key: `shown`, when the watched element said something else,
// and `done`, when the page's script had run to its end; null until then.
(watched) => {
  const words = ["stMarkdown", "stHtml", "stTable"].map((kind) => `[data-testid=${kind}]`).join();
  const says = () => document.querySelector(watched)
    && [...document.querySelectorAll(`${watched} :is(${words})`)].map((node) => node.innerHTML).join();
  const running = () => document.querySelector("[data-testid=stApp]").dataset.testScriptState !== "notRunning";
  const before = says();
  if (!before) throw new Error(`${watched} is not there`);
  window.answered = null;
  const doing = new AbortController();
  const start = (event) => {
    doing.abort();
    let shown = null;
    const look = () => {
      const since = performance.now() - event.timeStamp;
      if (shown === null && says() !== before) shown = since;
      if (shown !== null && !running()) window.answered = { shown, done: since };
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  };
  for (const kind of ["click", "keydown"]) addEventListener(kind, start, { signal: doing.signal, capture: true });
}
