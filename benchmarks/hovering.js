// Notes, for every drawing of the explorer, how long after the pointer's event the frame that shows it was ready.
// `root` is the explorer's root element. Returns the list that fills up, milliseconds.
(root) => {
  const latencies = [];
  let pointed;
  root.addEventListener("pointermove", (event) => { pointed ??= event.timeStamp; }, true);
  new MutationObserver(() => {
    // The explorer draws in an animation frame. A message that is sent from there arrives after that frame's style,
    // layout and paint; only the compositor's part is left.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      latencies.push(performance.now() - pointed);
      pointed = undefined;
      port1.close();
    };
    port2.postMessage(null);
  }).observe(root, { attributeFilter: ["data-query"] });
  performance.clearMeasures("vitviz-draw");
  return latencies;
}
