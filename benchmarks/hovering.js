// Notes, for every drawing of a component, how long after the pointer's event the frame that shows it was ready.
// `root` is the component's root element, `attribute` what says which token is drawn. Returns the list that fills up, milliseconds.
(root, attribute) => {
  const latencies = [];
  let pointed;
  root.addEventListener("pointermove", (event) => { pointed ??= event.timeStamp; }, true);
  new MutationObserver(() => {
    // The component draws in an animation frame. A message that is sent from there arrives after that frame's style,
    // layout and paint; only the compositor's part is left.
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
