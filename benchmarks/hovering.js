// Records the latency of every drawing of a component: time from the pointer event to the end of its frame.
// `root`: root element of the component. `attribute`: data attribute with the token drawn. Returns a growing list of
// milliseconds.
(root, attribute) => {
  const latencies = [];
  let pointed;
  root.addEventListener("pointermove", (event) => { pointed ??= event.timeStamp; }, true);
  new MutationObserver(() => {
    // The component draws in an animation frame. A message sent from there arrives after style, layout and paint of
    // this frame; only compositing is not included.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      latencies.push(performance.now() - pointed);
      pointed = undefined;
      port1.close();
    };
    port2.postMessage(null);
  }).observe(root, { attributeFilter: [attribute] });
  performance.clearMeasures("vitviz-draw");
  return latencies;
}
